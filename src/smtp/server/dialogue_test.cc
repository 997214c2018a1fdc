// Replays the dialogues of test/dialogues/smtp/*.txt. A line of such a file is one of
//
//   C: text      the client sends the text and CRLF; lines that follow each other are one write
//   C. text      the same without CRLF
//   S: 250 text  the server's next line begins so; "<closed>": the connection has ended
//   Set KEY VALUE  a setting; before the first line of the dialogue
//   StartTls     the client's side of the handshake
//   Wait N       N seconds pass
//   Mails ADDRESS N   so many mails lie in that INBOX
//   Last ADDRESS text   the last of them has these bytes behind our trace; "Trace ADDRESS text": it contains these
//   Queued N     so many mails lie in the queue
//   Envelope text  of the last mail in the queue: "sender > recipient, recipient", each with its NOTIFY and ORCPT if
//   any # remark
//
// \r, \n, \t, \\, \0 and \xHH stand for bytes; \*N{text} for N times the text. A dialogue that has not ended with
// "<closed>" is ended with QUIT, so that a reply too many is seen.
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/testing.h"
#include "smtp/server/testing.h"

namespace smtp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kFolder = "test/dialogues/smtp";

std::vector<std::string> DialogueNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::uint64_t ToNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  CHECK(error == std::errc() && end == text.data() + text.size());
  return number;
}

// Undoes the escapes of a dialogue file.
std::string Unescape(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.front() != '\\') {
      bytes += text.front();
      text.remove_prefix(1);
      continue;
    }
    CHECK(text.size() >= 2);
    const char kind = text[1];
    text.remove_prefix(2);
    if (kind == 'x') {
      bytes += static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16));
      text.remove_prefix(2);
    } else if (kind == '*') {
      const std::size_t open = text.find('{');
      const std::size_t close = text.find('}');
      CHECK(open < close && close != std::string_view::npos);
      const std::string part = Unescape(text.substr(open + 1, close - open - 1));
      for (std::uint64_t i = ToNumber(text.substr(0, open)); i > 0; --i) bytes += part;
      text.remove_prefix(close + 1);
    } else {
      bytes += kind == 'r' ? '\r' : kind == 'n' ? '\n' : kind == 't' ? '\t' : kind == '0' ? '\0' : kind;
    }
  }
  return bytes;
}

// "word rest"
std::pair<std::string_view, std::string_view> SplitWord(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return {text, {}};
  return {text.substr(0, space), text.substr(space + 1)};
}

// Adds a line to a table of addresses, which is a file of the test's folder.
void AddTableLine(const char* name, std::string_view line, std::vector<std::string>* files) {
  static const routing::TableFolder folder;
  static int tables = 0;
  if (files->empty()) files->push_back(folder.Write(fmt::format("{}{}", name, ++tables), ""));
  std::ofstream(files->front(), std::ios::app) << line << '\n';
}

// "ADDRESS words".
void AddAnswer(RecipientAnswer::Verdict verdict, std::string_view text, TestBedOptions* options) {
  const auto [address, words] = SplitWord(text);
  options->recipient_answers[std::string(address)] = {.verdict = verdict, .words = std::string(words)};
}

void Set(std::string_view key, std::string_view value, TestBedOptions* options) {
  Settings& settings = options->settings;
  routing::Sources& addresses = options->addresses;
  const std::map<std::string_view, std::function<void()>> keys = {
      {"tls", [&] { options->tls = true; }},
      {"scram_keys", [&] { options->scram_keys = true; }},
      {"submission", [&] { settings.submission = true; }},
      {"plaintext_auth_on_loopback", [&] { settings.plaintext_auth_on_loopback = true; }},
      {"client", [&] { options->connection.client = {std::string(value), 4711, value.starts_with("127.")}; }},
      {"normalize", [&] { settings.line_ends = LineEnds::kNormalize; }},
      {"normalize_client", [&] { settings.normalize_clients.emplace(value); }},
      {"message_bytes_max", [&] { settings.message_bytes_max = ToNumber(value); }},
      {"recipients_max", [&] { settings.recipients_max = static_cast<std::uint32_t>(ToNumber(value)); }},
      {"bad_commands_max", [&] { settings.bad_commands_max = static_cast<std::uint32_t>(ToNumber(value)); }},
      {"hops_max", [&] { settings.hops_max = static_cast<std::uint32_t>(ToNumber(value)); }},
      {"postmaster", [&] { addresses.postmaster = value; }},
      {"alias", [&] { AddTableLine("aliases", value, &addresses.alias_files); }},
      {"virtual", [&] { AddTableLine("virtual", value, &addresses.virtual_files); }},
      {"sender_login", [&] { AddTableLine("senders", value, &addresses.sender_login_files); }},
      {"relay_recipient", [&] { AddTableLine("recipients", value, &addresses.relay_recipient_files); }},
      {"relay_domain", [&] { addresses.relay_domains.emplace_back(value); }},
      {"next_hop_refuses", [&] { AddAnswer(RecipientAnswer::Verdict::kRefused, value, options); }},
      {"next_hop_is_down", [&] { AddAnswer(RecipientAnswer::Verdict::kNotKnown, value, options); }},
      {"takes_unchecked", [&] { settings.takes_unchecked = true; }},
      {"domain_alias", [&] { addresses.domain_aliases.emplace_back(value); }},
      {"trusted_network", [&] { addresses.trusted_networks.emplace_back(value); }},
      {"address_recipients_max",
       [&] { addresses.limits.recipients_max = static_cast<std::uint32_t>(ToNumber(value)); }},
      {"check_from", [&] { settings.check_from = true; }},
      {"no_check_sender", [&] { settings.check_sender = false; }},
      {"mails_per_hour", [&] { settings.submission_rates.mails_per_hour = ToNumber(value); }},
      {"recipients_per_hour", [&] { settings.submission_rates.recipients_per_hour = ToNumber(value); }},
      {"auto_create", [&] { settings.auto_create_domains.emplace(value); }},
      {"path", [&] { settings.path = value == "queue" ? Path::kQueue : Path::kAuto; }},
      {"piece_bytes", [&] { options->connection.piece_bytes_max = ToNumber(value); }},
  };
  ASSERT_TRUE(keys.contains(key)) << "there is no setting " << key;
  keys.at(key)();
}

