#include "queue/mail_queue.h"

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace queue {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

async::Task<void> TakeOne(MailQueue* queue, std::vector<Claim>* claims) {
  claims->push_back(co_await queue->NextClaim());
}

class MailQueueTest : public ::testing::Test {
 protected:
  MailQueueTest() { Start(std::nullopt); }
  ~MailQueueTest() override {
    if (node_->queue != nullptr) node_->Shut(false);
  }

  void Start(std::optional<mffs::SimImage> image) {
    node_ = std::make_unique<QueueRig>(&clock_, std::move(image), options_);
  }
  void Restart(bool crash = true) {
    mffs::SimImage image = node_->Shut(crash);
    Start(std::move(image));
  }
  MailQueue& queue() { return *node_->queue; }
  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(node_->context, std::move(task));
  }
  QueueId Add(std::vector<std::string> recipients, std::string text = "text", mail::Class cls = mail::Class::kNormal) {
    const auto id = Run(EnqueueText(&queue(), EnvelopeTo(std::move(recipients), cls), std::move(text)));
    EXPECT_TRUE(id.has_value()) << id.error().message();
    return *id;
  }
  Claim Take() { return Run(queue().NextClaim()); }
  void Finish(const Claim& claim, Outcome outcome, const std::string& answer = "answer") {
    std::vector<RecipientOutcome> outcomes;
    for (const std::uint32_t recipient : claim.recipients) outcomes.push_back({recipient, outcome, answer});
    const auto recorded = Run(queue().Record(claim, outcomes));
    EXPECT_TRUE(recorded.has_value()) << recorded.error().message();
  }
  // No claim is to be had now.
  void ExpectNothingDue() {
    std::vector<Claim> claims;
    async::TaskGroup group(node_->context.get_executor(), "taker");
    group.Spawn(TakeOne(&queue(), &claims));
    node_->context.restart();
    node_->context.poll();
    EXPECT_TRUE(claims.empty());
    Run(group.Stop());
  }

  base::SimClock clock_;
  MailQueueOptions options_{.retry = {.jitter_percent = 0}, .destinations = {.claims_max = 2}};
  std::unique_ptr<QueueRig> node_;
};

