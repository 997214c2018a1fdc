// ClientSession: one SMTP or LMTP connection to a next hop, from its greeting to QUIT (RFC 5321, RFC 2033). Mail after
// mail goes over it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mail/envelope.h"
#include "net/connection.h"

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
  net::TlsContext* tls_context = nullptr;  // Needed unless kNever; borrowed.
  std::string username;                    // Empty: no AUTH. Never sent without TLS but over loopback.
  std::string password;
  // RFC 5321 §4.5.3.2.
  std::chrono::seconds greeting_timeout{300};
  std::chrono::seconds command_timeout{300};     // MAIL, RCPT and all others.
  std::chrono::seconds data_begin_timeout{120};  // For 354.
  std::chrono::seconds data_block_timeout{180};  // For each write of the mail's bytes.
  std::chrono::seconds data_end_timeout{600};    // For the answer to the last byte.
};

// Whether to try again follows from the first digit alone (RFC 5321 §4.2.1).
enum class Fate : std::uint8_t { kAccepted, kTryAgain, kRefused };

// What became of one recipient.
struct RecipientFate {
  std::uint32_t recipient = 0;  // Index into the envelope.
  Fate fate = Fate::kTryAgain;
  int code = 0;        // The reply's; 0: the connection failed or we could not send it.
  std::string status;  // RFC 3463, "5.1.1"; ours where the remote gave none.
  std::string answer;  // The remote's words or ours, one line, without control characters.
};

// The bytes of a mail, asked for in order; may be asked again from the beginning.
class MailBytes {
 public:
  virtual ~MailBytes() = default;
  virtual std::uint64_t size_bytes() const = 0;
  // [offset, offset + size) cut at the end. Errors: kIo, kCorrupt.
  virtual async::Task<base::Result<std::string>> Read(std::uint64_t offset, std::uint64_t size) = 0;
};

// Thread: the connection's shard. Owns the connection; borrows settings.
// Fault model of the other side: hostile. It may stall (each phase has a time-out), cut, lie about its extensions and
// answer anything of any length (bounded).
class ClientSession {
 public:
  // Greeting, EHLO (HELO where that is refused), STARTTLS, AUTH. Errors: kTimeout, kClosed, kIo (TLS), kBusy (4xx or
  // 421), kDenied (5xx greeting, AUTH refused, TLS required and not offered), kInvalid (no SMTP); each with the
  // remote's words. With kOpportunistic a failed handshake is kIo: the caller connects anew with kNever.
  static async::Task<base::Result<std::unique_ptr<ClientSession>>> Open(std::unique_ptr<net::Connection> connection,
                                                                        const ClientSettings* settings);
  virtual ~ClientSession() = default;

  // Offers the mail for these recipients (indexes into the envelope) and adds one fate for each to `fates` as soon as it
  // is known; what stands there when the task is cancelled did happen. A connection that is lost after the last byte
  // leaves the mail kTryAgain: the next hop may have it (RFC 1047).
  // `envelope`, `bytes` and `fates` outlive the task.
  virtual async::Task<void> Send(const mail::Envelope* envelope, std::vector<std::uint32_t> recipients,
                                 MailBytes* bytes, std::vector<RecipientFate>* fates) = 0;
  // Another mail may follow: the last one ended in order and the remote did not say goodbye.
  virtual bool is_usable() const = 0;
  virtual async::Task<void> Quit() = 0;
};

}  // namespace smtp
