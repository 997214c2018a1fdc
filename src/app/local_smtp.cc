#include "app/local_smtp.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/listeners.h"
#include "mail/ascii.h"
#include "smtp/proto/capabilities.h"
#include "smtp/proto/dot_stuffer.h"

namespace app {
namespace {

constexpr std::size_t kReplyBytesMax = 64u << 10;
constexpr int kWaitSeconds = 300;  // RFC 5321 §4.5.3.2.

NotTaken NoNode(std::string_view why) {
  return {kExTempFail, fmt::format("the node takes no mail now ({}); try again later", why)};
}

// 4xx passes; of what is final, the recipient and what policy forbids have codes of their own.
int ExitCodeOf(int code, std::string_view status, std::string_view doing) {
  if (code < 500) return kExTempFail;
  if (status.starts_with("5.7.")) return kExNoPerm;
  if (doing.starts_with("the recipient")) return kExNoUser;
  return doing.starts_with("the mail") ? kExDataErr : kExUnavailable;
}

// As DATA wants it, with its end.
std::string WithDotsStuffed(std::string_view message) {
  std::string stuffed;
  stuffed.reserve(message.size() + 16);
  smtp::DotStuffer stuffer;
  stuffer.Append(message, stuffed);
  stuffer.Finish(stuffed);
  return stuffed;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Passes on what is there. False: that side has ended.
bool Pass(int from, int to) {
  char buffer[16u << 10];
  const ssize_t size = ::read(from, buffer, sizeof buffer);
  return size > 0 && WriteAll(to, {buffer, static_cast<std::size_t>(size)});
}

}  // namespace

base::Result<net::ListenAddress> LocalSmtpAddress(const NodeConfig& config) {
  if (config.smtp_listen.empty()) {
    return base::Error(base::Errc::kInvalid, "the node listens nowhere for SMTP: set smtp.listen in the configuration");
  }
  std::optional<net::ListenAddress> best;
  int best_rank = 3;
  for (const std::string& text : config.smtp_listen) {
    ASSIGN_OR_RETURN(net::ListenAddress address, ParseListenAddress(text));
    int rank = 2;
    if (address.ip.starts_with("127.") || address.ip == "::1") rank = 0;
    if (address.ip == "0.0.0.0" || address.ip == "::") {
      address.ip = address.ip == "::" ? "::1" : "127.0.0.1";
      rank = 1;
    }
    if (rank < best_rank) best = address;
    best_rank = std::min(rank, best_rank);
  }
  return *best;
}

LocalSmtp::~LocalSmtp() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<NotTaken> LocalSmtp::Connect(const net::ListenAddress& address) {
  sockaddr_storage raw{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(raw);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(raw);
  const bool is_v4 = ::inet_pton(AF_INET, address.ip.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, address.ip.c_str(), &v6.sin6_addr) != 1) {
    return NotTaken{kExConfig, "smtp.listen: \"" + address.ip + "\" is no numeric address"};
  }
  raw.ss_family = is_v4 ? AF_INET : AF_INET6;
  (is_v4 ? v4.sin_port : v6.sin6_port) = htons(address.port);
  const socklen_t size = is_v4 ? sizeof v4 : sizeof v6;
  descriptor_ = ::socket(raw.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval wait{.tv_sec = kWaitSeconds, .tv_usec = 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (descriptor_ < 0 || ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&raw), size) != 0) {
    return NoNode(fmt::format("{}:{}: {}", address.ip, address.port, std::strerror(errno)));
  }
  return std::nullopt;
}

std::optional<NotTaken> LocalSmtp::Submit(const LocalMail& mail, const SendmailOptions& options) {
  if (auto refused = Ask("", 220, "the connection")) return refused;
  if (auto refused = Ask("EHLO localhost\r\n", 250, "the connection")) return refused;
  if (auto refused = SendEnvelope(mail, options)) return refused;
  if (auto refused = Ask("DATA\r\n", 354, "the mail")) return refused;
  if (auto refused = Ask(WithDotsStuffed(mail.message), 250, "the mail")) return refused;
  (void)Send("QUIT\r\n");  // The node has the mail, whatever becomes of the connection.
  return std::nullopt;
}

std::optional<NotTaken> LocalSmtp::SendEnvelope(const LocalMail& mail, const SendmailOptions& options) {
  const bool has_dsn = smtp::ReadCapabilities(last_.lines).dsn;
  bool is_utf8 = !mail::IsAscii(mail.sender);
  for (const std::string& recipient : mail.recipients) is_utf8 = is_utf8 || !mail::IsAscii(recipient);
  std::string from = fmt::format("MAIL FROM:<{}> SIZE={}", mail.sender, mail.message.size());
  if (!mail::IsAscii(mail.message)) from += " BODY=8BITMIME";
  if (is_utf8) from += " SMTPUTF8";
  if (has_dsn && !options.dsn_return.empty()) from += " RET=" + options.dsn_return;
  if (auto refused = Ask(from + "\r\n", 250, "the sender <" + mail.sender + ">")) return refused;
  for (const std::string& recipient : mail.recipients) {
    std::string to = "RCPT TO:<" + recipient + ">";
    if (has_dsn && !options.notify.empty()) to += " NOTIFY=" + options.notify;
    if (auto refused = Ask(to + "\r\n", 250, "the recipient <" + recipient + ">")) return refused;
  }
  return std::nullopt;
}

std::optional<NotTaken> LocalSmtp::Relay(int in, int out) {
  bool in_is_open = true;
  for (;;) {
    pollfd ends[] = {{.fd = descriptor_, .events = POLLIN, .revents = 0},
                     {.fd = in_is_open ? in : -1, .events = POLLIN, .revents = 0}};
    if (::poll(ends, 2, kWaitSeconds * 1000) <= 0) return NoNode("it is silent");
    if (ends[0].revents != 0 && !Pass(descriptor_, out)) return std::nullopt;
    if (ends[1].revents != 0 && !Pass(in, descriptor_)) {
      in_is_open = false;
      ::shutdown(descriptor_, SHUT_WR);
    }
  }
}

std::optional<NotTaken> LocalSmtp::Ask(std::string_view command, int wanted, std::string_view doing) {
  if (!Send(command)) return NoNode(std::strerror(errno));
  auto reply = ReadReply();
  if (!reply) return NoNode("the connection broke");
  last_ = *std::move(reply);
  if (last_.code == wanted) return std::nullopt;
  return NotTaken{ExitCodeOf(last_.code, last_.status, doing),
                  fmt::format("{} was refused: {} {}", doing, last_.code, last_.Text())};
}

bool LocalSmtp::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<smtp::ServerReply> LocalSmtp::ReadReply() {
  smtp::ReplyParser parser;
  for (;;) {
    const auto line = ReadLine();
    if (!line) return std::nullopt;
    const auto state = parser.AddLine(*line);
    if (state == smtp::ReplyParser::State::kMalformed) return std::nullopt;
    if (state == smtp::ReplyParser::State::kDone) return parser.Take();
  }
}

std::optional<std::string> LocalSmtp::ReadLine() {
  for (;;) {
    const std::size_t end = buffered_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffered_.substr(0, end);
      if (line.ends_with('\r')) line.pop_back();
      buffered_.erase(0, end + 1);
      return line;
    }
    char bytes[4096];
    const ssize_t size = ::recv(descriptor_, bytes, sizeof bytes, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || buffered_.size() > kReplyBytesMax) return std::nullopt;
    buffered_.append(bytes, static_cast<std::size_t>(size));
  }
}

}  // namespace app
