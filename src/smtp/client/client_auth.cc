// ClientSession: AUTH (RFC 4954), for smarthosts. PLAIN (RFC 4616) where it is offered, else LOGIN.
#include <fmt/format.h>

#include "base/base64.h"
#include "smtp/client/client_session.h"
#include "smtp/client/wire.h"

namespace smtp {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kCredentialBytesMax = 4096;  // RFC 4954 §4 bounds the line at 12,288.

std::string PlainResponse(const std::string& username, const std::string& password) {
  std::string response(1, '\0');
  response += username;
  response += '\0';
  response += password;
  return base::EncodeBase64(response);
}

Result<> CheckCredentials(const ClientSettings& settings) {
  for (const std::string& text : {settings.username, settings.password}) {
    if (text.size() > kCredentialBytesMax || text.find('\0') != std::string::npos) {
      return Error(Errc::kInvalid, "the user name or the password for the next hop is too long or holds a NUL byte");
    }
  }
  return {};
}

Result<> Verdict(Result<ServerReply> reply) {
  if (!reply.has_value()) return std::move(reply).error().In("AUTH");
  if (!reply->is_positive()) return ReplyError("AUTH", *reply);
  return {};
}

}  // namespace

Task<Result<>> ClientSession::Authenticate() {
  const net::Connection& connection = wire_->connection();
  if (!connection.is_tls() && !connection.peer().is_loopback) {
    co_return Error(Errc::kDenied, "the password is not sent without TLS: require TLS for this next hop");
  }
  CO_RETURN_IF_ERROR(CheckCredentials(*settings_));
  if (capabilities_.auth_plain) {
    const std::string response = PlainResponse(settings_->username, settings_->password);
    co_return Verdict(co_await wire_->Ask(fmt::format("AUTH PLAIN {}\r\n", response), settings_->command_timeout));
  }
  if (capabilities_.auth_login) co_return co_await AuthenticateByLogin();
  co_return Error(Errc::kDenied, "the server offers neither AUTH PLAIN nor AUTH LOGIN, and a user name is set for it");
}

// draft-murchison-sasl-login: name and password each on its own line, whatever the server calls them.
Task<Result<>> ClientSession::AuthenticateByLogin() {
  auto reply = co_await wire_->Ask("AUTH LOGIN\r\n", settings_->command_timeout);
  for (const std::string* text : {&settings_->username, &settings_->password}) {
    if (!reply.has_value()) co_return std::move(reply).error().In("AUTH");
    if (!reply->is_intermediate()) co_return ReplyError("AUTH", *reply);
    reply = co_await wire_->Ask(base::EncodeBase64(*text) + "\r\n", settings_->command_timeout);
  }
  co_return Verdict(std::move(reply));
}

}  // namespace smtp
