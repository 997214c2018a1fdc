// How a next hop is spoken to.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "net/tls_context.h"

namespace smtp {

enum class ClientProtocol : std::uint8_t { kSmtp, kLmtp };

// When a next hop is spoken to over TLS.
enum class ClientTls : std::uint8_t {
  kNever,
  kOpportunistic,  // RFC 7435: where it is offered, unverified; a failed handshake is followed by a try without.
  kRequired,       // Or the mail waits. The TLS context decides what of the certificate is verified.
  kImplicit,       // From the first byte (RFC 8314).
};

struct ClientSettings {
  ClientProtocol protocol = ClientProtocol::kSmtp;
  std::string hostname = "localhost";  // Ours, for EHLO or LHLO.
  ClientTls tls = ClientTls::kOpportunistic;
  // Needed unless kNever. Owners: these settings and those they were copied from, so that a reload can replace them.
  std::shared_ptr<net::TlsContext> tls_context;
  std::string username;  // Empty: no AUTH. Never sent without TLS but over loopback.
  std::string password;
  // RFC 5321 §4.5.3.2.
  std::chrono::seconds greeting_timeout{300};
  std::chrono::seconds command_timeout{300};     // MAIL, RCPT and all others.
  std::chrono::seconds data_begin_timeout{120};  // For 354.
  std::chrono::seconds data_block_timeout{180};  // For each write of the mail's bytes.
  std::chrono::seconds data_end_timeout{600};    // For the answer to the last byte.
  std::chrono::seconds tls_timeout{60};          // For a handshake.
  std::chrono::seconds quit_timeout{5};          // For the answer to QUIT, which nothing depends on.
};

}  // namespace smtp
