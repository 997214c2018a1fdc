#include "node/load.h"

#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"

namespace node {
namespace {

constexpr std::uint64_t kVolumeBytes = 48u << 20;
constexpr std::string_view kSmtpOnly[] = {"alice@example.test", "bob@example.test", "dora@example.test"};
constexpr std::string_view kImapAddress = "carol@example.test";
constexpr std::string_view kPop3Address = "dave@example.test";
// A: append to Work, B: append to Archive, F: flags, C: copy to Archive, X: mark as deleted and expunge.
constexpr std::string_view kImapScript = "AFABCAFXACFBAFCXAAFCXBFAX";
constexpr int kSmtpMails = 20;
constexpr std::size_t kLargeMailBytes = 700'000;  // More than one record.

void RunSmtp(std::uint16_t port, base::Random random, SmtpRecord* record);
void RunPop3(std::uint16_t port, AccountRecord* record);
bool RemoveOverPop3(std::uint16_t port, const std::vector<std::uint32_t>& numbers, AccountRecord* record);

// The IMAP client: keeps the record one command ahead, and says what was done only when the node did.
class ImapClient {
 public:
  ImapClient(std::uint16_t port, base::Random random, AccountRecord* record)
      : client_(port), random_(random), record_(record) {}
  void Run();

 private:
  bool Step(char step);
  bool Append(const std::string& name);
  bool ChangeFlags();
  bool CopyToArchive();
  bool RemoveSome();
  bool SetFlags(const std::set<std::uint32_t>& uids, char change, const std::set<std::string>& flags);
  bool Do(const std::string& command, Mailboxes after, const std::string& code);
  std::set<std::uint32_t> SomeUids();
  std::set<std::string> SomeFlags();

  Client client_;
  base::Random random_;
  AccountRecord* record_;
  int appended_ = 0;
};

}  // namespace

std::unique_ptr<Base> MakeBase() {
  auto base = std::make_unique<Base>();
  NodeRig rig({.image = FormattedImage(kVolumeBytes), .folder = base->folder.path()});
  for (const std::string_view address : kSmtpOnly) rig.AddAccount(std::string(address));
  rig.AddAccount(std::string(kImapAddress));
  rig.AddAccount(std::string(kPop3Address));
  base::Random random(1);
  Client carol(rig.port("imap"));
  CHECK(BeginImap(&carol, kImapAddress));
  CHECK(AskImap(&carol, "CREATE Work").ok());
  for (const std::string name : {"Work", "Archive"}) {  // Archive was made with the account.
    CHECK(AskImap(&carol, AppendCommand(name, {"\\Seen"}, MakeMail(&random, "base", 900))).ok());
    base->imap[name] = FetchBox(&carol, name).value();
  }
  Client dave(rig.port("imap"));
  CHECK(BeginImap(&dave, kPop3Address));
  for (int i = 0; i < 6; ++i) CHECK(AskImap(&dave, AppendCommand("INBOX", {}, MakeMail(&random, "base", 500))).ok());
  base->pop3["INBOX"] = FetchBox(&dave, "INBOX").value();
  CHECK(rig.Stop().has_value());
  base->image = rig.TakeWreck(0, IndexFate::kKept).image;
  return base;
}

void CopyFolder(const Base& base, const Folder& to) {
  std::filesystem::copy(base.folder.path() / "data", to.path() / "data", std::filesystem::copy_options::recursive);
}

Ledger RunLoad(NodeRig* rig, const Base& base, std::uint64_t seed) {
  Ledger ledger;
  ledger.imap = {.address = std::string(kImapAddress), .acknowledged = base.imap};
  ledger.pop3 = {.address = std::string(kPop3Address), .acknowledged = base.pop3};
  base::Random random(seed);
  ImapClient imap_client(rig->port("imap"), base::Random(random.Next()), &ledger.imap);
  std::thread smtp(RunSmtp, rig->port("smtp"), base::Random(random.Next()), &ledger.smtp);
  std::thread imap([&imap_client] { imap_client.Run(); });
  std::thread pop3(RunPop3, rig->port("pop3"), &ledger.pop3);
  smtp.join();
  imap.join();
  pop3.join();
  return ledger;
}

std::string MakeMail(base::Random* random, const std::string& token, std::size_t size) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.0123456789=";
  std::string text = fmt::format("From: sender@example.org\r\nSubject: mail {}\r\nX-Token: {}\r\n", token, token);
  if (random->OneIn(2)) text += fmt::format("Message-ID: <{}@example.org>\r\n", token);
  text += "\r\n";
  while (size > 0) {
    const std::size_t width = std::min<std::size_t>(size, 1 + random->Below(76));
    if (random->OneIn(8)) text += '.';  // RFC 5321 §4.5.2.
    for (std::size_t i = 0; i < width; ++i) text += kLetters[random->Below(kLetters.size())];
    text += "\r\n";
    size -= width;
  }
  return text;
}

