// ClientSession: one SMTP or LMTP connection to a next hop, from its greeting to QUIT (RFC 5321, RFC 2033). Mail after
// mail goes over it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mail/envelope.h"
#include "net/connection.h"
#include "smtp/client/client_settings.h"
#include "smtp/client/outgoing_mail.h"
#include "smtp/proto/capabilities.h"
#include "smtp/proto/reply_parser.h"

namespace smtp {

class Wire;

// Thread: the connection's shard. Owns the connection; borrows settings. Nothing runs between the calls; a cancelled
// call leaves it unusable. Fault model of the other side: hostile. It may stall (each phase has a time-out), cut, lie
// about its extensions and answer anything of any length (bounded). Memory: a few KiB while idle; while a mail is sent,
// two pieces of it of 64 KiB.
class ClientSession {
 public:
  // Greeting, EHLO (HELO where that is refused), STARTTLS, AUTH. Errors: kTimeout, kClosed, kIo (TLS), kBusy (4xx or
  // 421), kDenied (5xx greeting, AUTH refused, TLS required and not offered), kInvalid (no SMTP); each with the
  // remote's words. With kOpportunistic a failed handshake is kIo: the caller connects anew with kNever.
  static async::Task<base::Result<std::unique_ptr<ClientSession>>> Open(std::unique_ptr<net::Connection> connection,
                                                                        const ClientSettings* settings);
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // Offers the mail for these recipients (indexes into the envelope) and adds one fate for each to `fates` as soon as
  // it is known; what stands there when the task is cancelled did happen. A connection that is lost after the last byte
  // leaves the mail kTryAgain: the next hop may have it (RFC 1047).
  // A remote that closed the connection between two mails gives code 0 to all: then offer the mail on a new one at
  // once. Recipients beyond the remote's limit (452) are kTryAgain: offer them in a second mail on the same connection.
  // `envelope`, `bytes` and `fates` outlive the task.
  async::Task<void> Send(const mail::Envelope* envelope, std::vector<std::uint32_t> recipients, MailBytes* bytes,
                         std::vector<RecipientFate>* fates);
  // Asks whether the remote takes mail for this address (not empty, fit for a path), and sends none: MAIL FROM:<> and
  // RCPT. What follows on the connection begins with RSET. The fate's recipient is 0. kRefused: by RCPT, and by nothing
  // else. A connection that was closed meanwhile gives code 0, as in Send().
  async::Task<RecipientFate> Probe(std::string recipient);
  // Another mail may follow: the last one ended in order and the remote did not say goodbye.
  bool is_usable() const;
  // The last Send() failed because the remote had closed the connection between two mails (or said 421 to the first
  // word of it): all are kTryAgain, and a new connection may take the mail at once.
  bool had_gone_stale() const { return had_gone_stale_; }
  // Says QUIT where that still makes sense, and ends the connection. After it only destruction.
  async::Task<void> Quit();

  // For log lines and reports: who it is (the name it greets with, unverified, empty when it gave none) and how.
  const std::string& server_name() const;
  const net::TlsFacts& tls() const;
  const net::PeerAddress& peer() const;

 private:
  ClientSession(std::unique_ptr<Wire> wire, const ClientSettings* settings);

  // ---- client_session.cc: the opening ----
  async::Task<base::Result<>> Begin();
  async::Task<base::Result<>> AwaitGreeting();
  async::Task<base::Result<>> SayHello();
  async::Task<base::Result<>> SecureByCommand();

  // ---- client_probe.cc ----
  async::Task<base::Result<ServerReply>> AskForRecipient(std::string recipient);

  // ---- client_auth.cc ----
  async::Task<base::Result<>> Authenticate();
  async::Task<base::Result<>> AuthenticateByLogin();

  std::unique_ptr<Wire> wire_;
  const ClientSettings* settings_;
  std::string server_name_;
  Capabilities capabilities_;
  bool has_sent_ = false;  // A mail was offered before.
  bool had_gone_stale_ = false;
  bool sending_ = false;      // Still set when the task of Send() was cancelled.
  bool needs_reset_ = false;  // The last mail may have left something behind: RSET goes before the next.
};

}  // namespace smtp
