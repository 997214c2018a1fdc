// A disk that fills: suspect mail is refused first, then all new mail, with temporary answers; what is there can still
// be read, changed and removed; and room that users make is used again without anybody's help.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/client.h"
#include "node/ledger.h"
#include "node/load.h"
#include "node/node_rig.h"

namespace node {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::string_view kSpammer = "spam@bad.test";
constexpr std::chrono::milliseconds kRefusedFor{500};  // A client that hears nothing but no for so long gives up.
const std::vector<std::string> kSmtpAccounts = {"alice@example.test", "bob@example.test", "dora@example.test"};
constexpr std::string_view kCarol = "carol@example.test";

// The filter's place, taken by what the test knows of its senders.
class JudgeBySender final : public smtp::Judge {
 public:
  mail::Class ClassOf(const smtp::Arrival& arrival) override {
    return arrival.transaction.sender() == kSpammer ? mail::Class::kSuspect : mail::Class::kNormal;
  }
};

// What a client heard, and when: `at` counts the answers of all clients.
struct Heard {
  std::uint64_t at = 0;
  bool accepted = false;
  std::string answer;
};

struct Sender {
  std::string name;
  std::string address;
  std::size_t bytes_max = 0;
  bool to_all = false;  // Through the queue, a copy to each.
  std::vector<SentMail> sent{};
  std::vector<Heard> heard{};
};

bool Until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

mffs::VolumeOptions Volume() {
  mffs::VolumeOptions options;
  options.checkpoint_bytes = 8u << 20;
  return options;
}

class NodeFullDisk : public testing::Test {
 protected:
  static constexpr std::uint64_t kSeed = 20;

  void Open(std::uint64_t volume_bytes) {
    rig_ = std::make_unique<NodeRig>(RigOptions{.image = FormattedImage(volume_bytes),
                                                .folder = folder_.path(),
                                                .volume = Volume(),
                                                .judge = std::make_unique<JudgeBySender>()});
    ASSERT_EQ(rig_->start_error(), "");
    for (const std::string& account : kSmtpAccounts) rig_->AddAccount(account);
    rig_->AddAccount(std::string(kCarol));
    Client imap(rig_->port("imap"));
    ASSERT_TRUE(BeginImap(&imap, kCarol));
    ledger_.imap = {.address = std::string(kCarol), .acknowledged = {{"INBOX", FetchBox(&imap, "INBOX").value()}}};
    ledger_.pop3 = {.address = kSmtpAccounts[0], .acknowledged = {}};
  }

  // ---- Load ----
  void Fill();
  void SendUntilRefused(Sender* sender, std::uint64_t seed);
  void AppendUntilRefused(std::uint64_t seed);

  // ---- What the node says ----
  std::string Readyz() { return HttpGet(rig_->port("http"), "/readyz"); }
  double Metric(std::string_view name) { return ReadMetric(rig_->port("http"), name).value_or(-1); }
  std::string TrySend(std::string_view sender) {
    Client smtp(rig_->port("smtp"));
    if (!BeginSmtp(&smtp)) return "not served";
    SentMail mail{.token = fmt::format("try-{}", ++tries_), .text = {}, .recipients = {kSmtpAccounts[1]}};
    base::Random random(tries_);
    mail.text = MakeMail(&random, mail.token, 2000);
    mail.sender = sender;
    std::string answer = SendMail(&smtp, mail.recipients, mail.text, sender);
    mail.acknowledged = answer.starts_with("250");
    if (mail.acknowledged) ledger_.smtp.sent.push_back(std::move(mail));
    return answer;
  }
  // Of the segments: what is free within one that holds mail cannot be written before it is cleaned.
  double FreePercent() {
    const mffs::SpaceStatus space = rig_->OnShard([this] { return rig_->volume().Status().space; });
    return 100.0 * static_cast<double>(space.free_segments) / static_cast<double>(space.segments);
  }
  void ExpectTheFullDiskIsTold();
  void ExpectChangesGoOn(Client* imap);
  void RemoveHalfOfCarolsMail(Client* imap);

