// ScramLogin: a SCRAM-SHA-256 exchange as a session runs it, message by message.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "async/asio.h"
#include "auth/authenticator.h"
#include "auth/scram_exchange.h"
#include "base/result.h"

namespace auth {

// The session asks for the first message if the client did not send it along, and then answers each message with what
// Step() returns, kSteps times. The client's answer to the last one must be empty: only then is it logged in
// (RFC 4422 §5, for protocols that send no data with their success).
//
// Thread: the session's. Borrows the authenticator.
class ScramLogin {
 public:
  static constexpr int kSteps = 2;

  ScramLogin(Authenticator* authenticator, std::string client_ip)
      : authenticator_(authenticator), client_ip_(std::move(client_ip)) {}

  // Takes what the client said, and returns what to say, both without base64. After an error the exchange is over.
  // Errors: kInvalid (malformed), kDenied (wrong), kBusy and kIo (try again later).
  async::Task<base::Result<std::string>> Step(std::string message);

  // What the client called itself; empty before its first message was understood.
  std::string username() const { return exchange_.has_value() ? exchange_->username() : std::string(); }
  // The account's canonical address, once the steps are done.
  const std::string& account() const { return account_; }

 private:
  Authenticator* authenticator_;
  const std::string client_ip_;
  std::optional<ScramExchange> exchange_;
  std::string account_;
};

}  // namespace auth
