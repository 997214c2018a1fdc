#include "smtp/client/client_session.h"

#include <fmt/format.h>

#include "base/check.h"
#include "smtp/client/outgoing_body.h"
#include "smtp/client/outgoing_transaction.h"
#include "smtp/client/send_plan.h"
#include "smtp/client/wire.h"

namespace smtp {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

void AddLocalFates(const std::vector<std::uint32_t>& recipients, RecipientFate fate,
                   std::vector<RecipientFate>* fates) {
  for (const std::uint32_t recipient : recipients) {
    fate.recipient = recipient;
    fates->push_back(fate);
  }
}

}  // namespace

ClientSession::ClientSession(std::unique_ptr<Wire> wire, const ClientSettings* settings)
    : wire_(std::move(wire)), settings_(settings) {}

ClientSession::~ClientSession() = default;

Task<Result<std::unique_ptr<ClientSession>>> ClientSession::Open(std::unique_ptr<net::Connection> connection,
                                                                 const ClientSettings* settings) {
  CHECK(settings->tls == ClientTls::kNever || settings->tls_context != nullptr);
  auto wire = std::make_unique<Wire>(std::move(connection));
  std::unique_ptr<ClientSession> session(new ClientSession(std::move(wire), settings));
  Result<> begun = co_await session->Begin();
  if (!begun.has_value()) {
    session->wire_->Leave();
    co_return std::move(begun).error();
  }
  co_return session;
}

Task<Result<>> ClientSession::Begin() {
  if (settings_->tls == ClientTls::kImplicit) {
    CO_RETURN_IF_ERROR(co_await wire_->Encrypt(settings_->tls_context.get(), settings_->tls_timeout));
  }
  CO_RETURN_IF_ERROR(co_await AwaitGreeting());
  CO_RETURN_IF_ERROR(co_await SayHello());
  CO_RETURN_IF_ERROR(co_await SecureByCommand());
  if (!settings_->username.empty()) CO_RETURN_IF_ERROR(co_await Authenticate());
  co_return Result<>();
}

Task<Result<>> ClientSession::AwaitGreeting() {
  auto greeting = co_await wire_->ReadReply(settings_->greeting_timeout);
  if (!greeting.has_value()) co_return std::move(greeting).error().In("greeting");
  if (!greeting->is_positive()) co_return ReplyError("greeting", *greeting);
  server_name_ = ReadServerName(greeting->lines.front());
  co_return Result<>();
}

// EHLO or LHLO; HELO where EHLO is refused (RFC 5321 §3.2), which then offers nothing.
Task<Result<>> ClientSession::SayHello() {
  const bool is_lmtp = settings_->protocol == ClientProtocol::kLmtp;
  const std::string_view verb = is_lmtp ? "LHLO" : "EHLO";
  capabilities_ = {};
  auto reply = co_await wire_->Ask(fmt::format("{} {}\r\n", verb, settings_->hostname), settings_->command_timeout);
  if (!reply.has_value()) co_return std::move(reply).error().In(verb);
  if (reply->is_positive()) {
    capabilities_ = ReadCapabilities(reply->lines);
    std::string name = ReadServerName(reply->lines.front());
    if (!name.empty()) server_name_ = std::move(name);
    co_return Result<>();
  }
  if (is_lmtp || !reply->is_permanent()) co_return ReplyError(verb, *reply);
  reply = co_await wire_->Ask(fmt::format("HELO {}\r\n", settings_->hostname), settings_->command_timeout);
  if (!reply.has_value()) co_return std::move(reply).error().In("HELO");
  if (!reply->is_positive()) co_return ReplyError("HELO", *reply);
  co_return Result<>();
}

Task<Result<>> ClientSession::SecureByCommand() {
  const bool is_wanted = settings_->tls == ClientTls::kOpportunistic || settings_->tls == ClientTls::kRequired;
  if (!is_wanted) co_return Result<>();
  const bool is_required = settings_->tls == ClientTls::kRequired;
  if (!capabilities_.starttls) {
    if (is_required) co_return Error(Errc::kDenied, "TLS is required and the server does not offer STARTTLS");
    co_return Result<>();
  }
  auto reply = co_await wire_->Ask("STARTTLS\r\n", settings_->command_timeout);
  if (!reply.has_value()) co_return std::move(reply).error().In("STARTTLS");
  if (!reply->is_positive()) {
    // Offered and refused: a server whose certificate is broken says so here (454).
    if (is_required || !wire_->is_open()) co_return ReplyError("STARTTLS", *reply);
    co_return Result<>();
  }
  CO_RETURN_IF_ERROR(co_await wire_->Encrypt(settings_->tls_context.get(), settings_->tls_timeout));
  co_return co_await SayHello();  // RFC 3207 §4.2: what was said in plain text is forgotten.
}

Task<void> ClientSession::Send(const mail::Envelope* envelope, std::vector<std::uint32_t> recipients, MailBytes* bytes,
                               std::vector<RecipientFate>* fates) {
  CHECK(!sending_);
  sending_ = true;
  had_gone_stale_ = false;
  OutgoingBody body(bytes);
  Capabilities offered = capabilities_;
  // The second time without what the server offered and then refused.
  for (int round = 0; round < 2 && !recipients.empty(); ++round) {
    const Result<> read = co_await body.Prepare(envelope, &offered);
    if (!read.has_value()) {
      AddLocalFates(recipients, {.status = "4.3.0", .answer = ToOneLine("4.3.0 " + read.error().message())}, fates);
      break;
    }
    SendPlan plan = PlanMail(*envelope, recipients, body.needs(), offered);
    for (RecipientFate& refused : plan.refused) fates->push_back(std::move(refused));
    if (plan.recipients.empty()) break;
    body.Rewind(plan.converts);
    OutgoingTransaction transaction(
        {.wire = wire_.get(), .settings = settings_, .envelope = envelope, .body = &body, .fates = fates},
        std::move(plan), {.pipelining = capabilities_.pipelining, .resets = needs_reset_, .is_last_try = round == 1});
    co_await transaction.Run();
    needs_reset_ = !transaction.has_succeeded();
    had_gone_stale_ = has_sent_ && transaction.found_closed();
    has_sent_ = true;
    recipients = transaction.TakeMisunderstood();
    offered = {.pipelining = offered.pipelining};
  }
  sending_ = false;
}

bool ClientSession::is_usable() const {
  return wire_->is_open() && !sending_;
}

Task<void> ClientSession::Quit() {
  if (is_usable()) {
    co_await wire_->Quit(settings_->quit_timeout);
  } else {
    wire_->Close();
  }
}

const std::string& ClientSession::server_name() const {
  return server_name_;
}
const net::TlsFacts& ClientSession::tls() const {
  return wire_->connection().tls();
}
const net::PeerAddress& ClientSession::peer() const {
  return wire_->connection().peer();
}

}  // namespace smtp
