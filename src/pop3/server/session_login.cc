// The AUTHORIZATION state: USER and PASS (RFC 1939 §7), AUTH (RFC 5034), STLS (RFC 2595 §4), CAPA (RFC 2449).
#include <algorithm>
#include <limits>

#include "auth/scram_login.h"
#include "base/base64.h"
#include "base/log.h"
#include "pop3/server/session.h"

namespace pop3::server {
namespace {

using async::Task;
using base::Errc;
using base::Result;

constexpr std::uint32_t kListBatch = 2'000;

void Count(base::Counter* counter) {
  if (counter != nullptr) counter->Add();
}

}  // namespace

Task<Session::Next> Session::Handle(proto::Capa) {
  Accept("capabilities follow");
  for (const std::string_view name : {"TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER"}) {
    out_.append(name).append("\r\n");
  }
  if (!drop_.has_value() && may_log_in()) {
    out_.append("USER\r\nSASL PLAIN");
    out_.append(services_->authenticator->OffersScram() ? " SCRAM-SHA-256\r\n" : "\r\n");
  }
  if (offers_stls()) out_.append("STLS\r\n");
  out_.append("IMPLEMENTATION Posthorn\r\n.\r\n");
  co_return Next::kGoOn;
}

Task<Session::Next> Session::Handle(proto::Stls) {
  if (!offers_stls()) {
    Refuse(connection_->is_tls() ? "TLS is on already" : "STLS is not available now");
    co_return CountBadCommand();
  }
  Accept("begin the TLS handshake");
  const auto flushed = co_await Flush();
  if (!flushed.has_value()) co_return Next::kClose;
  // Nothing that was sent in plaintext behind STLS may be read as if it had come through TLS (CVE-2011-0411).
  input_.Clear();
  user_.clear();
  connection_->SetDeadline(settings_->idle_max);
  const auto upgraded = co_await connection_->StartTls(services_->tls);
  if (upgraded.has_value()) co_return Next::kGoOn;
  base::LogInfo("tls_failed",
                {{"protocol", "pop3"}, {"client", connection_->peer().ip}, {"error", upgraded.error().message()}});
  co_return Next::kClose;
}

Task<Session::Next> Session::Handle(proto::User user) {
  if (drop_.has_value()) {
    Refuse("you are logged in already");
    co_return CountBadCommand();
  }
  if (!may_log_in()) {
    Refuse("the password would travel in the clear: say STLS first");
    co_return CountBadCommand();
  }
  // The same answer whether or not there is such an account.
  user_ = std::move(user.name);
  Accept("now the password");
  co_return Next::kGoOn;
}

Task<Session::Next> Session::Handle(proto::Pass pass) {
  if (drop_.has_value() || user_.empty()) {
    Refuse(drop_.has_value() ? "you are logged in already" : "say USER first");
    co_return CountBadCommand();
  }
  co_return co_await LogIn(std::exchange(user_, {}), std::move(pass.password));
}

Task<Session::Next> Session::Handle(proto::Auth auth) {
  if (drop_.has_value() || !may_log_in()) {
    Refuse(drop_.has_value() ? "you are logged in already" : "the password would travel in the clear: say STLS first");
    co_return CountBadCommand();
  }
  const bool is_scram = auth.mechanism == "SCRAM-SHA-256" && services_->authenticator->OffersScram();
  if (!is_scram && auth.mechanism != "PLAIN") {
    Refuse("this mechanism is not offered; CAPA lists those that are");
    co_return CountBadCommand();
  }
  std::optional<std::string> message;
  if (auth.initial.has_value()) {
    message = DecodeAnswer(*auth.initial == "=" ? "" : *auth.initial);
  } else {
    auto answer = co_await AskClient("");
    if (!answer.has_value()) co_return Next::kClose;
    message = *std::move(answer);
  }
  if (!message.has_value()) co_return CountBadCommand();
  if (is_scram) co_return co_await AuthenticateScram(*std::move(message));
  co_return co_await AuthenticatePlain(*std::move(message));
}

Task<Result<std::optional<std::string>>> Session::AskClient(std::string challenge) {
  out_.append("+ ").append(base::EncodeBase64(challenge)).append("\r\n");
  ASSIGN_OR_CO_RETURN(const InputLine line, co_await NextLine(proto::kAuthBytesMax));
  if (line.is_too_long) {
    Refuse("the line is too long");
    co_return std::nullopt;
  }
  if (line.text == "*") {
    Refuse("authentication cancelled");
    co_return std::nullopt;
  }
  co_return DecodeAnswer(line.text);
}

std::optional<std::string> Session::DecodeAnswer(std::string_view base64) {
  auto decoded = base::DecodeBase64(base64);
  if (decoded.has_value()) return *std::move(decoded);
  Refuse(decoded.error().message());
  return std::nullopt;
}

// RFC 5802. +OK has no place for data, so what proves the server to the client is one more challenge, which the client
// answers with an empty line (RFC 5034 §4).
Task<Session::Next> Session::AuthenticateScram(std::string message) {
  auth::ScramLogin login(services_->authenticator, connection_->peer().ip);
  for (int step = 0; step < auth::ScramLogin::kSteps; ++step) {
    auto said = co_await login.Step(std::move(message));
    if (!said.has_value() && said.error().code() == Errc::kInvalid) {
      Refuse(said.error().message());
      co_return CountBadCommand();
    }
    if (!said.has_value()) co_return RefuseLogin(login.username(), said.error());
    auto answer = co_await AskClient(*std::move(said));
    if (!answer.has_value()) co_return Next::kClose;
    if (!answer->has_value()) co_return CountBadCommand();
    message = **std::move(answer);
  }
  if (!message.empty()) {
    Refuse("the exchange was over");
    co_return CountBadCommand();
  }
  co_return co_await OpenMaildrop(login.account());
}

Task<Session::Next> Session::AuthenticatePlain(std::string message) {
  auto credentials = auth::ParsePlain(message);
  if (!credentials.has_value()) {
    Refuse(credentials.error().message());
    co_return CountBadCommand();
  }
  co_return co_await LogIn(std::move(credentials->address), std::move(credentials->password));
}

Task<Session::Next> Session::LogIn(std::string address, std::string password) {
  const std::string as_given = address;
  auto verified =
      co_await services_->authenticator->Verify(std::move(address), std::move(password), connection_->peer().ip);
  if (!verified.has_value()) co_return RefuseLogin(as_given, verified.error());
  co_return co_await OpenMaildrop(*std::move(verified));
}

Session::Next Session::RefuseLogin(std::string_view address, const base::Error& error) {
  Count(services_->metrics.login_failures);
  base::LogWarning(
      "login_failed",
      {{"protocol", "pop3"}, {"account", address}, {"client", connection_->peer().ip}, {"reason", error.message()}});
  if (error.code() != Errc::kDenied) {
    Refuse("[SYS/TEMP] logging in is not possible now, try again later");
    return Next::kGoOn;
  }
  Refuse("[AUTH] the address or the password is wrong");
  login_failures_ += 1;
  return login_failures_ < settings_->login_failures_max ? Next::kGoOn : Next::kClose;
}

Task<Session::Next> Session::OpenMaildrop(std::string address) {
  const auto account = co_await services_->store->FindAccount(address);
  if (!account.has_value()) co_return RefuseLogin(address, account.error());
  auto lock = services_->locks->TryLock(account->id);
  if (!lock.has_value()) {
    Refuse("[IN-USE] another POP3 session has this maildrop open");
    co_return Next::kGoOn;
  }
  const auto inbox = co_await services_->store->FindMailbox(account->id, "INBOX");
  if (!inbox.has_value()) co_return RefuseLogin(address, inbox.error());
  Maildrop drop(*std::move(lock), inbox->id, inbox->uid_validity, &settings_->uidl_format);
  const auto listed = co_await ListMaildrop(&drop);
  if (!listed.has_value()) co_return RefuseLogin(address, listed.error());

  account_ = std::move(address);
  drop_.emplace(std::move(drop));
  Count(services_->metrics.logins);
  base::LogInfo("login", {{"protocol", "pop3"},
                          {"account", account_},
                          {"client", connection_->peer().ip},
                          {"tls", connection_->tls().version},
                          {"messages", drop_->count()}});
  Accept("maildrop has " + std::to_string(drop_->kept_count()) + " messages, " + std::to_string(drop_->kept_bytes()) +
         " octets");
  co_return Next::kGoOn;
}

Task<Result<>> Session::ListMaildrop(Maildrop* drop) {
  constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t first = 1;
  while (drop->count() < settings_->messages_max) {
    const std::uint32_t limit = std::min(kListBatch, settings_->messages_max - drop->count());
    ASSIGN_OR_CO_RETURN(const auto batch,
                        co_await services_->store->ListMessages(drop->mailbox(), first, kLast, limit));
    for (const store::Message& message : batch) drop->Add(message.uid, message.size_bytes, message.uidl);
    if (batch.size() < limit || batch.back().uid == kLast) break;
    first = batch.back().uid + 1;
  }
  co_return Result<>();
}

bool Session::may_log_in() const {
  return connection_->is_tls() || (settings_->plaintext_auth_on_loopback && connection_->peer().is_loopback);
}

bool Session::offers_stls() const {
  return services_->tls != nullptr && !connection_->is_tls() && !drop_.has_value();
}

}  // namespace pop3::server
