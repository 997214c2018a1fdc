// What IMAP's ENVELOPE tells of a message (RFC 3501 §7.4.2), read from its header. Not the SMTP envelope
// (mail/envelope.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address_list.h"

namespace mail {

// Texts are unfolded, hold no CR, LF or NUL, and have their encoded words left as they are. They may hold 8-bit bytes.
struct EnvelopeFields {
  std::optional<std::string> date;
  std::optional<std::string> subject;
  std::vector<ListedAddress> from;
  std::vector<ListedAddress> sender;  // `from` when the message has none; so is `reply_to`.
  std::vector<ListedAddress> reply_to;
  std::vector<ListedAddress> to;
  std::vector<ListedAddress> cc;
  std::vector<ListedAddress> bcc;
  std::optional<std::string> in_reply_to;
  std::optional<std::string> message_id;
};

struct EnvelopeLimits {
  std::size_t addresses_max = 10'000;  // Of each list.
};

// Of several fields of one name the first counts; address lists are joined.
EnvelopeFields ParseEnvelopeFields(std::string_view header, const EnvelopeLimits& limits = {});

}  // namespace mail
