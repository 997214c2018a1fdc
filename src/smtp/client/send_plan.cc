#include "smtp/client/send_plan.h"

#include <string_view>

#include <fmt/format.h>

#include "mail/ascii.h"

namespace smtp {
namespace {

// A refusal of ours in the form of an answer; empty: none.
struct Refusal {
  std::string_view status;
  std::string words;
};

// What holds for all recipients.
Refusal RefuseMail(const mail::Envelope& envelope, const ContentNeeds& needs, const Capabilities& offered) {
  if (!IsFitForPath(envelope.sender)) return {"5.1.7", "The sender's address cannot stand in a MAIL command"};
  if (offered.size_bytes_max != 0 && needs.size_bytes > offered.size_bytes_max) {
    return {"5.3.4", fmt::format("The mail has {} bytes, the server takes {} at most", needs.size_bytes,
                                 offered.size_bytes_max)};
  }
  if (!offered.smtputf8 && !mail::IsAscii(envelope.sender)) {
    return {"5.6.7", "The sender's address is not ASCII, and the server does not offer SMTPUTF8"};
  }
  // RFC 6532 headers. (Without SMTPUTF8 in the envelope, 8-bit bytes in a header are an old fault that we pass on.)
  if (!offered.smtputf8 && envelope.smtputf8 && needs.header_8bit) {
    return {"5.6.9", "The header is not ASCII, and the server does not offer SMTPUTF8"};
  }
  if (!offered.eight_bit_mime && needs.body_8bit && !needs.obstacle.empty()) {
    return {"5.6.3",
            fmt::format("The server does not offer 8BITMIME, and the mail cannot be converted: {}", needs.obstacle)};
  }
  return {};
}

Refusal RefuseRecipient(const std::string& address, const Capabilities& offered) {
  if (address.empty() || !IsFitForPath(address)) return {"5.1.3", "The address cannot stand in a RCPT command"};
  if (!offered.smtputf8 && !mail::IsAscii(address)) {
    return {"5.6.7", "The address is not ASCII, and the server does not offer SMTPUTF8"};
  }
  return {};
}

}  // namespace

SendPlan PlanMail(const mail::Envelope& envelope, const std::vector<std::uint32_t>& recipients,
                  const ContentNeeds& needs, const Capabilities& offered) {
  SendPlan plan;
  const Refusal whole = RefuseMail(envelope, needs, offered);
  for (const std::uint32_t recipient : recipients) {
    const Refusal refusal =
        whole.status.empty() ? RefuseRecipient(envelope.recipients[recipient].address, offered) : whole;
    if (refusal.status.empty()) {
      plan.recipients.push_back(recipient);
      continue;
    }
    plan.refused.push_back({.recipient = recipient,
                            .fate = Fate::kRefused,
                            .status = std::string(refusal.status),
                            .answer = fmt::format("{} {}", refusal.status, refusal.words)});
  }
  plan.converts = needs.body_8bit && !offered.eight_bit_mime;
  // What a converted mail comes to is not known before its end.
  plan.parameters = {.size = offered.size && !plan.converts,
                     .size_bytes = needs.size_bytes,
                     .body_8bit = offered.eight_bit_mime && (needs.body_8bit || envelope.body != mail::BodyType::k7Bit),
                     .smtputf8 = offered.smtputf8 && envelope.smtputf8,
                     .dsn = offered.dsn};
  return plan;
}

bool MustInspect(const mail::Envelope& envelope, const Capabilities& offered) {
  return !offered.eight_bit_mime || (envelope.smtputf8 && !offered.smtputf8);
}

}  // namespace smtp
