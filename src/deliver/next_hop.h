// NextHop: what a destination of the queue means: mailboxes of this node, the hosts of a domain, or a given server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace deliver {

// A value. As text, which is what the queue groups and limits by:
//   example.org              mailboxes here of that domain
//   mx:example.org           the hosts that the DNS names for the domain
//   smtp:HOST:PORT           that server; HOST is a name, 192.0.2.1 or [2001:db8::1]; no port: 25
//   lmtp:HOST:PORT           as that, over LMTP (RFC 2033); no port: 24
//   lmtp:/path               LMTP over a Unix socket
struct NextHop {
  enum class Kind : std::uint8_t { kLocal, kMx, kSmtp, kLmtp };

  Kind kind = Kind::kLocal;
  std::string host{};      // kLocal, kMx: the domain. Else the server, an address without brackets; or the socket.
  std::uint16_t port = 0;  // Of kSmtp and kLmtp; 0 with a socket.

  // Errors: kInvalid, with a sentence for the operator who wrote it.
  static base::Result<NextHop> Parse(std::string_view text);
  // Parse reads it back.
  std::string ToString() const;

  bool is_socket() const { return kind == Kind::kLmtp && host.starts_with('/'); }
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

// What NextHop::Parse would make something else of than kLocal. No domain is such: none has a colon before its end.
bool IsRemoteDestination(std::string_view destination);

}  // namespace deliver
