// Names of mailboxes: UTF-8, hierarchy separator '/', INBOX in any case (RFC 3501 §5.1). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace store {

inline constexpr std::string_view kInbox = "INBOX";
inline constexpr std::uint32_t kMailboxDepthMax = 64;

// The name as it is stored: a first level that spells INBOX in any case becomes "INBOX", one trailing separator goes
// (RFC 3501 §6.3.3: a client may create "foo/"). Errors: kInvalid (not UTF-8, control characters, an empty level, too
// long or deep).
base::Result<std::string> CanonicalMailboxName(std::string_view name, std::uint32_t bytes_max);

// "a/b/c" -> "a", "a/b".
std::vector<std::string_view> ParentNames(std::string_view name);

}  // namespace store
