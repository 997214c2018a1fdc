#include "store/flags.h"

#include <algorithm>

#include "store/mail_store.h"

namespace store {

namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// RFC 3501 §9: flag-keyword = atom.
bool IsAtom(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
  });
}

}  // namespace

bool KeywordLess(std::string_view a, std::string_view b) {
  return std::ranges::lexicographical_compare(a, b, {}, Lower, Lower);
}

bool KeywordEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::ranges::equal(a, b, {}, Lower, Lower);
}

base::Result<Flags> NormalizeFlags(Flags flags) {
  if ((flags.system & ~kSystemFlags) != 0) return base::Error(base::Errc::kInvalid, "unknown system flag");
  std::ranges::sort(flags.keywords, [](const std::string& a, const std::string& b) {
    return KeywordLess(a, b) || (KeywordEquals(a, b) && a < b);
  });
  const auto repeated = std::ranges::unique(flags.keywords, KeywordEquals);
  flags.keywords.erase(repeated.begin(), repeated.end());
  if (flags.keywords.size() > kKeywordsPerMailboxMax) {
    return base::Error(base::Errc::kInvalid, "more keywords than a mailbox may have");
  }
  for (const std::string& keyword : flags.keywords) {
    if (!IsAtom(keyword) || keyword.size() > kKeywordBytesMax) {
      return base::Error(base::Errc::kInvalid, "a keyword is not an atom of at most 128 bytes");
    }
  }
  return flags;
}

std::optional<std::vector<std::uint16_t>> ResolveKeywords(std::vector<std::string>& table,
                                                          const std::vector<std::string_view>& names, bool add) {
  std::vector<std::uint16_t> positions;
  const std::size_t size_before = table.size();
  for (const std::string_view name : names) {
    const auto found = std::ranges::find_if(table, [name](const std::string& k) { return KeywordEquals(k, name); });
    if (found != table.end()) {
      positions.push_back(static_cast<std::uint16_t>(found - table.begin()));
    } else if (add) {
      positions.push_back(static_cast<std::uint16_t>(table.size()));
      table.emplace_back(name);
    }
  }
  if (table.size() > kKeywordsPerMailboxMax) {
    table.resize(size_before);
    return std::nullopt;
  }
  std::ranges::sort(positions);
  const auto repeated = std::ranges::unique(positions);
  positions.erase(repeated.begin(), repeated.end());
  return positions;
}

ResolvedFlags ChangeFlags(const ResolvedFlags& now, std::uint8_t change, const ResolvedFlags& by) {
  ResolvedFlags result;
  switch (static_cast<FlagsChange>(change)) {
    case FlagsChange::kReplace:
      return by;
    case FlagsChange::kAdd:
      result.system = now.system | by.system;
      std::ranges::set_union(now.keywords, by.keywords, std::back_inserter(result.keywords));
      return result;
    case FlagsChange::kRemove:
      result.system = now.system & static_cast<std::uint8_t>(~by.system);
      std::ranges::set_difference(now.keywords, by.keywords, std::back_inserter(result.keywords));
      return result;
  }
  return now;
}

Flags NamedFlags(std::uint8_t system, const std::vector<std::uint16_t>& keywords,
                 const std::vector<std::string>& table) {
  Flags flags;
  flags.system = system;
  for (const std::uint16_t position : keywords) {
    if (position < table.size()) flags.keywords.push_back(table[position]);
  }
  std::ranges::sort(flags.keywords, KeywordLess);
  return flags;
}

}  // namespace store