  Folder folder_;
  std::unique_ptr<NodeRig> rig_;
  Ledger ledger_;
  std::atomic<std::uint64_t> answers_{0};
  std::vector<Sender> senders_ = {
      {.name = "normal", .address = std::string(kSender), .bytes_max = 150'000},
      {.name = "list", .address = "list@example.org", .bytes_max = 30'000, .to_all = true},
      {.name = "suspect", .address = std::string(kSpammer), .bytes_max = 60'000},
  };
  std::vector<Heard> appended_;
  std::uint64_t tries_ = 0;
};

void NodeFullDisk::SendUntilRefused(Sender* sender, std::uint64_t seed) {
  base::Random random(seed);
  Client client(rig_->port("smtp"));
  ASSERT_TRUE(BeginSmtp(&client));
  auto last_yes = std::chrono::steady_clock::now();
  for (std::uint64_t n = 0; std::chrono::steady_clock::now() - last_yes < kRefusedFor; ++n) {
    SentMail mail{.token = fmt::format("{}-{}", sender->name, n), .text = {}, .recipients = kSmtpAccounts};
    mail.text = MakeMail(&random, mail.token, 1000 + random.Below(sender->bytes_max));
    mail.sender = sender->address;
    if (!sender->to_all) mail.recipients = {kSmtpAccounts[random.Below(kSmtpAccounts.size())]};
    const std::string answer = SendMail(&client, mail.recipients, mail.text, mail.sender);
    ASSERT_NE(answer, "") << "the connection ended";
    mail.acknowledged = answer.starts_with("250");
    sender->heard.push_back({answers_++, mail.acknowledged, answer});
    if (mail.acknowledged) {
      sender->sent.push_back(std::move(mail));
      last_yes = std::chrono::steady_clock::now();
    } else {
      AskSmtp(&client, "RSET");
    }
  }
}

void NodeFullDisk::AppendUntilRefused(std::uint64_t seed) {
  base::Random random(seed);
  Client client(rig_->port("imap"));
  ASSERT_TRUE(BeginImap(&client, kCarol));
  FetchedBox& box = ledger_.imap.acknowledged.at("INBOX");
  auto last_yes = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - last_yes < kRefusedFor) {
    const FetchedMail mail{.text = MakeMail(&random, "append", 1000 + random.Below(300'000)), .flags = {"\\Seen"}};
    const ImapAnswer answer = AskImap(&client, AppendCommand("INBOX", mail.flags, mail.text));
    ASSERT_NE(answer.status, "") << "the connection ended";
    appended_.push_back({answers_++, answer.ok(), answer.status});
    if (!answer.ok()) continue;
    box.mails[box.uid_next++] = mail;
    last_yes = std::chrono::steady_clock::now();
  }
}

void NodeFullDisk::Fill() {
  std::vector<std::thread> clients;
  clients.reserve(senders_.size() + 1);
  for (std::size_t i = 0; i < senders_.size(); ++i) {
    clients.emplace_back([this, i] { SendUntilRefused(&senders_[i], kSeed + i); });
  }
  clients.emplace_back([this] { AppendUntilRefused(kSeed + 100); });
  for (std::thread& client : clients) client.join();
  for (Sender& sender : senders_) {
    for (SentMail& mail : sender.sent) ledger_.smtp.sent.push_back(std::move(mail));
  }
}

std::uint64_t Count(const std::vector<Heard>& heard, bool accepted) {
  return static_cast<std::uint64_t>(std::ranges::count(heard, accepted, &Heard::accepted));
}

// When it was told no for good: the answer after the last yes.
std::uint64_t RefusedSince(const std::vector<Heard>& heard) {
  for (auto at = heard.rbegin(); at != heard.rend(); ++at) {
    if (at->accepted) return at == heard.rbegin() ? UINT64_MAX : std::prev(at)->at;
  }
  return 0;
}

void ExpectOnlyThisNo(const std::vector<Heard>& heard, const std::string& no) {
  for (const Heard& one : heard) {
    if (!one.accepted) EXPECT_THAT(one.answer, HasSubstr(no));
  }
}

void NodeFullDisk::ExpectTheFullDiskIsTold() {
  const std::string ready = Readyz();
  EXPECT_TRUE(ready.starts_with("HTTP/1.1 503")) << ready;
  EXPECT_THAT(ready, HasSubstr("remove mail"));
  EXPECT_TRUE(HttpGet(rig_->port("http"), "/healthz").starts_with("HTTP/1.1 200"));
  EXPECT_EQ(Metric("posthorn_volume_refuses{mail=\"suspect\"}"), 1);
  EXPECT_EQ(Metric("posthorn_volume_refuses{mail=\"all\"}"), 1);
  EXPECT_EQ(Metric("posthorn_volume_read_only"), 0);
  const double capacity = Metric("posthorn_volume_bytes{kind=\"capacity\"}");
  const double free = Metric("posthorn_volume_bytes{kind=\"free\"}");
  EXPECT_LT(free, capacity * 0.2);
  EXPECT_EQ(free + Metric("posthorn_volume_bytes{kind=\"live\"}"), capacity);
}

async::Task<void> RequeueAll(queue::MailQueue* queue) {
  const std::vector<queue::QueuedMail> mails = queue->List({}, 10'000);
  for (const queue::QueuedMail& mail : mails) base::Ignore(co_await queue->Requeue(mail.id));  // Delivered meanwhile.
}

TEST_F(NodeFullDisk, SuspectMailIsRefusedFirstThenAllAndRoomIsUsedAgainByItself) {
  const LogLines quiet("nothing");
  ASSERT_NO_FATAL_FAILURE(Open(128u << 20));
  const LogLines lines("mffs_space");
  Fill();

  // Suspect mail goes first, by temporary answers only.
  for (const Sender& sender : senders_) {
    EXPECT_GT(Count(sender.heard, true), 10u) << sender.name;
    EXPECT_GT(Count(sender.heard, false), 10u) << sender.name;
    ExpectOnlyThisNo(sender.heard, "452 4.3.1");
  }
  EXPECT_GT(Count(appended_, true), 10u);
  ExpectOnlyThisNo(appended_, "NO [UNAVAILABLE]");
  EXPECT_LT(RefusedSince(senders_[2].heard), RefusedSince(senders_[0].heard));
  EXPECT_LT(RefusedSince(senders_[2].heard), RefusedSince(appended_));
  EXPECT_EQ(Metric("posthorn_store_refusals_total{protocol=\"imap\",reason=\"no_space\"}"),
            static_cast<double>(Count(appended_, false)));
  EXPECT_EQ(Metric("posthorn_store_refusals_total{protocol=\"smtp\",reason=\"no_space\"}"),
            static_cast<double>(Count(senders_[0].heard, false) + Count(senders_[1].heard, false) +
                                Count(senders_[2].heard, false)));
  ExpectTheFullDiskIsTold();
  // Users make room.
  Client imap(rig_->port("imap"));
  ASSERT_TRUE(BeginImap(&imap, kCarol));
  RemoveHalfOfCarolsMail(&imap);
  EXPECT_TRUE(Until([this] { return TrySend(kSender).starts_with("250"); })) << TrySend(kSender);
  EXPECT_TRUE(Until([this] { return TrySend(kSpammer).starts_with("250"); })) << TrySend(kSpammer);
  EXPECT_TRUE(Until([this] { return Readyz().starts_with("HTTP/1.1 200"); })) << Readyz();
  EXPECT_EQ(Metric("posthorn_volume_refuses{mail=\"all\"}"), 0);
  EXPECT_TRUE(Until([this] { return Metric("posthorn_volume_refuses{mail=\"suspect\"}") == 0; }));

  // What the queue could not deliver meanwhile it delivers when it is due again; here that is now.
  rig_->Run(RequeueAll(&rig_->queue()));
  EXPECT_TRUE(Until([this] { return rig_->QueuedMails() == 0; })) << rig_->QueuedMails() << " mails stay in the queue";

  // Told in a few lines, whatever the clients heard hundreds of times: a small volume goes to and fro.
  const std::vector<std::string> told = lines.all();
  EXPECT_LE(told.size(), 30u);
  for (const std::string_view level : {"parked_refused", "new_refused", "all_welcome"}) {
    EXPECT_THAT(told, testing::Contains(HasSubstr(fmt::format("level={} ", level))));
  }
  for (const std::string& line : told) EXPECT_THAT(line, HasSubstr(" do="));

  const Findings now = Compare(rig_.get(), ledger_);
  EXPECT_THAT(now.problems, SizeIs(0)) << now.problems.front();
}

// Deletes through IMAP, as a user would.
void NodeFullDisk::RemoveHalfOfCarolsMail(Client* imap) {
  FetchedBox& box = ledger_.imap.acknowledged.at("INBOX");
  ASSERT_TRUE(AskImap(imap, "SELECT INBOX").ok());
  const std::uint32_t last = box.uid_next / 2;
  ASSERT_TRUE(AskImap(imap, fmt::format("UID STORE 1:{} +FLAGS.SILENT (\\Deleted)", last)).ok());
  ASSERT_TRUE(AskImap(imap, "EXPUNGE").ok());
  std::erase_if(box.mails, [last](const auto& entry) { return entry.first <= last; });
}

async::Task<base::Result<>> DeliverToCarol(NodeRig* node, std::string text, std::uint64_t number) {
  replog::BodyWriter writer = node->store().NewBody(mffs::Need::kAccepted);
  CO_RETURN_IF_ERROR(co_await writer.Write(text));
  store::Delivery delivery{.need = mffs::Need::kAccepted};
  delivery.targets.push_back({.address = std::string(kCarol),
                              .delivery_id = mail::DeliveryId::Queued(replog::kFirstQueuePartition.value(), number, 0),
                              .prefix = ""});
  ASSIGN_OR_CO_RETURN(delivery.body, co_await writer.Finish());
  CO_RETURN_IF_ERROR(co_await node->store().Deliver(std::move(delivery)));
  co_return base::Result<>();
}

// Delivers what "the queue" had accepted until even for small mail there is no room. Returns how many.
std::uint64_t FillToTheLastThreePercent(NodeRig* rig) {
  std::uint64_t delivered = 0;
  for (const std::size_t bytes : {400'000, 40'000, 2'000}) {
    const std::string text = "Subject: ballast\r\n\r\n" + std::string(bytes, 'b') + "\r\n";
    while (rig->Run(DeliverToCarol(rig, text, delivered + 1)).has_value()) ++delivered;
  }
  return delivered;
}

void NodeFullDisk::ExpectChangesGoOn(Client* imap) {
  for (const std::string command :
       {"UID STORE 1:5 +FLAGS (\\Flagged)", "UID STORE 2 -FLAGS (\\Seen)", "CREATE Saved", "UID COPY 1:3 Saved",
        "UID STORE 4 +FLAGS (\\Deleted)", "EXPUNGE", "RENAME Saved Kept", "DELETE Kept"}) {
    const ImapAnswer answer = AskImap(imap, command);
    EXPECT_TRUE(answer.ok()) << command << ": " << answer.status;
  }
}

TEST_F(NodeFullDisk, InTheLastThreePercentMailIsReadFlaggedCopiedAndRemoved) {
  const LogLines quiet("nothing");
  ASSERT_NO_FATAL_FAILURE(Open(256u << 20));
  std::uint64_t mails = FillToTheLastThreePercent(rig_.get());
  EXPECT_LT(FreePercent(), 3.5);
  Client imap(rig_->port("imap"));
  ASSERT_TRUE(BeginImap(&imap, kCarol));
  const auto append_is_refused = [&] {
    const ImapAnswer answer = AskImap(&imap, AppendCommand("INBOX", {}, "Subject: no\r\n\r\nroom\r\n"));
    if (answer.ok()) ++mails;
    return answer.status.contains("NO [UNAVAILABLE]");
  };
  // What fits into a segment that is open anyhow, or that cleaning has found, is still taken.
  EXPECT_TRUE(Until([&] { return TrySend(kSender).starts_with("452 4.3.1") && append_is_refused(); }));
  EXPECT_THAT(TrySend(kSpammer), HasSubstr("452 4.3.1"));
  const ImapAnswer selected = AskImap(&imap, "SELECT INBOX");
  ASSERT_TRUE(selected.ok());
  EXPECT_THAT(selected.untagged, testing::Contains(fmt::format("* {} EXISTS", mails)));
  ExpectChangesGoOn(&imap);
  // For as long as users like.
  for (int i = 0; i < 1000; ++i) {
    const ImapAnswer answer = AskImap(&imap, fmt::format("UID STORE 1:3 {}FLAGS (\\Answered)", i % 2 == 0 ? '+' : '-'));
    ASSERT_TRUE(answer.ok()) << i << ": " << answer.status;
  }
  EXPECT_THAT(AskImap(&imap, "UID FETCH 1 BODY.PEEK[]<0.16>").untagged,
              testing::Contains(HasSubstr("Subject: ballast")));
  Client pop3(rig_->port("pop3"));
  ASSERT_TRUE(BeginPop3(&pop3, kCarol));
  EXPECT_TRUE(AskPop3(&pop3, "DELE 1").starts_with("+OK"));
  EXPECT_TRUE(AskPop3(&pop3, "QUIT").starts_with("+OK"));

  ASSERT_TRUE(AskImap(&imap, fmt::format("UID STORE 1:{} +FLAGS.SILENT (\\Deleted)", mails / 2)).ok());
  ASSERT_TRUE(AskImap(&imap, "EXPUNGE").ok());
  EXPECT_TRUE(Until([this] { return TrySend(kSpammer).starts_with("250"); })) << TrySend(kSpammer);
}

}  // namespace
}  // namespace node
