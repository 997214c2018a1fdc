#include "deliver/notices.h"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace deliver {
namespace {

using mail::DsnAction;
using queue::Outcome;
using queue::RecipientState;
using std::chrono::hours;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view kText = "Subject: s\r\nMessage-ID: <1@example.test>\r\n\r\nthe words\r\n";
constexpr std::string_view kPostmaster = "postmaster@example.test";

// Outcomes as couriers give them.
queue::RecipientOutcome Rejected(std::uint32_t recipient) {
  return {recipient, Outcome::kRejected, "550 5.1.1 no such user", "", "mx.remote.test"};
}
queue::RecipientOutcome Later(std::uint32_t recipient) {
  return {recipient, Outcome::kRetryLater, "451 4.3.0 later", "", "mx.remote.test"};
}
queue::RecipientOutcome Delivered(std::uint32_t recipient, queue::Handover handover = queue::Handover::kDelivered) {
  return {.recipient = recipient, .outcome = Outcome::kDelivered, .answer = "250 2.0.0 ok", .handover = handover};
}

class NoticesTest : public ::testing::Test {
 protected:
  NoticesTest() { Start(std::nullopt); }
  ~NoticesTest() override { node_->Shut(false); }

  void Start(std::optional<mffs::SimImage> image) {
    node_ = std::make_unique<queue::QueueRig>(&clock_, std::move(image), options_);
    notices_.emplace(node_->queue.get(), &clock_,
                     NoticesOptions{.hostname = "mx.example.test", .postmaster = std::string(kPostmaster)});
  }
  void Restart(bool crash) {
    mffs::SimImage image = node_->Shut(crash);
    Start(std::move(image));
  }
  queue::MailQueue& queue() { return *node_->queue; }
  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(node_->context, std::move(task));
  }
  queue::QueueId Add(mail::Envelope envelope, std::string text = std::string(kText)) {
    const auto id = Run(queue::EnqueueText(&queue(), std::move(envelope), std::move(text)));
    EXPECT_TRUE(id.has_value());
    return *id;
  }
  queue::Claim Take() { return Run(queue().NextClaim()); }
  void Record(queue::Claim claim, std::vector<queue::RecipientOutcome> outcomes) {
    const auto recorded = Run(notices_->Record(std::move(claim), std::move(outcomes)));
    EXPECT_TRUE(recorded.has_value()) << recorded.error().message();
  }
  std::string TextOf(const queue::Claim& claim) {
    return Run(queue().ReadBody(claim, 0, 1u << 20)).value_or("(cannot be read)");
  }
  std::string AnswerOf(queue::QueueId id, std::uint32_t recipient) {
    return queue().Show(id)->recipients[recipient].last_answer;
  }

  base::SimClock clock_;
  queue::MailQueueOptions options_{.retry = {.jitter_percent = 0}};
  std::unique_ptr<queue::QueueRig> node_;
  std::optional<Notices> notices_;
};

