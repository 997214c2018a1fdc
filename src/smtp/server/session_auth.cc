// STARTTLS (RFC 3207) and AUTH (RFC 4954).
#include "auth/scram_login.h"
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
  if (auth_.mechanism == "PLAIN") co_return co_await AuthenticatePlain();
  if (auth_.mechanism == "LOGIN") co_return co_await AuthenticateLogin();
  co_return co_await AuthenticateScram();
}

std::string Session::Mechanisms() const {
  return services_->authenticator->OffersScram() ? "SCRAM-SHA-256 PLAIN LOGIN" : "PLAIN LOGIN";
}

bool Session::OffersMechanism(std::string_view mechanism) const {
  if (mechanism == "SCRAM-SHA-256") return services_->authenticator->OffersScram();
  return mechanism == "PLAIN" || mechanism == "LOGIN";
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

// What came with AUTH, or the answer to the first challenge. Nothing: a reply was said.
async::Task<base::Result<std::optional<std::string>>> Session::InitialResponse(std::string challenge) {
  if (!auth_.has_initial) co_return co_await AskClient(std::move(challenge));
  auto decoded = base::DecodeBase64(auth_.initial == "=" ? "" : auth_.initial);
  if (decoded) co_return std::optional<std::string>(*std::move(decoded));
  Reply(501, "5.5.2 That was no base64");
  co_return std::nullopt;
}

async::Task<base::Result<>> Session::AuthenticatePlain() {
  ASSIGN_OR_CO_RETURN(const std::optional<std::string> message, co_await InitialResponse(""));
  if (!message) co_return base::Result<>();
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
  ASSIGN_OR_CO_RETURN(std::optional<std::string> address, co_await InitialResponse("Username:"));
  if (!address) co_return base::Result<>();
  ASSIGN_OR_CO_RETURN(std::optional<std::string> password, co_await AskClient("Password:"));
  if (!password) co_return base::Result<>();
  co_await Verify(*std::move(address), *std::move(password));
  co_return base::Result<>();
}

// RFC 5802. AUTH has no place for data in its 235, so what proves the server to the client is one more challenge, which
// the client answers with nothing (RFC 4954 §4).
async::Task<base::Result<>> Session::AuthenticateScram() {
  auth::ScramLogin login(services_->authenticator, connection_->peer().ip);
  ASSIGN_OR_CO_RETURN(std::optional<std::string> message, co_await InitialResponse(""));
  for (int step = 0; step < auth::ScramLogin::kSteps; ++step) {
    if (!message) co_return base::Result<>();
    auto answer = co_await login.Step(*std::move(message));
    if (!answer) {
      RefuseLogin(login.username(), answer.error());
      co_return base::Result<>();
    }
    ASSIGN_OR_CO_RETURN(message, co_await AskClient(*std::move(answer)));
  }
  if (!message) co_return base::Result<>();
  if (message->empty()) {
    LoggedIn(login.account());
  } else {
    Reply(501, "5.5.2 The exchange was over");
  }
  co_return base::Result<>();
}

async::Task<void> Session::Verify(std::string address, std::string password) {
  const std::string name = address;
  auto verified =
      co_await services_->authenticator->Verify(std::move(address), std::move(password), connection_->peer().ip);
  if (verified) {
    LoggedIn(*std::move(verified));
  } else {
    RefuseLogin(name, verified.error());
  }
}

void Session::LoggedIn(std::string account) {
  account_ = std::move(account);
  base::LogInfo("login", {{"protocol", "smtp"},
                          {"account", account_},
                          {"client", connection_->peer().ip},
                          {"mechanism", auth_.mechanism}});
  Reply(235, "2.7.0 Authentication successful");
}

void Session::RefuseLogin(std::string_view name, const base::Error& error) {
  base::LogWarning(
      "login_failed",
      {{"protocol", "smtp"}, {"account", name}, {"client", connection_->peer().ip}, {"reason", error.message()}});
  if (error.code() == base::Errc::kInvalid && auth_.mechanism == "SCRAM-SHA-256") {
    bad_commands_ += 1;
    Reply(501, "5.5.2 " + error.message());
  } else if (error.code() == base::Errc::kDenied || error.code() == base::Errc::kInvalid) {
    bad_commands_ += 1;
    Reply(535, "5.7.8 The name or the password is wrong");
  } else {
    Reply(454, "4.7.0 Temporary authentication failure, try again later");
  }
}

}  // namespace smtp
