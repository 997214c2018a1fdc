// LocalSmtp: how `sendmail` hands a mail to the node of this machine: SMTP over loopback, one mail a connection.
// Blocks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/config.h"
#include "app/local_mail.h"
#include "net/listen_socket.h"
#include "smtp/proto/reply_parser.h"

namespace app {

// Where the node of `config` takes mail from this machine: its SMTP address on loopback, else one that loopback
// reaches, else its first. Errors: kInvalid (it has none).
base::Result<net::ListenAddress> LocalSmtpAddress(const NodeConfig& config);

// Why a mail was not taken.
struct NotTaken {
  int exit_code = 0;  // Of sysexits.h.
  std::string sentence;
};

// One connection. Every wait has a deadline.
class LocalSmtp {
 public:
  LocalSmtp() = default;
  LocalSmtp(const LocalSmtp&) = delete;
  LocalSmtp& operator=(const LocalSmtp&) = delete;
  ~LocalSmtp();

  std::optional<NotTaken> Connect(const net::ListenAddress& address);
  // Hands the mail over: to all its recipients or, when one is refused, to nobody, so that who tries again doubles
  // nothing. Nothing: the node has it.
  std::optional<NotTaken> Submit(const LocalMail& mail, const SendmailOptions& options);
  // Passes bytes between `in` and `out` and the node until it ends the connection (sendmail -bs).
  std::optional<NotTaken> Relay(int in, int out);

 private:
  // Sends one command and reads its answer. Nothing: it was `wanted`.
  std::optional<NotTaken> Ask(std::string_view command, int wanted, std::string_view doing);
  std::optional<NotTaken> SendEnvelope(const LocalMail& mail, const SendmailOptions& options);
  bool Send(std::string_view bytes) const;
  std::optional<smtp::ServerReply> ReadReply();
  std::optional<std::string> ReadLine();

  int descriptor_ = -1;
  std::string buffered_;
  smtp::ServerReply last_;
};

}  // namespace app