TEST_F(NoticesTest, ASenderIsToldOfWhatFailed) {
  mail::Envelope envelope = queue::EnvelopeTo({"a@x.test", "b@x.test"});
  envelope.id = "0123456789abcdef";
  envelope.envelope_id = "my-id";
  envelope.recipients[1].original = "rfc822;B@x.test";
  const queue::QueueId id = Add(envelope);
  Record(Take(), {Delivered(0), Rejected(1)});
  EXPECT_FALSE(queue().Show(id).has_value());

  const queue::Claim notice = Take();
  EXPECT_EQ(notice.id.partition, id.partition);
  EXPECT_EQ(notice.envelope.sender, "");
  EXPECT_EQ(notice.envelope.recipients[0].address, "sender@example.test");
  EXPECT_EQ(notice.cls, mail::Class::kNormal);
  const std::string text = TextOf(notice);
  EXPECT_THAT(text, HasSubstr("Final-Recipient: rfc822; b@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                              "Remote-MTA: dns; mx.remote.test\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
  EXPECT_THAT(text, HasSubstr("Original-Recipient: rfc822;B@x.test\r\n"));
  EXPECT_THAT(text, HasSubstr("Original-Envelope-Id: my-id\r\n"));
  EXPECT_THAT(text, HasSubstr("X-Posthorn-ID: 0123456789abcdef\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("a@x.test")));
  EXPECT_THAT(text, Not(HasSubstr("the words")));
  const mail::MimePart root = mail::ScanMime(text);
  ASSERT_THAT(root.children, SizeIs(3));
  EXPECT_EQ(root.children[2].subtype, "rfc822-headers");
  Record(notice, {Delivered(0)});
  EXPECT_EQ(queue().Status().mails, 0u);
}

TEST_F(NoticesTest, TheRecipientsThatStillWaitGoOn) {
  const queue::QueueId id = Add(queue::EnvelopeTo({"a@x.test", "b@x.test"}));
  Record(Take(), {Rejected(0), Later(1)});
  EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kBounced);
  EXPECT_EQ(queue().Show(id)->recipients[1].state, RecipientState::kWaiting);
  Record(Take(), {Delivered(0)});
  for (const bool crash : {true, false}) {
    Restart(crash);
    EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kBounced);
    EXPECT_EQ(AnswerOf(id, 0), "550 5.1.1 no such user");
    const auto snapshot = Run(node_->log->SnapshotNow(id.partition));
    ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message();
  }
  clock_.Advance(seconds(60));
  const queue::Claim claim = Take();
  EXPECT_EQ(claim.recipients, (std::vector<std::uint32_t>{1}));
  Record(claim, {Delivered(1)});
  EXPECT_EQ(queue().Status().mails, 0u);
}

TEST_F(NoticesTest, WhatIsTooOldBounces) {
  Add(queue::EnvelopeTo({"a@x.test"}));
  const queue::Claim claim = Take();
  clock_.Advance(hours(121));
  Record(claim, {Later(0)});
  const std::string text = TextOf(Take());
  EXPECT_THAT(text, HasSubstr("Action: failed\r\nStatus: 4.4.7\r\n"));
  EXPECT_THAT(text, HasSubstr("Diagnostic-Code: smtp; 451 4.3.0 later\r\n"));
}

TEST_F(NoticesTest, AWholeMailIsReturnedWhereAskedForAndSmall) {
  struct Row {
    mail::DsnReturn dsn_return;
    mail::BodyType body;
    std::size_t bytes;
    bool whole;
  };
  const Row rows[] = {{mail::DsnReturn::kFull, mail::BodyType::k8BitMime, 1000, true},
                      {mail::DsnReturn::kFull, mail::BodyType::kBinary, 1000, false},
                      {mail::DsnReturn::kFull, mail::BodyType::k8BitMime, 70'000, false},
                      {mail::DsnReturn::kHeaders, mail::BodyType::k8BitMime, 1000, false},
                      {mail::DsnReturn::kUnspecified, mail::BodyType::k8BitMime, 1000, false}};
  for (const Row& row : rows) {
    mail::Envelope envelope = queue::EnvelopeTo({"a@x.test"});
    envelope.dsn_return = row.dsn_return;
    envelope.body = row.body;
    std::string text(kText);
    while (text.size() < row.bytes) text += "one more line\r\n";
    Add(envelope, text);
    Record(Take(), {Rejected(0)});
    const queue::Claim notice = Take();
    EXPECT_EQ(TextOf(notice).contains("the words"), row.whole) << row.bytes;
    Record(notice, {Delivered(0)});
  }
}

TEST_F(NoticesTest, AMailThatCannotBeReadBouncesWithoutItsHeader) {
  Add(queue::EnvelopeTo({"a@x.test"}), std::string(kText) + std::string(300'000, 'x'));
  const queue::Claim claim = Take();
  node_->device.Plant(
      {.kind = mffs::PlantedFault::Kind::kFail, .on = mffs::SimOperation::kRead, .times = mffs::PlantedFault::kAlways});
  Record(claim, {Rejected(0)});
  node_->device.ClearFaults();
  const std::string text = TextOf(Take());
  EXPECT_THAT(mail::ScanMime(text).children, SizeIs(2));
  EXPECT_THAT(text, HasSubstr("Final-Recipient: rfc822; a@x.test\r\n"));
}

// RFC 3461 §4.1.
TEST_F(NoticesTest, WhoWantsNoWordOfFailuresGetsNone) {
  for (const std::uint8_t notify : {mail::kNotifyNever, mail::kNotifySuccess, mail::kNotifyDelay}) {
    mail::Envelope envelope = queue::EnvelopeTo({"a@x.test"});
    envelope.recipients[0].notify = notify;
    Add(envelope);
    Record(Take(), {Rejected(0)});
    EXPECT_EQ(queue().Status().mails, 0u) << int{notify};
  }
}

TEST_F(NoticesTest, ANoticeThatFailsGoesToThePostmasterAndHisIsHeld) {
  mail::Envelope envelope = queue::EnvelopeTo({"a@x.test"});
  envelope.sender = "forged@y.test";
  Add(envelope);
  Record(Take(), {Rejected(0)});
  Record(Take(), {Rejected(0)});
  const queue::Claim doubled = Take();
  EXPECT_EQ(doubled.envelope.sender, "");
  EXPECT_EQ(doubled.envelope.recipients[0].address, kPostmaster);
  const std::string text = TextOf(doubled);
  EXPECT_THAT(text, HasSubstr("You get this as its postmaster"));
  EXPECT_THAT(text, HasSubstr("Final-Recipient: rfc822; forged@y.test\r\n"));
  Record(doubled, {Rejected(0)});
  EXPECT_EQ(queue().Status().mails, 1u);
  EXPECT_EQ(queue().Status().recipients_held, 1u);
  // He may have it after all.
  ASSERT_TRUE(Run(queue().Release(doubled.id)).has_value());
  Record(Take(), {Delivered(0)});
  EXPECT_EQ(queue().Status().mails, 0u);
}

TEST_F(NoticesTest, MailOfDoubtfulSendersIsHeldInsteadOfBounced) {
  for (const mail::Class cls : {mail::Class::kSuspect, mail::Class::kHeld}) {
    mail::Envelope envelope = queue::EnvelopeTo({"a@x.test"}, cls);
    envelope.recipients[0].notify = mail::kNotifyFailure | mail::kNotifySuccess;
    const queue::QueueId id = Add(envelope);
    if (cls == mail::Class::kHeld) ASSERT_TRUE(Run(queue().Release(id)).has_value());
    Record(Take(), {Rejected(0)});
    EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kHeld);
    EXPECT_EQ(queue().Status().mails, 1u);
    ASSERT_TRUE(Run(queue().Remove(id)).has_value());
  }
}

TEST_F(NoticesTest, ADelayIsToldOnceToWhoWantsIt) {
  struct Row {
    std::string_view name;
    std::uint8_t notify;
    std::string account;
    std::string sender;
    bool told;
  };
  const Row rows[] = {{"asked", mail::kNotifyDelay, "", "s@y.test", true},
                      {"asked for failures", mail::kNotifyFailure, "alice", "s@y.test", false},
                      {"asked for nothing, one of us", 0, "alice", "s@y.test", true},
                      {"asked for nothing, from the world", 0, "", "s@y.test", false},
                      {"a notice", mail::kNotifyDelay, "", "", false}};
  for (const Row& row : rows) {
    mail::Envelope envelope = queue::EnvelopeTo({"a@x.test"});
    envelope.recipients[0].notify = row.notify;
    envelope.auth_account = row.account;
    envelope.sender = row.sender;
    const queue::QueueId id = Add(envelope);
    Record(Take(), {Later(0)});
    EXPECT_EQ(queue().Status().mails, 1u) << row.name;
    clock_.Advance(hours(4));
    Record(Take(), {Later(0)});
    ASSERT_EQ(queue().Status().mails, row.told ? 2u : 1u) << row.name;
    if (row.told) {
      const queue::Claim notice = Take();
      const std::string text = TextOf(notice);
      EXPECT_THAT(text, HasSubstr("Action: delayed\r\nStatus: 4.3.0\r\n"));
      EXPECT_THAT(text, HasSubstr("Will-Retry-Until: "));
      Record(notice, {Delivered(0)});
    }
    // Not again, whatever happens between.
    for (int round = 0; round < 3; ++round) {
      Restart(round == 0);
      if (round == 1) ASSERT_TRUE(Run(node_->log->SnapshotNow(id.partition)).has_value());
      clock_.Advance(hours(4));
      Record(Take(), {Later(0)});
      EXPECT_EQ(queue().Status().mails, 1u) << row.name;
    }
    ASSERT_TRUE(Run(queue().Remove(id)).has_value());
  }
}

TEST_F(NoticesTest, ADeliveryIsToldToWhoAskedUnlessTheNextHopTells) {
  struct Row {
    queue::Handover handover;
    std::uint8_t notify;
    std::string_view action;
  };
  const Row rows[] = {{queue::Handover::kDelivered, mail::kNotifySuccess, "delivered"},
                      {queue::Handover::kRelayed, mail::kNotifySuccess | mail::kNotifyFailure, "relayed"},
                      {queue::Handover::kRelayedWithDsn, mail::kNotifySuccess, ""},
                      {queue::Handover::kDelivered, mail::kNotifyFailure, ""},
                      {queue::Handover::kDelivered, 0, ""}};
  for (const Row& row : rows) {
    mail::Envelope envelope = queue::EnvelopeTo({"a@x.test"});
    envelope.recipients[0].notify = row.notify;
    envelope.dsn_return = mail::DsnReturn::kFull;
    Add(envelope);
    Record(Take(), {Delivered(0, row.handover)});
    ASSERT_EQ(queue().Status().mails, row.action.empty() ? 0u : 1u);
    if (row.action.empty()) continue;
    const queue::Claim notice = Take();
    const std::string text = TextOf(notice);
    EXPECT_THAT(text, HasSubstr(fmt::format("Action: {}\r\nStatus: 2.0.0\r\n", row.action)));
    // RFC 3461 §4.3: RET is for failures.
    EXPECT_THAT(text, Not(HasSubstr("the words")));
    Record(notice, {Delivered(0)});
  }
}

TEST_F(NoticesTest, AMailThatAnOperatorRemovesMeanwhileIsNotToldOf) {
  const queue::QueueId first = Add(queue::EnvelopeTo({"a@x.test"}));
  const queue::Claim claim = Take();
  ASSERT_TRUE(Run(queue().Remove(first)).has_value());
  Record(claim, {Rejected(0)});
  EXPECT_EQ(queue().Status().mails, 0u);
  // Removed behind the decision, and before it is written.
  const queue::QueueId second = Add(queue::EnvelopeTo({"a@x.test"}));
  queue::Claim again = Take();
  std::vector<queue::Decision> decisions = queue().Decide(again, {Rejected(0)});
  decisions[0].state = RecipientState::kBounced;
  decisions[0].told = true;
  replog::BodyWriter writer = queue().NewNoticeBody();
  ASSERT_TRUE(Run(writer.Write("notice")).has_value());
  queue::Notice notice{.envelope = queue::EnvelopeTo({"s@y.test"}), .body = *Run(writer.Finish())};
  bool removed = false;
  asio::co_spawn(node_->context.get_executor(), queue().Remove(second),
                 [&removed](const std::exception_ptr&, const base::Result<>& result) { removed = result.has_value(); });
  EXPECT_TRUE(Run(queue().Record(std::move(again), std::move(decisions), std::move(notice))).has_value());
  EXPECT_TRUE(removed);
  EXPECT_EQ(queue().Status().mails, 0u);
  Restart(true);
  EXPECT_EQ(queue().Status().mails, 0u);
}

TEST_F(NoticesTest, WithoutRoomForItWhatFailedWaitsAndWhatWasDeliveredStaysSo) {
  mail::Envelope envelope = queue::EnvelopeTo({"a@x.test", "b@x.test"});
  envelope.recipients[1].notify = mail::kNotifySuccess;
  const queue::QueueId id = Add(envelope);
  const queue::Claim claim = Take();
  std::vector<replog::Body> hogs;
  for (const std::size_t size : {std::size_t{512} << 10, std::size_t{257} << 10}) {
    for (;;) {
      ASSERT_LT(hogs.size(), 200u) << "the volume does not fill up";
      replog::BodyWriter writer = queue().NewNoticeBody();
      const auto written = Run(writer.Write(std::string(size, 'x')));
      auto body = Run(writer.Finish());
      if (!written || !body) break;
      hogs.push_back(*std::move(body));
    }
  }
  Record(claim, {Rejected(0), Delivered(1)});
  EXPECT_EQ(queue().Status().mails, 1u);
  EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kWaiting);
  EXPECT_EQ(queue().Show(id)->recipients[1].state, RecipientState::kDelivered);
  // Room comes, and the notice with the next attempt.
  hogs.clear();
  clock_.Advance(seconds(60));
  Record(Take(), {Rejected(0)});
  EXPECT_FALSE(queue().Show(id).has_value());
  EXPECT_THAT(TextOf(Take()), HasSubstr("Final-Recipient: rfc822; a@x.test\r\n"));
}

// --- Power cuts ---

constexpr int kMails = 4;

// Which notices, by their ids, spoke of which recipient.
using Told = std::map<std::string, std::set<std::string>>;

// Rejects all mail but notices, which it reads. Ends when the queue is empty or the disk fails.
async::Task<void> RejectAll(queue::MailQueue* queue, Notices* notices, Told* told) {
  while (queue->Status().mails > 0) {
    const queue::Claim claim = co_await queue->NextClaim();
    std::vector<queue::RecipientOutcome> outcomes;
    if (claim.envelope.sender.empty()) {
      const auto text = co_await queue->ReadBody(claim, 0, 1u << 20);
      if (!text) co_return;
      for (int mail = 0; mail < kMails; ++mail) {
        for (const std::string name : {"a", "b"}) {
          const std::string address = fmt::format("{}{}@x.test", name, mail);
          if (text->contains("Final-Recipient: rfc822; " + address)) (*told)[address].insert(claim.envelope.id);
        }
      }
      outcomes.push_back(Delivered(0));
    } else {
      for (const std::uint32_t recipient : claim.recipients) outcomes.push_back(Rejected(recipient));
    }
    const auto recorded = co_await notices->Record(claim, std::move(outcomes));
    if (!recorded) co_return;
  }
}

// One life of a queue up to a power cut and one behind it. False: the first ended before the cut.
bool LivesTwice(std::uint64_t cut_at, std::uint64_t seed) {
  const queue::MailQueueOptions options{.retry = {.jitter_percent = 0}};
  const NoticesOptions notices_options{.hostname = "mx.example.test"};
  base::SimClock clock;
  Told told;
  auto rig = std::make_unique<queue::QueueRig>(&clock, std::nullopt, options);
  for (int mail = 0; mail < kMails; ++mail) {
    mail::Envelope envelope = queue::EnvelopeTo({fmt::format("a{}@x.test", mail), fmt::format("b{}@x.test", mail)});
    EXPECT_TRUE(
        async::RunTask(rig->context, queue::EnqueueText(rig->queue.get(), std::move(envelope), std::string(kText))));
  }
  std::optional<Notices> notices;
  notices.emplace(rig->queue.get(), &clock, notices_options);
  rig->device.CutPowerAfter(cut_at);
  bool ended = false;
  asio::co_spawn(rig->context.get_executor(), RejectAll(rig->queue.get(), &*notices, &told),
                 [&ended](const std::exception_ptr&) { ended = true; });
  rig->context.restart();
  while (!ended && !rig->device.PowerWasCut()) rig->context.run_one();
  const bool was_cut = rig->device.PowerWasCut();
  mffs::SimImage image = rig->Shut(true, seed);
  rig = std::make_unique<queue::QueueRig>(&clock, std::move(image), options);
  notices.emplace(rig->queue.get(), &clock, notices_options);
  async::RunTask(rig->context, RejectAll(rig->queue.get(), &*notices, &told));
  EXPECT_EQ(rig->queue->Status().mails, 0u);
  EXPECT_THAT(told, SizeIs(2 * kMails)) << "cut at " << cut_at << ", seed " << seed;
  for (const auto& [address, ids] : told) {
    EXPECT_THAT(ids, SizeIs(1)) << address << ", cut at " << cut_at << ", seed " << seed;
  }
  rig->Shut(false);
  return was_cut;
}

// Every failed recipient stands in exactly one notice, wherever the power is cut, and whatever the disk then keeps.
TEST(NoticesCrash, EveryFailureIsToldExactlyOnceAfterAPowerCutAtAnyOperation) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::uint64_t cut_at = 0;
    while (LivesTwice(cut_at, seed)) cut_at += 1;
    cuts += cut_at;
  }
  EXPECT_GT(cuts, 40u);
}

}  // namespace
}  // namespace deliver
