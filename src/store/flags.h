// Keywords of a mailbox and flags of its messages. Pure functions.
// A mailbox keeps each keyword once, as first written; messages name keywords by their position there. Case does not
// matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/entries.h"
#include "store/rows.h"
#include "store/types.h"

namespace store {

inline constexpr std::uint8_t kSystemFlags =
    Flags::kSeen | Flags::kAnswered | Flags::kFlagged | Flags::kDeleted | Flags::kDraft;

// Less without regard to the case of ASCII letters.
bool KeywordLess(std::string_view a, std::string_view b);
bool KeywordEquals(std::string_view a, std::string_view b);

// Sorts the keywords and drops repeated ones. Errors: kInvalid (a keyword that is no atom, too long, too many, or an
// unknown system bit).
base::Result<Flags> NormalizeFlags(Flags flags);

// The positions of `names` in `table`, ascending. Missing ones are added when `add`, else left out. Empty: the table
// would pass kKeywordsPerMailboxMax, and is unchanged.
std::optional<std::vector<std::uint16_t>> ResolveKeywords(std::vector<std::string>& table,
                                                          const std::vector<std::string_view>& names, bool add);

// The flags of a row after a change of FlagsChange; `keywords` are positions, ascending.
struct ResolvedFlags {
  std::uint8_t system = 0;
  std::vector<std::uint16_t> keywords;
  friend bool operator==(const ResolvedFlags&, const ResolvedFlags&) = default;
};
ResolvedFlags ChangeFlags(const ResolvedFlags& now, std::uint8_t change, const ResolvedFlags& by);

// The flags as sessions see them: names instead of positions, sorted.
Flags NamedFlags(std::uint8_t system, const std::vector<std::uint16_t>& keywords,
                 const std::vector<std::string>& table);

}  // namespace store
