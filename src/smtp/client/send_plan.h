// SendPlan: how a mail is offered to a server that can do this and cannot do that. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "smtp/client/outgoing_mail.h"
#include "smtp/proto/capabilities.h"
#include "smtp/proto/client_command.h"

namespace smtp {

// What the bytes of a mail ask of their transport.
struct ContentNeeds {
  std::uint64_t size_bytes = 0;
  // 8-bit bytes, or we have not looked: only a server that lacks an extension is worth a look.
  bool header_8bit = false;
  bool body_8bit = false;
  std::string_view obstacle{};  // Why the body cannot be converted to 7 bits (mail/seven_bit.h); empty: it can.
};

struct SendPlan {
  MailParameters parameters;
  bool converts = false;                  // The body is converted to 7 bits on its way (RFC 6152 §3).
  std::vector<std::uint32_t> recipients;  // To be offered; indexes into the envelope.
  std::vector<RecipientFate> refused;     // What we refuse for the server, since it could not take it.
};

// The rules: RFC 1870 §6 (a mail larger than the server's limit is refused unsent), RFC 6531 §3.2 (a mail whose
// addresses or header are not ASCII only goes where SMTPUTF8 is offered), RFC 6152 §3 (8-bit bytes are converted where
// 8BITMIME is not offered, or the mail is refused), and an address that cannot stand in a command is none.
SendPlan PlanMail(const mail::Envelope& envelope, const std::vector<std::uint32_t>& recipients,
                  const ContentNeeds& needs, const Capabilities& offered);

// Whether the choice depends on what is in the bytes.
bool MustInspect(const mail::Envelope& envelope, const Capabilities& offered);

}  // namespace smtp
