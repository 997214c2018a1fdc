// The dispatcher with the local courier on a real store and queue.
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "async/notifier.h"
#include "deliver/dispatcher.h"
#include "deliver/local_courier.h"
#include "deliver/testing.h"

namespace deliver {
namespace {

using namespace std::chrono_literals;
using queue::Outcome;
using queue::RecipientState;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Does as a test tells it, recipient by recipient.
class ScriptedCourier final : public Courier {
 public:
  explicit ScriptedCourier(async::Executor executor) : released_(executor) {}

  async::Task<void> Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) override {
    begun += 1;
    under_way_max = std::max(under_way_max, ++under_way);
    while (held) co_await released_.Wait();
    under_way -= 1;
    for (const std::uint32_t recipient : claim.recipients) {
      const std::string& address = claim.envelope.recipients[recipient].address;
      outcomes->push_back({recipient, answer(address), "as the test says"});
    }
  }
  void Release() {
    held = false;
    released_.NotifyAll();
  }

  std::function<Outcome(const std::string& address)> answer = [](const std::string&) { return Outcome::kDelivered; };
  bool held = false;
  int begun = 0;
  int under_way = 0;
  int under_way_max = 0;

 private:
  async::Notifier released_;
};

class DeliveryTest : public ::testing::Test {
 protected:
  ~DeliveryTest() override { Stop(); }

  void Start(Courier* courier, DispatcherOptions options = {}) {
    // Its postmaster has no account: notices that fail end held.
    notices_.emplace(bed_.queue(), &bed_.node().clock(), NoticesOptions{.postmaster = "postmaster@example.test"});
    dispatcher_.emplace(bed_.node().executor(), bed_.queue(), courier, &*notices_, options);
    dispatcher_->Start();
  }
  void Stop() {
    if (dispatcher_.has_value()) bed_.node().Run(dispatcher_->Stop());
    dispatcher_.reset();
  }
  // Turns the context until `done`; false after ten seconds.
  bool RunUntil(const std::function<bool()>& done) {
    for (int i = 0; i < 10'000 && !done(); ++i) bed_.node().Run(async::Sleep(1ms));
    return done();
  }
  // What is in the queue, for failures.
  std::string Waiting() {
    const queue::QueueStatus status = bed_.queue()->Status();
    std::string text = fmt::format("{} mails, {} claimed\n", status.mails, status.recipients_claimed);
    for (const queue::QueuedMail& mail : bed_.queue()->List({}, 1000)) {
      for (const queue::RecipientStatus& recipient : mail.recipients) {
        text += fmt::format("{} {} state={} attempts={} {}\n", mail.id.ToString(), recipient.address,
                            static_cast<int>(recipient.state), recipient.attempts, recipient.last_answer);
      }
    }
    return text;
  }
  bool QueueIsEmpty() { return bed_.queue()->Status().mails == 0; }

  TestBed bed_;
  ScriptedCourier scripted_{bed_.node().executor()};
  LocalCourier local_{bed_.queue(), &bed_.node().store(), &bed_.node().clock(), {}};
  std::optional<Notices> notices_;
  std::optional<Dispatcher> dispatcher_;
};

TEST_F(DeliveryTest, BringsQueuedMailToItsMailboxes) {
  for (int i = 0; i < 50; ++i) bed_.Enqueue({kAlice, kBob});
  Start(&local_);
  for (int i = 0; i < 50; ++i) bed_.Enqueue({kCarol, kBob});
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); }));
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(50));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(100));
  EXPECT_THAT(bed_.Mails(kCarol), SizeIs(50));
}