namespace {

void RunSmtp(std::uint16_t port, base::Random random, SmtpRecord* record) {
  Client client(port);
  if (!BeginSmtp(&client)) return;
  for (int i = 0; i < kSmtpMails; ++i) {
    SentMail mail{.token = fmt::format("smtp-{}", i), .text = {}, .recipients = {}};
    mail.text = MakeMail(&random, mail.token, i == 7 ? kLargeMailBytes : 100 + random.Below(6000));
    mail.recipients = {std::string(kSmtpOnly[random.Below(std::size(kSmtpOnly))])};
    if (i % 4 == 1) mail.recipients.assign(std::begin(kSmtpOnly), std::end(kSmtpOnly));  // Through the queue.
    if (i % 5 == 3) mail.recipients = {std::string(kImapAddress)};                       // The IMAP client's partition.
    if (!BeginMail(&client, mail.recipients).empty()) return;
    record->sent.push_back(mail);
    client.Send(Stuffed(mail.text));
    if (!ReadSmtpReply(&client).starts_with("250")) return;
    record->sent.back().acknowledged = true;
  }
  record->finished = AskSmtp(&client, "QUIT").starts_with("221");
}

void RunPop3(std::uint16_t port, AccountRecord* record) {
  if (!RemoveOverPop3(port, {1, 3}, record)) return;
  if (!RemoveOverPop3(port, {2}, record)) return;
  record->finished = RemoveOverPop3(port, {1, 2, 3}, record);
}

bool RemoveOverPop3(std::uint16_t port, const std::vector<std::uint32_t>& numbers, AccountRecord* record) {
  Client client(port);
  if (!BeginPop3(&client, record->address)) return false;
  const auto& mails = record->acknowledged.at("INBOX").mails;
  Mailboxes after = record->acknowledged;
  for (const std::uint32_t number : numbers) {
    if (!AskPop3(&client, fmt::format("DELE {}", number)).starts_with("+OK")) return false;
    after.at("INBOX").mails.erase(std::next(mails.begin(), number - 1)->first);
  }
  record->in_doubt = std::move(after);
  if (!AskPop3(&client, "QUIT").starts_with("+OK")) return false;
  record->acknowledged = *std::exchange(record->in_doubt, std::nullopt);
  return true;
}

void ImapClient::Run() {
  if (!BeginImap(&client_, record_->address) || !AskImap(&client_, "SELECT Work").ok()) return;
  for (const char step : kImapScript) {
    if (!Step(step)) return;
  }
  record_->finished = AskImap(&client_, "LOGOUT").ok();
}

bool ImapClient::Step(char step) {
  switch (step) {
    case 'A':
      return Append("Work");
    case 'B':
      return Append("Archive");
    case 'F':
      return ChangeFlags();
    case 'C':
      return CopyToArchive();
    default:
      // The mailbox is never emptied: the other steps want something to work on.
      return record_->acknowledged.at("Work").mails.size() > 3 ? RemoveSome() : Append("Work");
  }
}

bool ImapClient::Append(const std::string& name) {
  Mailboxes after = record_->acknowledged;
  FetchedBox& box = after.at(name);
  const FetchedMail mail{.text = MakeMail(&random_, fmt::format("imap-{}", appended_++), 50 + random_.Below(4000)),
                         .flags = SomeFlags()};
  const std::string code = fmt::format("[APPENDUID {} {}]", box.uid_validity, box.uid_next);
  box.mails[box.uid_next++] = mail;
  return Do(AppendCommand(name, mail.flags, mail.text), std::move(after), code);
}

bool ImapClient::ChangeFlags() {
  constexpr std::string_view kChanges = "+- ";
  return SetFlags(SomeUids(), kChanges[random_.Below(kChanges.size())], SomeFlags());
}

bool ImapClient::SetFlags(const std::set<std::uint32_t>& uids, char change, const std::set<std::string>& flags) {
  Mailboxes after = record_->acknowledged;
  for (const std::uint32_t uid : uids) {
    std::set<std::string>& set = after.at("Work").mails.at(uid).flags;
    if (change == ' ') set.clear();
    for (const std::string& flag : flags) {
      if (change == '-') {
        set.erase(flag);
      } else {
        set.insert(flag);
      }
    }
  }
  const std::string sign = change == ' ' ? "" : std::string(1, change);
  return Do(fmt::format("UID STORE {} {}FLAGS ({})", fmt::join(uids, ","), sign, fmt::join(flags, " ")),
            std::move(after), "");
}

bool ImapClient::CopyToArchive() {
  Mailboxes after = record_->acknowledged;
  FetchedBox& to = after.at("Archive");
  const std::set<std::uint32_t> uids = SomeUids();
  for (const std::uint32_t uid : uids) to.mails[to.uid_next++] = after.at("Work").mails.at(uid);
  return Do(fmt::format("UID COPY {} Archive", fmt::join(uids, ",")), std::move(after),
            fmt::format("[COPYUID {} ", to.uid_validity));
}

bool ImapClient::RemoveSome() {
  if (!SetFlags(SomeUids(), '+', {"\\Deleted"})) return false;
  Mailboxes after = record_->acknowledged;
  std::erase_if(after.at("Work").mails, [](const auto& entry) { return entry.second.flags.contains("\\Deleted"); });
  return Do("EXPUNGE", std::move(after), "");
}

// `code` stands in the answer when all is as the record expects.
bool ImapClient::Do(const std::string& command, Mailboxes after, const std::string& code) {
  record_->in_doubt = std::move(after);
  const ImapAnswer answer = AskImap(&client_, command);
  if (!answer.ok()) return false;
  if (answer.status.find(code) == std::string::npos) {
    record_->problems.push_back(fmt::format("\"{}\" was to be answered with {}", answer.status, code));
  }
  record_->acknowledged = *std::exchange(record_->in_doubt, std::nullopt);
  return true;
}

// One to three.
std::set<std::uint32_t> ImapClient::SomeUids() {
  const auto& mails = record_->acknowledged.at("Work").mails;
  CHECK(!mails.empty());
  std::set<std::uint32_t> uids;
  for (std::uint64_t n = 1 + random_.Below(3); n > 0; --n) {
    uids.insert(std::next(mails.begin(), static_cast<std::ptrdiff_t>(random_.Below(mails.size())))->first);
  }
  return uids;
}

std::set<std::string> ImapClient::SomeFlags() {
  constexpr std::string_view kFlags[] = {"\\Seen", "\\Flagged", "\\Answered", "\\Draft", "Later", "$Work"};
  std::set<std::string> flags;
  for (const std::string_view flag : kFlags) {
    if (random_.OneIn(3)) flags.emplace(flag);
  }
  if (flags.empty()) flags.emplace("\\Seen");
  return flags;
}

}  // namespace
}  // namespace node
