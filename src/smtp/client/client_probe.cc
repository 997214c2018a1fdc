// ClientSession::Probe: a recipient is asked for, no mail is sent.
#include <utility>

#include "base/check.h"
#include "mail/ascii.h"
#include "smtp/client/client_session.h"
#include "smtp/client/wire.h"
#include "smtp/proto/client_command.h"

namespace smtp {

using async::Task;
using base::Errc;
using base::Result;

Task<RecipientFate> ClientSession::Probe(std::string recipient) {
  CHECK(!sending_ && IsFitForPath(recipient));
  had_gone_stale_ = false;
  if (!mail::IsAscii(recipient) && !capabilities_.smtputf8) {
    // As Send() would refuse a mail for it (RFC 6531 §3.6).
    co_return RecipientFate{
        .fate = Fate::kRefused, .status = "5.6.7", .answer = "5.6.7 the server takes no address that is not ASCII"};
  }
  sending_ = true;
  Result<ServerReply> reply = co_await AskForRecipient(std::move(recipient));
  sending_ = false;
  has_sent_ = true;
  if (!reply.has_value()) {
    co_return RecipientFate{.status = "4.4.2", .answer = ToOneLine("4.4.2 " + reply.error().message())};
  }
  const Fate fate = reply->is_positive() ? Fate::kAccepted : reply->is_permanent() ? Fate::kRefused : Fate::kTryAgain;
  co_return RecipientFate{.fate = fate, .code = reply->code, .status = reply->status, .answer = reply->Text()};
}

// The answer to RCPT. That to MAIL is no word about the recipient: when it is a refusal, it counts as one that passes.
Task<Result<ServerReply>> ClientSession::AskForRecipient(std::string recipient) {
  const mail::Envelope envelope{.sender = {}, .recipients = {{.address = std::move(recipient)}}};
  const MailParameters parameters{.smtputf8 = !mail::IsAscii(envelope.recipients.front().address)};
  std::string command = needs_reset_ ? "RSET\r\n" : "";
  if (command.empty()) AppendMail(command, envelope, parameters);
  Result<ServerReply> reply = co_await wire_->Ask(std::move(command), settings_->command_timeout);
  const bool is_closed = reply.has_value() ? reply->code == 421 : reply.error().code() == Errc::kClosed;
  had_gone_stale_ = has_sent_ && is_closed;
  if (needs_reset_ && reply.has_value() && reply->is_positive()) {
    command.clear();
    AppendMail(command, envelope, parameters);
    reply = co_await wire_->Ask(std::move(command), settings_->command_timeout);
  }
  needs_reset_ = true;
  if (!reply.has_value()) co_return std::move(reply).error().In("call-out");
  if (!reply->is_positive()) co_return ReplyError("call-out: MAIL FROM:<>", *reply);
  command.clear();
  AppendRcpt(command, envelope.recipients.front(), parameters);
  reply = co_await wire_->Ask(std::move(command), settings_->command_timeout);
  if (!reply.has_value()) co_return std::move(reply).error().In("call-out: RCPT");
  co_return *std::move(reply);
}

}  // namespace smtp