TEST_F(DeliveryTest, AMissingAccountBouncesAndTheOthersGetTheirMail) {
  bed_.Enqueue({kAlice, "gone@example.test", kBob}, "Subject: s\r\n\r\nhello\r\n", std::string(kCarol));
  Start(&local_);
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); })) << Waiting();
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(1));
  ASSERT_THAT(bed_.Mails(kCarol), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kCarol)[0], ::testing::StartsWith("Return-Path: <>\r\n"));
  EXPECT_THAT(
      bed_.Mails(kCarol)[0],
      ::testing::HasSubstr("Final-Recipient: rfc822; gone@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
}

// The sender has no mailbox here, nor has the postmaster: what then is left waits for an operator.
TEST_F(DeliveryTest, ANoticeThatNobodyTakesIsHeld) {
  bed_.Enqueue({"gone@example.test"});
  Start(&local_);
  ASSERT_TRUE(RunUntil([&] { return bed_.queue()->Status().recipients_held == 1; })) << Waiting();
  EXPECT_EQ(bed_.queue()->Status().mails, 1u);
  const queue::QueuedMail held = bed_.queue()->List({}, 1).front();
  EXPECT_EQ(held.recipients[0].address, "postmaster@example.test");
  EXPECT_THAT(held.recipients[0].last_answer, ::testing::HasSubstr("5.1.1"));
  // The account comes to be, the operator releases the mail.
  const auto account = bed_.node().AddAccount("postmaster@example.test");
  bed_.node().Do(bed_.queue()->Release(held.id));
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); }));
  const auto inbox = bed_.node().Do(bed_.node().store().FindMailbox(account.id, "INBOX"));
  EXPECT_THAT(bed_.node().Do(bed_.node().store().ListUids(inbox.id)), SizeIs(1));
}

TEST_F(DeliveryTest, ARecipientThatFailsDoesNotHoldUpTheOthers) {
  scripted_.answer = [](const std::string& address) {
    return address == kBob ? Outcome::kRetryLater : Outcome::kDelivered;
  };
  const queue::QueueId id = bed_.Enqueue({kAlice, kBob});
  Start(&scripted_);
  ASSERT_TRUE(RunUntil([&] {
    const auto shown = bed_.queue()->Show(id);
    return shown->recipients[0].state == RecipientState::kDelivered && shown->recipients[1].attempts == 1;
  }));
  EXPECT_EQ(bed_.queue()->Show(id)->recipients[1].state, RecipientState::kWaiting);
  EXPECT_GT(bed_.queue()->Show(id)->recipients[1].next_attempt, bed_.node().clock().WallNow());
  EXPECT_EQ(scripted_.begun, 1);
}

TEST_F(DeliveryTest, SlowClaimsLeaveWorkersForOthersUpToTheBound) {
  scripted_.held = true;
  for (int i = 0; i < 10; ++i) bed_.Enqueue({kAlice});
  Start(&scripted_, {.workers = 3});
  ASSERT_TRUE(RunUntil([&] { return scripted_.begun == 3; }));
  bed_.node().Run(async::Sleep(5ms));
  EXPECT_EQ(scripted_.begun, 3);
  scripted_.Release();
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); }));
  EXPECT_EQ(scripted_.begun, 10);
  EXPECT_EQ(scripted_.under_way_max, 3);
}

TEST_F(DeliveryTest, StopGivesBackWhatWasUnderWay) {
  scripted_.held = true;
  bed_.Enqueue({kAlice, kBob});
  Start(&scripted_);
  ASSERT_TRUE(RunUntil([&] { return scripted_.begun == 1; }));
  EXPECT_EQ(bed_.queue()->Status().recipients_claimed, 2u);
  Stop();
  EXPECT_EQ(bed_.queue()->Status().recipients_claimed, 0u);
  EXPECT_EQ(bed_.queue()->Status().recipients_waiting, 2u);
  // At once due again.
  Start(&local_);
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); }));
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(1));
}

// Stopped at every moment of its work; in the end each mail is there once.
TEST_F(DeliveryTest, StoppingAtAnyMomentLosesAndDoublesNothing) {
  constexpr int kMails = 40;
  for (int i = 0; i < kMails; ++i) bed_.Enqueue({kAlice, kBob});
  for (int turns = 0; turns < 200 && !QueueIsEmpty(); ++turns) {
    Start(&local_, {.workers = 2});
    for (int i = 0; i < turns % 7; ++i) bed_.node().Run(async::Sleep(0ms));
    Stop();
  }
  Start(&local_);
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); })) << Waiting();
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(kMails));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(kMails));
}

