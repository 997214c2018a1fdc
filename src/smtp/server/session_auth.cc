// STARTTLS (RFC 3207) and AUTH (RFC 4954).
#include "base/base64.h"
#include "base/log.h"
#include "smtp/server/session.h"

namespace smtp {

async::Task<bool> Session::UpgradeToTls() {
  Reply(220, "2.0.0 Ready to start TLS");
  const auto flushed = co_await Flush();
  if (!flushed) co_return false;
  // RFC 3207 §4.2: nothing said in plaintext counts, and nothing that was sent behind STARTTLS may be read as if it had
  // come through TLS (CVE-2011-0411).
  input_.Clear();
  connection_->SetDeadline(settings_->command_timeout);
  const auto upgraded = co_await connection_->StartTls(services_->tls);
  if (!upgraded) {
    base::LogInfo("tls_failed", {{"client", connection_->peer().ip}, {"reason", upgraded.error().message()}});
    connection_->Close();
    co_return false;
  }
  ResetTransaction();
  helo_.clear();
  extended_ = false;
  account_.clear();
  co_return true;
}

async::Task<base::Result<>> Session::Authenticate() {
  if (auth_.mechanism == "PLAIN") {
    co_return co_await AuthenticatePlain();
  }
  co_return co_await AuthenticateLogin();
}

// Sends a challenge and returns the client's decoded answer; nothing when it cancelled or sent no base64: the reply is
// said then.
async::Task<base::Result<std::optional<std::string>>> Session::AskClient(std::string challenge) {
  Reply(334, base::EncodeBase64(challenge));
  CO_RETURN_IF_ERROR(co_await Flush());
  for (;;) {
    if (const auto line = input_.TakeLine(kCommandBytesMax)) {
      if (line->is_too_long) {
        Reply(500, "5.5.6 The authentication exchange line is too long");
        co_return std::nullopt;
      }
      if (line->text == "*") {
        Reply(501, "5.7.0 Authentication cancelled");
        co_return std::nullopt;
      }
      auto decoded = base::DecodeBase64(line->text);
      if (decoded) co_return std::optional<std::string>(*std::move(decoded));
      Reply(501, "5.5.2 That was no base64");
      co_return std::nullopt;
    }
    CO_RETURN_IF_ERROR(co_await Fill(settings_->command_timeout));
  }
}

async::Task<base::Result<>> Session::AuthenticatePlain() {
  std::optional<std::string> message;
  if (auth_.has_initial) {
    auto decoded = base::DecodeBase64(auth_.initial == "=" ? "" : auth_.initial);
    if (!decoded) {
      Reply(501, "5.5.2 That was no base64");
      co_return base::Result<>();
    }
    message = *std::move(decoded);
  } else {
    ASSIGN_OR_CO_RETURN(message, co_await AskClient(""));
    if (!message) co_return base::Result<>();
  }
  auto credentials = auth::ParsePlain(*message);
  if (!credentials) {
    Reply(501, "5.5.2 " + credentials.error().message());
    co_return base::Result<>();
  }
  co_await Verify(std::move(credentials->address), std::move(credentials->password));
  co_return base::Result<>();
}

// The LOGIN mechanism has no RFC; clients expect these two words.
async::Task<base::Result<>> Session::AuthenticateLogin() {
  std::optional<std::string> address;
  if (auth_.has_initial) {
    auto decoded = base::DecodeBase64(auth_.initial == "=" ? "" : auth_.initial);
    if (decoded) address = *std::move(decoded);
  } else {
    ASSIGN_OR_CO_RETURN(address, co_await AskClient("Username:"));
    if (!address) co_return base::Result<>();
  }
  if (!address) {
    Reply(501, "5.5.2 That was no base64");
    co_return base::Result<>();
  }
  ASSIGN_OR_CO_RETURN(std::optional<std::string> password, co_await AskClient("Password:"));
  if (!password) co_return base::Result<>();
  co_await Verify(*std::move(address), *std::move(password));
  co_return base::Result<>();
}

async::Task<void> Session::Verify(std::string address, std::string password) {
  const std::string name = address;
  const auto verified =
      co_await services_->authenticator->Verify(std::move(address), std::move(password), connection_->peer().ip);
  if (verified) {
    account_ = *verified;
    base::LogInfo("login", {{"protocol", "smtp"}, {"account", account_}, {"client", connection_->peer().ip}});
    Reply(235, "2.7.0 Authentication successful");
    co_return;
  }
  base::LogWarning("login_failed", {{"protocol", "smtp"},
                                    {"account", name},
                                    {"client", connection_->peer().ip},
                                    {"reason", verified.error().message()}});
  if (verified.error().code() == base::Errc::kDenied || verified.error().code() == base::Errc::kInvalid) {
    bad_commands_ += 1;
    Reply(535, "5.7.8 The name or the password is wrong");
  } else {
    Reply(454, "4.7.0 Temporary authentication failure, try again later");
  }
}

}  // namespace smtp