TEST_F(MailQueueTest, AMailIsClaimedReadDeliveredAndGone) {
  const QueueId id = Add({"a@x.test"}, "the text");
  EXPECT_EQ(queue().Status().mails, 1u);
  EXPECT_EQ(queue().Status().recipients_waiting, 1u);
  const Claim claim = Take();
  EXPECT_EQ(claim.id, id);
  EXPECT_EQ(claim.destination, "x.test");
  EXPECT_EQ(claim.recipients, (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(claim.envelope.sender, "sender@example.test");
  EXPECT_EQ(Run(queue().ReadBody(claim, 4, 100)).value(), "text");
  EXPECT_EQ(queue().Status().recipients_claimed, 1u);
  EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kClaimed);
  Finish(claim, Outcome::kDelivered);
  EXPECT_FALSE(queue().Show(id).has_value());
  const QueueStatus status = queue().Status();
  EXPECT_EQ(
      status.mails + status.bytes + status.recipients_waiting + status.recipients_claimed + status.recipients_held, 0u);
}

TEST_F(MailQueueTest, RecipientsAreGroupedByDestinationAndFinishApart) {
  const QueueId id = Add({"a@x.test", "b@y.test", "c@x.test"});
  const Claim x = Take();
  const Claim y = Take();
  EXPECT_EQ(x.recipients, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(y.recipients, (std::vector<std::uint32_t>{1}));
  EXPECT_NE(x.DeliveryIdOf(0), x.DeliveryIdOf(2));
  Finish(x, Outcome::kDelivered);
  ASSERT_TRUE(queue().Show(id).has_value());
  EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kDelivered);
  EXPECT_EQ(queue().Show(id)->recipients[1].state, RecipientState::kClaimed);
  Finish(y, Outcome::kRetryLater, "451 busy");
  const RecipientStatus waiting = queue().Show(id)->recipients[1];
  EXPECT_EQ(waiting.state, RecipientState::kWaiting);
  EXPECT_EQ(waiting.attempts, 1u);
  EXPECT_EQ(waiting.last_answer, "451 busy");
  EXPECT_EQ(waiting.next_attempt, clock_.WallNow() + seconds(60));
}

TEST_F(MailQueueTest, OneRecipientOfAClaimMayFailAlone) {
  const QueueId id = Add({"a@x.test", "b@x.test", "c@x.test"});
  const Claim claim = Take();
  ASSERT_TRUE(Run(queue().Record(claim, {{0, Outcome::kDelivered, "ok"},
                                         {1, Outcome::kRejected, "550 no such user"},
                                         {2, Outcome::kRetryLater, "451"}}))
                  .has_value());
  const QueuedMail mail = *queue().Show(id);
  EXPECT_EQ(mail.recipients[0].state, RecipientState::kDelivered);
  EXPECT_EQ(mail.recipients[1].state, RecipientState::kHeld);
  EXPECT_EQ(mail.recipients[1].last_answer, "550 no such user");
  EXPECT_EQ(mail.recipients[2].state, RecipientState::kWaiting);
  ExpectNothingDue();
  clock_.Advance(seconds(60));
  EXPECT_EQ(Take().recipients, (std::vector<std::uint32_t>{2}));
}

TEST_F(MailQueueTest, ARecipientWithoutAnOutcomeStaysDue) {
  const QueueId id = Add({"a@x.test", "b@x.test"});
  const Claim claim = Take();
  ASSERT_TRUE(Run(queue().Record(claim, {{0, Outcome::kDelivered, "ok"}})).has_value());
  EXPECT_EQ(queue().Show(id)->recipients[1].attempts, 0u);
  EXPECT_EQ(Take().recipients, (std::vector<std::uint32_t>{1}));
}

TEST_F(MailQueueTest, RecipientsThatFailTogetherComeAgainTogether) {
  options_.retry.jitter_percent = 20;
  Restart(false);
  Add({"a@x.test", "b@x.test", "c@x.test"});
  Finish(Take(), Outcome::kRetryLater);
  clock_.Advance(seconds(72));
  EXPECT_EQ(Take().recipients, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST_F(MailQueueTest, AClaimGivenBackIsDueAgainAtOnce) {
  Add({"a@x.test"});
  queue().GiveBack(Take());
  EXPECT_EQ(queue().Status().recipients_claimed, 0u);
  EXPECT_EQ(Take().recipients, (std::vector<std::uint32_t>{0}));
}

TEST_F(MailQueueTest, AClaimGivenBackThatWasHeldMeanwhileStaysHeld) {
  const QueueId id = Add({"a@x.test"});
  const Claim claim = Take();
  ASSERT_TRUE(Run(queue().Hold(id)).has_value());
  queue().GiveBack(claim);
  ExpectNothingDue();
  EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kHeld);
}

TEST_F(MailQueueTest, WhatWasDueIsClaimedWholeThoughTheClockIsSetBack) {
  Add({"a@x.test", "b@y.test"});
  Finish(Take(), Outcome::kRetryLater);
  clock_.Advance(seconds(60));
  // Looked at then, and so known to be due.
  const Claim second = Take();
  queue().GiveBack(second);
  clock_.JumpWall(-hours(1));
  EXPECT_EQ(Take().recipients.size(), 1u);
  EXPECT_EQ(Take().recipients.size(), 1u);
}

TEST_F(MailQueueTest, ToldIsWhatCanNeverBeClaimedAgain) {
  const replog::PartitionId partition = Add({"a@x.test"}).partition;
  Finish(Take(), Outcome::kDelivered);
  std::vector<replog::Index> stay;
  for (int i = 0; i < 40; ++i) {
    const QueueId id = Add({"b" + std::to_string(i) + "@x.test"});
    const Claim claim = Take();
    const bool stays = i % 5 == 0;
    Finish(claim, !stays ? Outcome::kDelivered : i == 20 ? Outcome::kRejected : Outcome::kRetryLater);
    if (stays && id.partition == partition) stay.push_back(id.index);
  }
  ASSERT_GT(stay.size(), 1u);
  for (const bool crash : {false, true}) {
    const SettledMail settled = queue().Settled(partition, 100);
    EXPECT_EQ(settled.except, stay);
    EXPECT_EQ(settled.below, queue().LastApplied(partition).Next());
    const SettledMail cut_short = queue().Settled(partition, stay.size() - 1);
    EXPECT_EQ(cut_short.below, stay.back());
    EXPECT_EQ(cut_short.except.size(), stay.size() - 1);
    Restart(crash);
  }
  // What is with a courier is not settled, nor is what comes later.
  const SettledMail before = queue().Settled(partition, 100);
  for (int i = 0; i < 2; ++i) Add({"c@y.test"});
  for (int i = 0; i < 2; ++i) {
    const Claim claim = Take();
    if (claim.id.partition != partition) continue;
    EXPECT_GE(claim.id.index, before.below);
    EXPECT_EQ(queue().Settled(partition, 100).except.back(), claim.id.index);
  }
}

TEST_F(MailQueueTest, RetriesDoubleAndEndHeldWithTheReason) {
  const QueueId id = Add({"a@x.test"});
  std::chrono::seconds delay(60);
  const base::WallTime begin = clock_.WallNow();
  for (std::uint32_t attempt = 1;; ++attempt) {
    ASSERT_LT(attempt, 100u);
    const Claim claim = Take();
    EXPECT_EQ(claim.attempts, attempt - 1);
    Finish(claim, Outcome::kRetryLater, "451 later");
    if (queue().Show(id)->recipients[0].state == RecipientState::kHeld) break;
    EXPECT_EQ(queue().Show(id)->recipients[0].next_attempt, clock_.WallNow() + delay);
    clock_.Advance(delay);
    delay = std::min<std::chrono::seconds>(delay * 2, hours(4));
  }
  EXPECT_GE(clock_.WallNow() - begin, hours(120));
  EXPECT_NE(queue().Show(id)->recipients[0].last_answer.find("gave up"), std::string::npos);
  EXPECT_NE(queue().Show(id)->recipients[0].last_answer.find("451 later"), std::string::npos);
  // Released, it is tried again from the beginning.
  ASSERT_TRUE(Run(queue().Release(id)).has_value());
  EXPECT_EQ(Take().attempts, 0u);
}

TEST_F(MailQueueTest, EverythingIsBackAfterACrash) {
  const QueueId waiting = Add({"a@x.test", "b@y.test"}, "waiting", mail::Class::kBulk);
  const QueueId retried = Add({"c@z.test"}, std::string(600'000, 'r'));
  const Claim claim = Take();
  ASSERT_EQ(claim.id, retried);
  Finish(claim, Outcome::kRetryLater, "451 busy");
  const QueueId done = Add({"d@z.test"}, "done");
  Finish(Take(), Outcome::kDelivered);
  const Claim unfinished = Take();
  EXPECT_EQ(unfinished.id, waiting);

  for (const bool crash : {true, false, true}) {
    Restart(crash);
    EXPECT_EQ(queue().Status().mails, 2u);
    EXPECT_EQ(queue().Status().recipients_waiting, 3u);
    EXPECT_FALSE(queue().Show(done).has_value());
    const QueuedMail mail = *queue().Show(retried);
    EXPECT_EQ(mail.recipients[0].attempts, 1u);
    EXPECT_EQ(mail.recipients[0].last_answer, "451 busy");
    EXPECT_EQ(mail.recipients[0].next_attempt, clock_.WallNow() + seconds(60));
    EXPECT_EQ(mail.size_bytes, 600'000u);
    EXPECT_EQ(queue().Show(waiting)->cls, mail::Class::kBulk);
    // A snapshot instead of the entries gives the same.
    for (std::uint32_t n = 0; n < 3; ++n) {
      const auto snapshot = Run(node_->log->SnapshotNow(node_->log->QueuePartition(n)));
      ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message();
    }
  }
  Claim again = Take();
  EXPECT_EQ(again.id, waiting);
  EXPECT_EQ(Run(queue().ReadBody(again, 0, 100)).value(), "waiting");
  clock_.Advance(seconds(60));
  // Of the better class, it goes before the bulk mail's second destination.
  again = Take();
  ASSERT_EQ(again.id, retried);
  EXPECT_EQ(Run(queue().ReadBody(again, 599'990, 100)).value(), std::string(10, 'r'));
  EXPECT_EQ(Take().id, waiting);
}

TEST_F(MailQueueTest, ADestinationHasItsBudgetAndOthersGoOn) {
  for (int i = 0; i < 5; ++i) Add({"a@x.test"});
  Add({"b@y.test"});
  const Claim first = Take();
  Take();
  EXPECT_EQ(Take().destination, "y.test");
  ExpectNothingDue();
  queue().GiveBack(first);
  EXPECT_EQ(Take().id, first.id);
}

TEST_F(MailQueueTest, HoldReleaseRequeueReclassAndRemove) {
  const QueueId id = Add({"a@x.test"});
  ASSERT_TRUE(Run(queue().Hold(id)).has_value());
  EXPECT_EQ(queue().Status().recipients_held, 1u);
  ExpectNothingDue();
  ASSERT_TRUE(Run(queue().Release(id)).has_value());
  Finish(Take(), Outcome::kRetryLater);
  ExpectNothingDue();
  ASSERT_TRUE(Run(queue().Requeue(id)).has_value());
  const Claim claim = Take();
  EXPECT_EQ(claim.attempts, 1u);
  ASSERT_TRUE(Run(queue().Reclass(id, mail::Class::kSuspect)).has_value());
  EXPECT_EQ(queue().Show(id)->cls, mail::Class::kSuspect);
  // Removed while a courier has it: what it reports then is of no interest.
  ASSERT_TRUE(Run(queue().Remove(id)).has_value());
  EXPECT_FALSE(queue().Show(id).has_value());
  Finish(claim, Outcome::kDelivered);
  EXPECT_EQ(queue().Status().recipients_claimed, 0u);
  std::vector<async::Task<base::Result<>>> controls;
  controls.push_back(queue().Hold(id));
  controls.push_back(queue().Release(id));
  controls.push_back(queue().Requeue(id));
  controls.push_back(queue().Remove(id));
  for (auto& control : controls) {
    const auto result = Run(std::move(control));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), base::Errc::kNotFound);
  }
}

TEST_F(MailQueueTest, AMailIsReadByItsIdWhoeverHasClaimedIt) {
  const QueueId id = Add({"a@x.test"}, "the whole text");
  EXPECT_EQ(Run(queue().ReadBody(id, 4, 5)).value(), "whole");
  const Claim claim = Take();
  EXPECT_EQ(Run(queue().ReadBody(id, 0, 100)).value(), "the whole text");
  Finish(claim, Outcome::kDelivered);
  const auto gone = Run(queue().ReadBody(id, 0, 100));
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code(), base::Errc::kNotFound);
}

TEST_F(MailQueueTest, EachRecipientIsShownWithItsDestination) {
  const QueueId id = Add({"a@x.test", "b@y.test"});
  for (const bool crash : {false, true}) {
    EXPECT_EQ(queue().Show(id)->recipients[0].destination, "x.test");
    EXPECT_EQ(queue().List({}, 1)[0].recipients[1].destination, "y.test");
    Restart(crash);
  }
}

TEST_F(MailQueueTest, MailOfClassHeldWaitsUntilItIsReleased) {
  const QueueId id = Add({"a@x.test"}, "held", mail::Class::kHeld);
  EXPECT_EQ(queue().Show(id)->recipients[0].state, RecipientState::kHeld);
  ExpectNothingDue();
  Restart();
  ExpectNothingDue();
  ASSERT_TRUE(Run(queue().Release(id)).has_value());
  EXPECT_EQ(Take().id, id);
}

TEST_F(MailQueueTest, EachEnqueueWakesAWaitingWorker) {
  std::vector<Claim> claims;
  async::TaskGroup group(node_->context.get_executor(), "takers");
  for (int i = 0; i < 4; ++i) group.Spawn(TakeOne(&queue(), &claims));
  node_->context.restart();
  node_->context.poll();
  for (int i = 0; i < 4; ++i) Add({"a@" + std::to_string(i) + ".test"});
  Run(group.Join());
  EXPECT_EQ(claims.size(), 4u);
  Run(group.Stop());
}

TEST_F(MailQueueTest, ListGoesThroughAllInOrder) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 30; ++i)
    ids.push_back(Add({"a@x.test"}, "t", i % 3 == 0 ? mail::Class::kBulk : mail::Class::kNormal));
  std::ranges::sort(ids);
  std::vector<QueueId> listed;
  for (QueueId after;;) {
    const std::vector<QueuedMail> page = queue().List(after, 7);
    for (const QueuedMail& mail : page) listed.push_back(mail.id);
    if (page.size() < 7) break;
    after = page.back().id;
  }
  EXPECT_EQ(listed, ids);
}

TEST_F(MailQueueTest, RefusesMailWithoutOrWithTooManyRecipients) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{options_.recipients_max} + 1}) {
    const auto id = Run(EnqueueText(&queue(), EnvelopeTo(std::vector<std::string>(count, "a@x.test")), "t"));
    ASSERT_FALSE(id.has_value());
    EXPECT_EQ(id.error().code(), base::Errc::kInvalid);
  }
}

TEST_F(MailQueueTest, AFailedRecordGivesTheClaimBack) {
  const QueueId id = Add({"a@x.test"});
  const Claim claim = Take();
  node_->device.Plant({.kind = mffs::PlantedFault::Kind::kFail, .times = mffs::PlantedFault::kAlways});
  const auto recorded = Run(queue().Record(claim, {{0, Outcome::kDelivered, "ok"}}));
  ASSERT_FALSE(recorded.has_value());
  EXPECT_EQ(queue().Status().recipients_claimed, 0u);
  ExpectNothingDue();
  clock_.Advance(seconds(60));
  EXPECT_EQ(Take().id, id);
}

}  // namespace
}  // namespace queue
