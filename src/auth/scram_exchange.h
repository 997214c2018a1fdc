// ScramExchange: the messages of one SCRAM-SHA-256 login, from the server's side (RFC 5802 §5, RFC 7677).
#pragma once

#include <string>
#include <string_view>

#include "auth/scram_keys.h"
#include "base/result.h"

namespace auth {

// A pure state machine of hostile bytes: client-first in, server-first out, client-final in, server-final out. Nothing
// is slow here: the keys were derived when the password was set.
//
// Channel binding (-PLUS) is not offered: a client that asks for it is refused, one that only says that it could
// ("y") is right that we do not (RFC 5802 §6).
//
// Thread: the owner's. A value.
class ScramExchange {
 public:
  static constexpr std::size_t kMessageBytesMax = 4096;

  // `server_nonce`: printable ASCII without a comma, fresh for each exchange.
  // Errors: kInvalid (not a client-first-message, asks for what is not offered, or acts for somebody else).
  static base::Result<ScramExchange> Begin(std::string_view client_first, std::string_view server_nonce);

  // As the client wrote it, without its quoting.
  const std::string& username() const { return username_; }

  // The server-first-message.
  std::string Challenge(const ScramKeys& keys);

  // The server-final-message if the client has shown that it knows the password of these keys.
  // Errors: kInvalid (not a client-final-message of this exchange), kDenied (the proof is wrong).
  base::Result<std::string> Finish(std::string_view client_final, const ScramKeys& keys) const;

 private:
  std::string username_;
  std::string gs2_header_;
  std::string nonce_;  // The client's and ours.
  std::string client_first_bare_;
  std::string server_first_;
};

}  // namespace auth