TEST_F(DeliveryTest, APowerCutBetweenDeliveryAndItsRecordDoesNotDouble) {
  bed_.Enqueue({kAlice, kBob});
  std::vector<queue::RecipientOutcome> outcomes;
  bed_.node().Run(local_.Deliver(bed_.NextClaim(), &outcomes));
  ASSERT_THAT(outcomes, SizeIs(2));
  bed_.node().Crash(1, store::TestIndex::kDeleted);
  LocalCourier courier(bed_.queue(), &bed_.node().store(), &bed_.node().clock(), {});
  Start(&courier);
  ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); }));
  Stop();
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(1));
}

// The mailbox has the mail, the queue does not know it; before and after, mail that is settled.
TEST_F(DeliveryTest, WhatIsNotSettledIsNotDoubledByAnyCrash) {
  std::size_t mails = 0;
  std::uint64_t seed = 0;
  for (const store::TestIndex index :
       {store::TestIndex::kKept, store::TestIndex::kDeleted, store::TestIndex::kFlushed}) {
    for (const bool with_snapshot : {false, true}) {
      LocalCourier courier(bed_.queue(), &bed_.node().store(), &bed_.node().clock(), {.settled = {.step = 1}});
      for (int i = 0; i < 40; ++i) bed_.Enqueue({kAlice});
      Start(&courier);
      ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); }));
      Stop();
      // One that waits, so that the next ones lie behind an exception.
      bed_.Enqueue({kAlice});
      bed_.Enqueue({kAlice});
      const queue::Claim waiting = bed_.NextClaim();
      const queue::Claim cut_short = bed_.NextClaim();
      std::vector<queue::RecipientOutcome> outcomes;
      bed_.node().Run(courier.Deliver(cut_short, &outcomes));
      ASSERT_THAT(outcomes, SizeIs(1));
      bed_.queue()->GiveBack(waiting);
      if (with_snapshot) bed_.node().Do(bed_.node().log().SnapshotNow(bed_.node().store().PartitionOf(kAlice)));
      bed_.node().Crash(++seed, index);
      LocalCourier after(bed_.queue(), &bed_.node().store(), &bed_.node().clock(), {.settled = {.step = 1}});
      Start(&after);
      ASSERT_TRUE(RunUntil([&] { return QueueIsEmpty(); })) << Waiting();
      Stop();
      mails += 42;
      ASSERT_THAT(bed_.Mails(kAlice), SizeIs(mails)) << "seed " << seed;
    }
  }
}

TEST_F(DeliveryTest, TheIdsThatAreKeptStayFewThoughAMailStaysBehind) {
  std::optional<LocalCourier> courier;
  const auto start = [&] {
    courier.emplace(bed_.queue(), &bed_.node().store(), &bed_.node().clock(),
                    LocalCourierOptions{.settled = {.step = 100}});
    Start(&*courier);
  };
  bed_.Enqueue({"gone@example.test", kAlice});
  start();
  std::size_t most = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 100; ++i) bed_.Enqueue({kAlice});
    ASSERT_TRUE(RunUntil([&] { return bed_.queue()->Status().mails == 1; }));
    most = std::max(most, bed_.KeptIds(kAlice));
    if (round % 5 != 4) continue;
    Stop();
    bed_.node().Restart(round % 10 == 9 ? store::TestIndex::kDeleted : store::TestIndex::kKept);
    start();
  }
  Stop();
  // A partition of the queue moves on by two entries a mail, and there are four.
  EXPECT_LT(most, 500u);
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(2001));
}

TEST_F(DeliveryTest, AnOutcomeThatCannotBeWrittenIsRetriedWithoutSpinning) {
  bed_.Enqueue({kAlice});
  Start(&scripted_, {.workers = 1, .record_retry = 5ms});
  bed_.node().device().Plant({.kind = mffs::PlantedFault::Kind::kFail,
                              .on = mffs::SimOperation::kWrite,
                              .times = mffs::PlantedFault::kAlways});
  ASSERT_TRUE(RunUntil([&] { return scripted_.begun == 1; }));
  bed_.node().Run(async::Sleep(50ms));
  // The claim came back, due after the retry delay of the queue.
  EXPECT_EQ(scripted_.begun, 1);
  EXPECT_EQ(bed_.queue()->Status().recipients_claimed, 0u);
  EXPECT_EQ(bed_.queue()->Status().recipients_waiting, 1u);
  bed_.node().device().ClearFaults();
}

}  // namespace
}  // namespace deliver
