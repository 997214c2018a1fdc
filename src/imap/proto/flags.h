// Flags of a message as the protocol names them (RFC 3501 §2.3.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace imap {

// One bit each. \Recent is no flag here: no client can set it, it is a fact about a session.
enum SystemFlag : std::uint8_t {
  kSeen = 1,
  kAnswered = 2,
  kFlagged = 4,
  kDeleted = 8,
  kDraft = 16,
};
inline constexpr std::uint8_t kAllSystemFlags = kSeen | kAnswered | kFlagged | kDeleted | kDraft;

struct FlagSet {
  std::uint8_t system = 0;              // Bits of SystemFlag.
  std::vector<std::string> keywords{};  // Without duplicates (case-insensitively), in the order of the client.

  // Adds one flag by its wire name. "\Recent" is accepted and left out: clients copy it from what they fetched.
  // Errors: kInvalid (an unknown system flag).
  base::Result<> Add(std::string_view name);
  bool HasKeyword(std::string_view keyword) const;
};

// Keywords are compared without regard to case (ASCII).
constexpr char ToLowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

// Appends "(\Seen $Forwarded)". `recent` adds \Recent.
void AppendFlags(std::string& out, const FlagSet& flags, bool recent);

}  // namespace imap
