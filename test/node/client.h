// Client: a blocking mail client for tests, byte by byte what it is told to send, and the three protocols' manners.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace node {

// How long an answer may take before a test calls it missing.
inline constexpr std::chrono::milliseconds kPatience{20'000};

// Thread: the test's. After an error every call answers nothing.
class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int descriptor() const { return descriptor_; }
  bool failed() const { return failed_; }
  void Send(std::string_view bytes);
  // Without its CRLF; nothing when the connection ended or no line came in time.
  std::optional<std::string> ReadLine();
  std::optional<std::string> ReadBytes(std::size_t size);
  // All that comes until the other side closes.
  std::string ReadToEnd();

 private:
  bool Fill();

  int descriptor_ = -1;
  std::string input_;
  bool failed_ = false;
};

// ---- SMTP ----
// The last line of a reply; empty when there is none.
std::string ReadSmtpReply(Client* client);
std::string AskSmtp(Client* client, std::string_view line);
// Greeting and EHLO. False: not served.
bool BeginSmtp(Client* client);
inline constexpr std::string_view kSender = "sender@example.org";
// MAIL and RCPTs and DATA up to its 354. Empty: all went well; else the reply that was no.
std::string BeginMail(Client* client, const std::vector<std::string>& recipients, std::string_view sender = kSender);
// A mail as DATA wants it: dots stuffed, with the line of one dot at the end.
std::string Stuffed(std::string_view text);
// The reply to all of it: "250 ..." when the mail was taken.
std::string SendMail(Client* client, const std::vector<std::string>& recipients, std::string_view text,
                     std::string_view sender = kSender);

// ---- IMAP ----
struct ImapAnswer {
  std::string status;                 // "OK [...] ...", "NO ...", "BAD ..."; empty when the connection ended.
  std::vector<std::string> untagged;  // Literals within.
  bool ok() const { return status.starts_with("OK"); }
};
ImapAnswer ReadImapAnswer(Client* client, std::string_view tag);
ImapAnswer AskImap(Client* client, std::string_view command);
// With a non-synchronising literal (LITERAL+).
std::string AppendCommand(std::string_view mailbox, const std::set<std::string>& flags, std::string_view text);
// Greeting and LOGIN.
bool BeginImap(Client* client, std::string_view address);

struct FetchedMail {
  std::string text;
  std::set<std::string> flags;  // Without \Recent.
  friend bool operator==(const FetchedMail&, const FetchedMail&) = default;
};
struct FetchedBox {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;
  std::map<std::uint32_t, FetchedMail> mails;  // By UID.
};
// Everything of a mailbox; nothing when the node does not tell.
std::optional<FetchedBox> FetchBox(Client* client, std::string_view mailbox);

// ---- POP3 ----
std::string AskPop3(Client* client, std::string_view line);
// Greeting, USER and PASS.
bool BeginPop3(Client* client, std::string_view address);

// ---- HTTP ----
// The whole answer, its status line first.
std::string HttpGet(std::uint16_t port, std::string_view target);
// The value of a metric by its name with labels, as on the page; nothing when it is not there.
std::optional<double> ReadMetric(std::uint16_t port, std::string_view name);

}  // namespace node
