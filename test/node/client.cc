#include "node/client.h"

#include <charconv>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "node/node_rig.h"

namespace node {
namespace {

constexpr std::string_view kTag = "t";

// The number after `word`; 0 when it is not there.
std::uint32_t NumberAfter(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return 0;
  std::uint32_t number = 0;
  std::from_chars(text.data() + at + word.size(), text.data() + text.size(), number);
  return number;
}

// The size of the literal that a line announces at its end.
std::optional<std::size_t> LiteralSize(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::size_t size = 0;
  std::from_chars(line.data() + open + 1, line.data() + line.size() - 1, size);
  return size;
}

std::set<std::string> FlagsIn(std::string_view list) {
  std::set<std::string> flags;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (list.substr(0, end) != "\\Recent") flags.emplace(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return flags;
}

}  // namespace

Client::Client(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  CHECK(descriptor_ >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  failed_ = ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Client::~Client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Client::Client(Client&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), input_(std::move(other.input_)), failed_(other.failed_) {}

void Client::Send(std::string_view bytes) {
  while (!failed_ && !bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      failed_ = true;
    } else {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
}

bool Client::Fill() {
  if (failed_) return false;
  pollfd wait{.fd = descriptor_, .events = POLLIN, .revents = 0};
  char buffer[16384];
  const bool ready = ::poll(&wait, 1, static_cast<int>(kPatience.count())) == 1;
  const ssize_t got = ready ? ::recv(descriptor_, buffer, sizeof buffer, 0) : -1;
  if (got <= 0) {
    failed_ = true;
    return false;
  }
  input_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> Client::ReadLine() {
  std::size_t end = input_.find("\r\n");
  while (end == std::string::npos) {
    if (!Fill()) return std::nullopt;
    end = input_.find("\r\n");
  }
  std::string line = input_.substr(0, end);
  input_.erase(0, end + 2);
  return line;
}

std::optional<std::string> Client::ReadBytes(std::size_t size) {
  while (input_.size() < size) {
    if (!Fill()) return std::nullopt;
  }
  std::string bytes = input_.substr(0, size);
  input_.erase(0, size);
  return bytes;
}

std::string Client::ReadToEnd() {
  while (Fill()) {
  }
  return std::exchange(input_, {});
}

// ---- SMTP ----

std::string ReadSmtpReply(Client* client) {
  for (;;) {
    auto line = client->ReadLine();
    if (!line.has_value()) return {};
    if (line->size() < 4 || (*line)[3] != '-') return *std::move(line);
  }
}

std::string AskSmtp(Client* client, std::string_view line) {
  client->Send(fmt::format("{}\r\n", line));
  return ReadSmtpReply(client);
}

bool BeginSmtp(Client* client) {
  if (!ReadSmtpReply(client).starts_with("220")) return false;
  return AskSmtp(client, "EHLO client.example.org").starts_with("250");
}

std::string BeginMail(Client* client, const std::vector<std::string>& recipients, std::string_view sender) {
  std::string reply = AskSmtp(client, fmt::format("MAIL FROM:<{}>", sender));
  if (!reply.starts_with("250")) return "MAIL: " + reply;
  for (const std::string& recipient : recipients) {
    reply = AskSmtp(client, fmt::format("RCPT TO:<{}>", recipient));
    if (!reply.starts_with("250")) return "RCPT: " + reply;
  }
  reply = AskSmtp(client, "DATA");
  return reply.starts_with("354") ? std::string() : "DATA: " + reply;
}

std::string Stuffed(std::string_view text) {
  std::string out;
  for (bool at_line_start = true; const char c : text) {
    if (at_line_start && c == '.') out += '.';
    out += c;
    at_line_start = c == '\n';
  }
  return out + ".\r\n";
}

std::string SendMail(Client* client, const std::vector<std::string>& recipients, std::string_view text,
                     std::string_view sender) {
  std::string refused = BeginMail(client, recipients, sender);
  if (!refused.empty()) return refused;
  client->Send(Stuffed(text));
  return ReadSmtpReply(client);
}

// ---- IMAP ----

ImapAnswer ReadImapAnswer(Client* client, std::string_view tag) {
  ImapAnswer answer;
  for (;;) {
    auto line = client->ReadLine();
    if (!line.has_value()) return {};
    while (const auto size = LiteralSize(*line)) {
      const auto literal = client->ReadBytes(*size);
      const auto rest = client->ReadLine();
      if (!literal.has_value() || !rest.has_value()) return {};
      *line += "\r\n" + *literal + *rest;
    }
    if (line->starts_with(tag) && line->size() > tag.size() && (*line)[tag.size()] == ' ') {
      answer.status = line->substr(tag.size() + 1);
      return answer;
    }
    answer.untagged.push_back(*std::move(line));
  }
}

ImapAnswer AskImap(Client* client, std::string_view command) {
  client->Send(fmt::format("{} {}\r\n", kTag, command));
  return ReadImapAnswer(client, kTag);
}

std::string AppendCommand(std::string_view mailbox, const std::set<std::string>& flags, std::string_view text) {
  return fmt::format("APPEND {} ({}) {{{}+}}\r\n{}", mailbox, fmt::join(flags, " "), text.size(), text);
}

bool BeginImap(Client* client, std::string_view address) {
  const auto greeting = client->ReadLine();
  if (!greeting.has_value() || !greeting->starts_with("* OK")) return false;
  return AskImap(client, fmt::format("LOGIN {} {}", address, kPassword)).ok();
}

std::optional<FetchedBox> FetchBox(Client* client, std::string_view mailbox) {
  const ImapAnswer status = AskImap(client, fmt::format("STATUS {} (UIDNEXT UIDVALIDITY)", mailbox));
  if (!status.ok() || status.untagged.size() != 1) return std::nullopt;
  FetchedBox box;
  box.uid_next = NumberAfter(status.untagged[0], "UIDNEXT ");
  box.uid_validity = NumberAfter(status.untagged[0], "UIDVALIDITY ");
  if (!AskImap(client, fmt::format("EXAMINE {}", mailbox)).ok()) return std::nullopt;
  const ImapAnswer fetched = AskImap(client, "UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
  if (!fetched.ok()) return std::nullopt;
  for (const std::string& line : fetched.untagged) {
    const std::string_view head = std::string_view(line).substr(0, line.find("\r\n"));
    const auto size = LiteralSize(head);
    const std::size_t flags = head.find("FLAGS (");
    if (!size.has_value() || flags == std::string_view::npos) continue;
    FetchedMail& mail = box.mails[NumberAfter(head, "UID ")];
    mail.flags = FlagsIn(head.substr(flags + 7, head.find(')', flags) - flags - 7));
    mail.text = line.substr(head.size() + 2, *size);
  }
  return box;
}

// ---- POP3 ----

std::string AskPop3(Client* client, std::string_view line) {
  client->Send(fmt::format("{}\r\n", line));
  return client->ReadLine().value_or("");
}

bool BeginPop3(Client* client, std::string_view address) {
  const auto greeting = client->ReadLine();
  if (!greeting.has_value() || !greeting->starts_with("+OK")) return false;
  if (!AskPop3(client, fmt::format("USER {}", address)).starts_with("+OK")) return false;
  return AskPop3(client, fmt::format("PASS {}", kPassword)).starts_with("+OK");
}

// ---- HTTP ----

std::string HttpGet(std::uint16_t port, std::string_view target) {
  Client client(port);
  client.Send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target));
  return client.ReadToEnd();
}

std::optional<double> ReadMetric(std::uint16_t port, std::string_view name) {
  const std::string page = HttpGet(port, "/metrics");
  const std::string line = fmt::format("\n{} ", name);
  const std::size_t at = page.find(line);
  if (at == std::string::npos) return std::nullopt;
  return std::strtod(page.c_str() + at + line.size(), nullptr);
}

}  // namespace node
