// STARTTLS, AUTHENTICATE and LOGIN (RFC 3501 §6.2).
#include <utility>

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
  if (authenticate.mechanism != "PLAIN") co_return No("", "of the SASL mechanisms only PLAIN is offered");
  if (!may_log_in()) co_return No(kCodePrivacyRequired, "start TLS first");
  if (!authenticate.initial.has_value()) {
    auto answer = co_await AskForAnswer();
    if (!answer.has_value()) co_return answer.error();
    authenticate.initial = *std::move(answer);
  }
  const auto message = base::DecodeBase64(*authenticate.initial);
  if (!message.has_value()) co_return Bad("the answer is no base64");
  auto credentials = auth::ParsePlain(*message);
  if (!credentials.has_value()) co_return Bad(credentials.error().message());
  co_return co_await LogIn(std::move(credentials->address), std::move(credentials->password));
}

async::Task<std::expected<std::string, Reply>> Session::AskForAnswer() {
  conversation_.out.Add(ContinuationLine(""));
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
  co_return std::move(line->text);
}

async::Task<Reply> Session::Do(Login login) {
  if (!may_log_in()) co_return No(kCodePrivacyRequired, "start TLS first");
  co_return co_await LogIn(std::move(login.user), std::move(login.password));
}

async::Task<Reply> Session::LogIn(std::string address, std::string password) {
  auto verified = co_await services_->authenticator->Verify(address, std::move(password), connection_->peer().ip);
  if (!verified.has_value()) co_return RefuseLogin(address, verified.error());
  const auto account = co_await services_->store->FindAccount(*verified);
  if (!account.has_value()) co_return RefuseLogin(address, account.error());
  if (!account->has_special_mailboxes) {
    // An account from before there were any. While nothing can be written it logs in all the same, without them.
    const auto made = co_await services_->store->MakeSpecialMailboxes(account->id);
    if (!made.has_value())
      base::LogInfo("special_mailboxes_not_made", {{"account", account->address}, {"reason", made.error().message()}});
  }
  conversation_.address = *std::move(verified);
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
