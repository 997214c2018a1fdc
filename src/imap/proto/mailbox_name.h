// Mailbox names: UTF-8 inside, modified UTF-7 on the wire (RFC 3501 §5.1.3), '/' between the levels.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace imap {

inline constexpr char kHierarchyDelimiter = '/';
inline constexpr std::size_t kMailboxNameBytesMax = 1000;

// The wire name as UTF-8. Only the one canonical encoding of a name is accepted, so two wire names never mean one
// mailbox. Any case of INBOX becomes "INBOX"; "%" and "*" pass, since the patterns of LIST are decoded here too.
// Errors: kInvalid.
base::Result<std::string> DecodeMailboxName(std::string_view wire);

// The UTF-8 name as modified UTF-7. Bytes that are no UTF-8 become U+FFFD.
std::string EncodeMailboxName(std::string_view name);

// Whether a mailbox of this name can be made: not empty, no empty level, no control characters, no wildcard, not too
// long. Errors: kInvalid with the sentence for the client.
base::Result<> CheckMailboxName(std::string_view name);

}  // namespace imap
