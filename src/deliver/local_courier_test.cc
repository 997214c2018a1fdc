#include "deliver/local_courier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "async/task_group.h"
#include "deliver/testing.h"
#include "mail/trace.h"

namespace deliver {
namespace {

using queue::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LocalCourierTest : public ::testing::Test {
 protected:
  // The outcomes in the order of the recipients.
  std::vector<Outcome> Deliver(queue::Claim claim) {
    outcomes_.clear();
    bed_.node().Run(courier_.Deliver(std::move(claim), &outcomes_));
    std::ranges::sort(outcomes_, {}, &queue::RecipientOutcome::recipient);
    std::vector<Outcome> outcomes;
    for (const auto& outcome : outcomes_) outcomes.push_back(outcome.outcome);
    return outcomes;
  }

  TestBed bed_;
  LocalCourier courier_{bed_.queue(), &bed_.node().store(), &bed_.node().clock(), {.postmaster = std::string(kAlice)}};
  std::vector<queue::RecipientOutcome> outcomes_;
};

TEST_F(LocalCourierTest, DeliversToEachPartitionWithItsTrace) {
  bed_.Enqueue({"Alice+lists@example.test", kBob, kCarol});
  EXPECT_THAT(Deliver(bed_.NextClaim()), ElementsAre(Outcome::kDelivered, Outcome::kDelivered, Outcome::kDelivered));
  EXPECT_THAT(bed_.Mails(kAlice), ElementsAre("Return-Path: <sender@remote.test>\r\nDelivered-To: "
                                              "Alice+lists@example.test\r\nSubject: s\r\n\r\nhello\r\n"));
  EXPECT_THAT(
      bed_.Mails(kBob),
      ElementsAre(
          "Return-Path: <sender@remote.test>\r\nDelivered-To: bob@example.test\r\nSubject: s\r\n\r\nhello\r\n"));
  EXPECT_THAT(bed_.Mails(kCarol), SizeIs(1));
}

TEST_F(LocalCourierTest, ARepeatedDeliveryDoesNotDouble) {
  bed_.Enqueue({kAlice, kBob});
  const queue::Claim claim = bed_.NextClaim();
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Deliver(claim), ElementsAre(Outcome::kDelivered, Outcome::kDelivered));
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(1));
}

TEST_F(LocalCourierTest, ARecipientWithoutAccountIsRejectedAndTheOthersAreServed) {
  bed_.Enqueue({"gone@example.test", kAlice, "gone too"});
  EXPECT_THAT(Deliver(bed_.NextClaim()), ElementsAre(Outcome::kRejected, Outcome::kDelivered));
  EXPECT_THAT(outcomes_[0].answer, HasSubstr("5.1.1"));
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  // What is no address has a destination of its own.
  EXPECT_THAT(Deliver(bed_.NextClaim()), ElementsAre(Outcome::kRejected));
}

// The account goes while the courier reads the mail for it.
TEST_F(LocalCourierTest, AnAccountRemovedMeanwhileRefusesItsOwnCopyOnly) {
  // Carol's partition is Alice's. A mail in parts is not kept in memory: it is read from the device.
  bed_.Enqueue({kAlice, kCarol, kBob}, "Subject: s\r\n\r\n" + std::string(300u << 10, 'x') + "\r\n");
  const queue::Claim claim = bed_.NextClaim();
  bed_.node().device().Plant(
      {.kind = mffs::PlantedFault::Kind::kHang, .on = mffs::SimOperation::kRead, .times = mffs::PlantedFault::kAlways});
  async::TaskGroup group(bed_.node().executor(), "courier");
  group.Spawn(courier_.Deliver(claim, &outcomes_));
  while (bed_.node().device().hanging() == 0) bed_.node().Run(async::Sleep(std::chrono::milliseconds(1)));
  bed_.node().Do(bed_.node().store().RemoveAccount(std::string(kCarol)));
  bed_.node().device().Unhang();
  bed_.node().Run(group.Join());
  std::ranges::sort(outcomes_, {}, &queue::RecipientOutcome::recipient);
  ASSERT_THAT(outcomes_, SizeIs(3));
  EXPECT_EQ(outcomes_[0].outcome, Outcome::kDelivered) << outcomes_[0].answer;
  EXPECT_EQ(outcomes_[1].outcome, Outcome::kRejected) << outcomes_[1].answer;
  EXPECT_EQ(outcomes_[2].outcome, Outcome::kDelivered) << outcomes_[2].answer;
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(1));
}