// "sender > a@b.test, c@d.test notify=2 orcpt=rfc822;x@y.test".
std::string DescribeEnvelope(const mail::Envelope& envelope) {
  std::string text = envelope.sender + " > ";
  for (const mail::Recipient& recipient : envelope.recipients) {
    if (!text.ends_with("> ")) text += ", ";
    text += recipient.address;
    if (recipient.notify != 0) text += fmt::format(" notify={}", recipient.notify);
    if (!recipient.original.empty()) text += " orcpt=" + recipient.original;
  }
  return text;
}

// One replay of one file.
class Replay {
 public:
  explicit Replay(const std::string& path) : file_(path) {}

  void Run() {
    std::string line;
    while (std::getline(file_, line)) {
      number_ += 1;
      if (line.empty() || line.starts_with('#')) continue;
      SCOPED_TRACE(fmt::format("line {}: {}", number_, line));
      Step(line);
      if (::testing::Test::HasFatalFailure()) return;
    }
    Finish();
  }

 private:
  void Step(std::string_view line) {
    const auto [word, rest] = SplitWord(line);
    if (word == "Set") {
      ASSERT_EQ(client_, nullptr) << "settings come first";
      const auto [key, value] = SplitWord(rest);
      return Set(key, value, &options_);
    }
    if (client_ == nullptr) Connect();
    if (word == "C:") {
      to_send_ += Unescape(rest) + "\r\n";
      return;
    }
    if (word == "C.") {
      to_send_ += Unescape(rest);
      return;
    }
    client_->Send(std::exchange(to_send_, {}));
    if (word == "S:") {
      Expect(Unescape(rest));
    } else {
      Do(word, rest);
    }
  }
  void Connect() {
    bed_.emplace(options_);
    client_ = &bed_->ConnectRaw();
  }
  void Expect(const std::string& text) {
    const std::string line = client_->ReadLine();
    ASSERT_THAT(line, StartsWith(text));
    closed_ = line == kClosed;
  }
  void Do(std::string_view word, std::string_view rest) {
    const auto [address, text] = SplitWord(rest);
    if (word == "StartTls") {
      ASSERT_TRUE(bed_->node().Run(client_->connection().StartTls(nullptr)).has_value());
    } else if (word == "Wait") {
      bed_->Advance(std::chrono::seconds(ToNumber(rest)));
    } else if (word == "Mails") {
      EXPECT_EQ(bed_->Mails(address).size(), ToNumber(text));
    } else if (word == "Last") {
      const auto mails = bed_->Mails(address);
      ASSERT_FALSE(mails.empty());
      EXPECT_EQ(TestBed::OwnBytes(mails.back()), Unescape(text));
    } else if (word == "Trace") {
      const auto mails = bed_->Mails(address);
      ASSERT_FALSE(mails.empty());
      EXPECT_THAT(mails.back(), HasSubstr(Unescape(text)));
    } else if (word == "Envelope") {
      const auto queued = bed_->Queued();
      ASSERT_FALSE(queued.empty());
      EXPECT_EQ(DescribeEnvelope(queued.back().envelope), rest);
    } else if (word == "Queued") {
      EXPECT_EQ(bed_->Queued().size(), ToNumber(rest));
    } else {
      FAIL() << "what is " << word << "?";
    }
  }
  void Finish() {
    ASSERT_NE(client_, nullptr) << "the dialogue is empty";
    if (closed_) return;
    client_->Send(std::exchange(to_send_, {}));
    EXPECT_EQ(client_->Ask("QUIT"), "221 2.0.0 Bye") << "a reply too many";
    EXPECT_EQ(client_->ReadLine(), kClosed);
  }

  std::ifstream file_;
  int number_ = 0;
  TestBedOptions options_;
  std::optional<TestBed> bed_;
  TestClient* client_ = nullptr;  // The bed's.
  std::string to_send_;
  bool closed_ = false;
};

class Dialogue : public ::testing::TestWithParam<std::string> {};

TEST_P(Dialogue, GoesAsWritten) {
  Replay(fmt::format("{}/{}.txt", kFolder, GetParam())).Run();
}

INSTANTIATE_TEST_SUITE_P(Smtp, Dialogue, ::testing::ValuesIn(DialogueNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace smtp
