// The commands of a client that carry parameters: MAIL and RCPT (RFC 5321 §4.1.1, RFC 1870, 3461, 6152, 6531). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mail/envelope.h"

namespace smtp {

// What goes along with MAIL and RCPT; only what the server offers.
struct MailParameters {
  bool size = false;
  std::uint64_t size_bytes = 0;
  bool body_8bit = false;  // BODY=8BITMIME.
  bool smtputf8 = false;
  bool dsn = false;  // RET and ENVID; NOTIFY and ORCPT.

  bool any() const { return size || body_8bit || smtputf8 || dsn; }
};

// "MAIL FROM:<sender> ...\r\n". The sender must be fit for a path.
void AppendMail(std::string& out, const mail::Envelope& envelope, const MailParameters& parameters);
// "RCPT TO:<recipient> ...\r\n". The same.
void AppendRcpt(std::string& out, const mail::Recipient& recipient, const MailParameters& parameters);

// Whether an address can stand between the angle brackets of a path without changing what the line means. An envelope
// comes from a parser that saw to it; whoever makes one by other ways must not be able to smuggle commands.
bool IsFitForPath(std::string_view address);

// RFC 3461 §4 xtext. An envelope keeps ENVID and ORCPT as they were given, in xtext; what is none is made so.
std::string ToXtext(std::string_view text);

}  // namespace smtp