TEST_F(LocalCourierTest, PostmasterIsWhoTheOperatorSays) {
  bed_.Enqueue({"Postmaster@example.test"});
  EXPECT_THAT(Deliver(bed_.NextClaim()), ElementsAre(Outcome::kDelivered));
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
}

TEST_F(LocalCourierTest, SubAddressesOfOneAccountGetOneCopy) {
  bed_.Enqueue({"alice+a@example.test", "alice+b@example.test"});
  EXPECT_THAT(Deliver(bed_.NextClaim()), ElementsAre(Outcome::kDelivered, Outcome::kDelivered));
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
}

TEST_F(LocalCourierTest, AFullMailboxRefusesItsOwnCopyOnly) {
  bed_.node().store().SetQuotaRule({.limits = {.bytes = 0, .mails = 1}});
  bed_.Enqueue({kAlice});
  EXPECT_THAT(Deliver(bed_.NextClaim()), ElementsAre(Outcome::kDelivered));
  bed_.Enqueue({kAlice, kCarol, "alice+detail@example.test", kBob});
  const queue::Claim claim = bed_.NextClaim();
  EXPECT_THAT(Deliver(claim),
              ElementsAre(Outcome::kRetryLater, Outcome::kDelivered, Outcome::kRetryLater, Outcome::kDelivered));
  EXPECT_EQ(outcomes_[0].answer, "4.2.2 the mailbox is full");
  courier_.SetWhenFull(store::WhenFull::kReject);
  EXPECT_THAT(Deliver(claim),
              ElementsAre(Outcome::kRejected, Outcome::kDelivered, Outcome::kRejected, Outcome::kDelivered));
  EXPECT_EQ(outcomes_[0].answer, "5.2.2 the mailbox is full");
  EXPECT_THAT(bed_.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed_.Mails(kBob), SizeIs(1)) << "who is full by this mail has it";
}

TEST_F(LocalCourierTest, WhatFailsHereIsTriedAgain) {
  bed_.Enqueue({kAlice, kBob});
  const queue::Claim claim = bed_.NextClaim();
  bed_.node().device().Plant({.kind = mffs::PlantedFault::Kind::kFail,
                              .on = mffs::SimOperation::kWrite,
                              .times = mffs::PlantedFault::kAlways});
  EXPECT_THAT(Deliver(claim), ElementsAre(Outcome::kRetryLater, Outcome::kRetryLater));
  EXPECT_THAT(outcomes_[0].answer, ::testing::StartsWith("4.3.0 "));
  bed_.node().device().ClearFaults();
}

TEST(LocalCourier, ALargeMailIsCopiedInPieces) {
  TestBed bed({.device_bytes = 256u << 20, .pool = {.budget_bytes = 2u << 20}});
  LocalCourier courier(bed.queue(), &bed.node().store(), &bed.node().clock(), {});
  std::string text = "Subject: large\r\n\r\n";
  base::Random random(1);
  while (text.size() < (50u << 20)) text += std::string(70, static_cast<char>('a' + random.Below(26))) + "\r\n";
  bed.Enqueue({kAlice}, text);
  std::vector<queue::RecipientOutcome> outcomes;
  bed.node().Run(courier.Deliver(bed.NextClaim(), &outcomes));
  ASSERT_EQ(outcomes.at(0).outcome, Outcome::kDelivered) << outcomes.at(0).answer;
  const auto mails = bed.Mails(kAlice);
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_TRUE(mails[0].ends_with(text));
  EXPECT_EQ(mails[0].size(), text.size() + mail::DeliveryPrefix("sender@remote.test", kAlice).size());
}

}  // namespace
}  // namespace deliver
