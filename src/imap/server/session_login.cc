// STARTTLS, AUTHENTICATE and LOGIN (RFC 3501 §6.2).
#include <utility>

#include "auth/scram_login.h"
#include "base/base64.h"
#include "base/log.h"
#include "imap/server/session.h"

namespace imap {

async::Task<Reply> Session::Do(StartTls) {
  if (connection_->is_tls()) co_return Bad("TLS is on already");
  if (services_->tls == nullptr) co_return Bad("TLS is not configured");
  starting_tls_ = true;
  co_return Ok("begin TLS now");
}

async::Task<void> Session::UpgradeToTls() {
  starting_tls_ = false;
  input_.Clear();
  connection_->SetDeadline(settings_->login_timeout);
  const auto upgraded = co_await connection_->StartTls(services_->tls);
  if (upgraded.has_value()) co_return;
  base::LogInfo("tls_failed", {{"client", connection_->peer().ip}, {"reason", upgraded.error().message()}});
  lost_ = true;
}

async::Task<Reply> Session::Do(Authenticate authenticate) {
  const bool is_scram = authenticate.mechanism == "SCRAM-SHA-256" && services_->authenticator->OffersScram();
  if (!is_scram && authenticate.mechanism != "PLAIN") {
    co_return No("", "this SASL mechanism is not offered; CAPABILITY tells which are");
  }
  if (!may_log_in()) co_return No(kCodePrivacyRequired, "start TLS first");
  std::string message;
  if (authenticate.initial.has_value()) {
    auto decoded = base::DecodeBase64(*authenticate.initial);
    if (!decoded.has_value()) co_return Bad("the answer is no base64");
    message = *std::move(decoded);
  } else {
    auto answer = co_await AskForAnswer("");
    if (!answer.has_value()) co_return answer.error();
    message = *std::move(answer);
  }
  if (is_scram) co_return co_await AuthenticateScram(std::move(message));
  co_return co_await AuthenticatePlain(std::move(message));
}

async::Task<Reply> Session::AuthenticatePlain(std::string message) {
  auto credentials = auth::ParsePlain(message);
  if (!credentials.has_value()) co_return Bad(credentials.error().message());
  co_return co_await LogIn(std::move(credentials->address), std::move(credentials->password));
}

// RFC 5802. OK has no place for data, so what proves the server to the client is one more continuation, which the
// client answers with an empty line (RFC 3501 §6.2.2).
async::Task<Reply> Session::AuthenticateScram(std::string message) {
  auth::ScramLogin login(services_->authenticator, connection_->peer().ip);
  for (int step = 0; step < auth::ScramLogin::kSteps; ++step) {
    auto said = co_await login.Step(std::move(message));
    if (!said.has_value()) {
      if (said.error().code() == base::Errc::kInvalid) co_return Bad(said.error().message());
      co_return RefuseLogin(login.username(), said.error());
    }
    auto answer = co_await AskForAnswer(*std::move(said));
    if (!answer.has_value()) co_return answer.error();
    message = *std::move(answer);
  }
  if (!message.empty()) co_return Bad("the exchange was over");
  co_return co_await OpenAccount(login.account());
}

// Sends a challenge and returns the client's answer, both without their base64.
async::Task<std::expected<std::string, Reply>> Session::AskForAnswer(std::string challenge) {
  conversation_.out.Add(ContinuationLine(base::EncodeBase64(challenge)));
  co_await conversation_.out.Flush();
  input_.reader().ExpectLine();
  auto event = co_await input_.Next();
  if (!event.has_value()) {
    Lost(event.error());
    co_return std::unexpected(Bad("the answer did not come"));
  }
  auto* line = std::get_if<LineReady>(&*event);
  if (line == nullptr) co_return std::unexpected(Bad("the answer is too long"));
  if (line->text == "*") co_return std::unexpected(Bad("authentication cancelled"));
  auto decoded = base::DecodeBase64(line->text);
  if (!decoded.has_value()) co_return std::unexpected(Bad("the answer is no base64"));
  co_return *std::move(decoded);
}

async::Task<Reply> Session::Do(Login login) {
  if (!may_log_in()) co_return No(kCodePrivacyRequired, "start TLS first");
  co_return co_await LogIn(std::move(login.user), std::move(login.password));
}

async::Task<Reply> Session::LogIn(std::string address, std::string password) {
  auto verified = co_await services_->authenticator->Verify(address, std::move(password), connection_->peer().ip);
  if (!verified.has_value()) co_return RefuseLogin(address, verified.error());
  co_return co_await OpenAccount(*std::move(verified));
}

async::Task<Reply> Session::OpenAccount(std::string address) {
  const auto account = co_await services_->store->FindAccount(address);
  if (!account.has_value()) co_return RefuseLogin(address, account.error());
  if (!account->has_special_mailboxes) {
    // An account from before there were any. While nothing can be written it logs in all the same, without them.
    const auto made = co_await services_->store->MakeSpecialMailboxes(account->id);
    if (!made.has_value())
      base::LogInfo("special_mailboxes_not_made", {{"account", account->address}, {"reason", made.error().message()}});
  }
  conversation_.address = std::move(address);
  conversation_.account = account->id;
  input_.SetEnd(std::nullopt);
  input_.reader().SetLimits(settings_->reader);
  if (services_->metrics.logins != nullptr) services_->metrics.logins->Add();
  base::LogInfo("imap_login", {{"account", conversation_.address},
                               {"client", connection_->peer().ip},
                               {"tls", connection_->is_tls() ? connection_->tls().version : "none"}});
  co_return Reply{.condition = Condition::kOk, .code = "CAPABILITY " + Capabilities(), .text = "logged in"};
}

// A store or directory that fails is no wrong password: the client must not throw its password away.
Reply Session::RefuseLogin(const std::string& address, const base::Error& error) {
  const bool wrong = error.code() == base::Errc::kDenied || error.code() == base::Errc::kNotFound;
  base::LogInfo(
      "imap_login_failed",
      {{"account", address}, {"client", connection_->peer().ip}, {"reason", wrong ? "wrong" : error.message()}});
  if (!wrong) return No(kCodeUnavailable, "logging in is not possible at the moment; try again later");
  if (services_->metrics.login_failures != nullptr) services_->metrics.login_failures->Add();
  if (++login_failures_ >= settings_->login_failures_max) SayBye("too many wrong passwords");
  return No(kCodeAuthenticationFailed, "the address or the password is wrong");
}

}  // namespace imap
