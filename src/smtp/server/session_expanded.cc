// Tells a sender who asked for word of success that his mail went to an alias of several (RFC 3461 §5.2.7.3).
#include <utility>

#include "base/random.h"
#include "mail/delivery_status.h"
#include "smtp/server/session.h"

namespace smtp {

// Before the 250: a client that is cut off before it sends the mail again, and is told again.
async::Task<base::Result<>> Session::TellExpanded(std::string header) {
  if (transaction_->sender().empty()) co_return base::Result<>();  // Nobody is to hear of it (RFC 5321 §4.5.5).
  const base::WallTime now = services_->clock->WallNow();
  mail::DeliveryStatus status{.hostname = settings_->hostname,
                              .to = transaction_->sender(),
                              .id = base::RandomHex(8),
                              .now = now,
                              .arrival = now,
                              .mail_id = transaction_->id(),
                              .envelope_id = transaction_->from().envelope_id,
                              .original = header};
  for (const Expanded& expanded : transaction_->expanded()) {
    status.recipients.push_back(
        {.address = expanded.alias, .original = expanded.original, .action = mail::DsnAction::kExpanded});
  }
  const mail::DeliveryNotice composed = mail::ComposeNotice(status);
  mail::Envelope envelope;
  envelope.id = status.id;
  envelope.recipients.push_back({.address = status.to});
  envelope.smtputf8 = composed.smtputf8;
  envelope.body = composed.body;
  envelope.received = now;
  replog::BodyWriter writer = services_->queue->NewNoticeBody();
  CO_RETURN_IF_ERROR(co_await writer.Write(composed.text));
  ASSIGN_OR_CO_RETURN(replog::Body body, co_await writer.Finish());
  CO_RETURN_IF_ERROR(co_await services_->queue->Enqueue(std::move(envelope), std::move(body)));
  co_return base::Result<>();
}

}  // namespace smtp
