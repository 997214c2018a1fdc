// Address lists of header fields (RFC 5322 §3.4, obsolete forms of §4.4), read with tolerance and in linear time.
// SMTP's own, stricter addresses are mail/address.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mail {

// One element of an address list, in the shape IMAP's ENVELOPE has (RFC 3501 §7.4.2): without a host it is the start
// of a group named `mailbox`, or, without a mailbox too, the end of one.
struct ListedAddress {
  std::optional<std::string> name{};     // Display name, or the old comment; encoded words are left as they are.
  std::optional<std::string> adl{};      // Source route: "@a,@b".
  std::optional<std::string> mailbox{};  // Local part without quotes.
  std::optional<std::string> host{};

  bool IsGroupStart() const { return !host && mailbox; }
  bool IsGroupEnd() const { return !host && !mailbox; }
  friend bool operator==(const ListedAddress&, const ListedAddress&) = default;
};

// What stands for a part that an address lacks; the names are Dovecot's, which clients have learnt.
inline constexpr std::string_view kMissingMailbox = "MISSING_MAILBOX";
inline constexpr std::string_view kMissingHost = "MISSING_DOMAIN";

// Reads a field body. Every group that starts ends. Texts hold no CR, LF or NUL, but may hold any other byte.
// Elements past `addresses_max` are left out.
std::vector<ListedAddress> ParseAddressList(std::string_view body, std::size_t addresses_max = 10'000);

}  // namespace mail
