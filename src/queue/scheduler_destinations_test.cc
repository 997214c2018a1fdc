// Scheduler: destinations that are slow or dead, and lanes.
#include <algorithm>

#include <gtest/gtest.h>

#include "queue/scheduler.h"

namespace queue {
namespace {

using std::chrono::seconds;
constexpr base::WallTime kNow(seconds(1'800'000'000));
constexpr StringId kDead = 1;
constexpr StringId kOther = 2;

class SchedulerDestinationsTest : public ::testing::Test {
 protected:
  ItemId Add(std::uint64_t mail, StringId destination, base::WallTime due = kNow, Lane lane = Lane::kRemote) {
    const ItemId item =
        scheduler_.Add({replog::kFirstQueuePartition, replog::Index(mail)}, destination, mail::Class::kNormal, lane);
    scheduler_.SetDue(item, due);
    return item;
  }
  std::vector<ItemId> ClaimAll(base::WallTime now, Lane lane = Lane::kRemote) {
    std::vector<ItemId> items;
    while (const auto item = scheduler_.Claim(now, lane)) items.push_back(*item);
    return items;
  }
  // The attempt fails, and comes again at `due`.
  void Fail(ItemId item, base::WallTime now, base::WallTime due) {
    scheduler_.Report(scheduler_.DestinationOf(item), Reach::kUnreachable, "refused", now);
    scheduler_.SetDue(item, due);
    scheduler_.EndClaim(item);
  }
  void Succeed(ItemId item, base::WallTime now) {
    scheduler_.Report(scheduler_.DestinationOf(item), Reach::kReached, "", now);
    scheduler_.Remove(item);
  }
  // Ten mails for the dead destination, of which those that are tried first fail.
  std::vector<ItemId> Pause() {
    std::vector<ItemId> items;
    for (std::uint64_t n = 0; n < 10; ++n) items.push_back(Add(n, kDead));
    for (const ItemId item : ClaimAll(kNow)) Fail(item, kNow, kNow + seconds(600));
    return items;
  }

  Scheduler scheduler_{{.claims_max = 4,
                        .claims_initial = 3,
                        .failures_to_pause = 3,
                        .pause_min = seconds(60),
                        .pause_max = seconds(240)}};
};

TEST_F(SchedulerDestinationsTest, ARemoteDestinationBeginsSmallAndGrowsWithSuccess) {
  for (std::uint64_t n = 0; n < 20; ++n) Add(n, kOther);
  const auto first = ClaimAll(kNow);
  ASSERT_EQ(first.size(), 3u);
  Succeed(first[0], kNow);
  EXPECT_EQ(ClaimAll(kNow).size(), 2u);
  Succeed(first[1], kNow);
  EXPECT_EQ(ClaimAll(kNow).size(), 1u);
  EXPECT_EQ(scheduler_.StatusOf(kOther).claims, 4u);
}

TEST_F(SchedulerDestinationsTest, MailboxesHaveTheWholeLimitAndALaneOfTheirOwn) {
  for (std::uint64_t n = 0; n < 20; ++n) Add(n, kOther, kNow, Lane::kLocal);
  Add(100, kDead);
  EXPECT_TRUE(scheduler_.HasDue(kNow, Lane::kLocal));
  EXPECT_EQ(ClaimAll(kNow, Lane::kLocal).size(), 4u);
  EXPECT_FALSE(scheduler_.HasDue(kNow, Lane::kLocal));
  EXPECT_TRUE(scheduler_.HasDue(kNow, Lane::kRemote));
  EXPECT_EQ(ClaimAll(kNow, Lane::kRemote).size(), 1u);
}

TEST_F(SchedulerDestinationsTest, ADeadDestinationIsPausedAndItsMailIsNotTried) {
  Pause();
  Add(100, kOther);
  EXPECT_EQ(ClaimAll(kNow).size(), 1u);
  EXPECT_TRUE(scheduler_.IsPaused(kDead));
  EXPECT_EQ(scheduler_.StatusOf(kDead).reason, "refused");
  EXPECT_EQ(scheduler_.StatusOf(kDead).items, 10u);
  EXPECT_EQ(scheduler_.NextDue(), kNow + seconds(60));
  EXPECT_TRUE(ClaimAll(kNow + seconds(59)).empty());
}

TEST_F(SchedulerDestinationsTest, OneMailTriesAfterThePause) {
  Pause();
  base::WallTime now = kNow;
  for (const int pause : {60, 120, 240, 240}) {
    EXPECT_TRUE(ClaimAll(now + seconds(pause - 1)).empty());
    now += seconds(pause);
    const auto probe = ClaimAll(now);
    ASSERT_EQ(probe.size(), 1u);
    EXPECT_FALSE(scheduler_.IsPaused(kDead));
    Fail(probe[0], now, now + seconds(10'000));
    EXPECT_TRUE(scheduler_.IsPaused(kDead));
  }
  now += seconds(240);
  const auto probe = ClaimAll(now);
  ASSERT_EQ(probe.size(), 1u);
  Succeed(probe[0], now);
  EXPECT_EQ(scheduler_.StatusOf(kDead).reason, "");
  EXPECT_FALSE(scheduler_.StatusOf(kDead).paused_until.has_value());
  // Down to one by the failures, up by one.
  EXPECT_EQ(ClaimAll(now).size(), 2u);
}

TEST_F(SchedulerDestinationsTest, AProbeThatToldNothingIsFollowedByAnother) {
  Pause();
  const base::WallTime now = kNow + seconds(60);
  const auto probe = ClaimAll(now);
  ASSERT_EQ(probe.size(), 1u);
  scheduler_.SetDue(probe[0], now);
  scheduler_.EndClaim(probe[0]);
  EXPECT_EQ(ClaimAll(now).size(), 1u);
}

TEST_F(SchedulerDestinationsTest, AnOperatorEndsAPause) {
  Pause();
  EXPECT_TRUE(ClaimAll(kNow).empty());
  scheduler_.EndPause(kDead, kNow);
  EXPECT_EQ(ClaimAll(kNow).size(), 1u);
}

TEST_F(SchedulerDestinationsTest, WhatIsPressingComesThoughItsDestinationIsPaused) {
  const auto items = Pause();
  // One that waits for its turn, and one that waits for its next attempt.
  scheduler_.SetPressing(items[7], true);
  scheduler_.SetPressing(items[0], true);
  EXPECT_TRUE(scheduler_.IsPaused(kDead));
  EXPECT_EQ(ClaimAll(kNow), (std::vector<ItemId>{items[7]}));
  scheduler_.SetDue(items[0], kNow);
  EXPECT_EQ(ClaimAll(kNow), (std::vector<ItemId>{items[0]}));
  EXPECT_TRUE(scheduler_.IsPressing(items[0]));
  // No more than the others from here on.
  scheduler_.SetPressing(items[0], false);
  scheduler_.SetDue(items[0], kNow);
  scheduler_.EndClaim(items[0]);
  EXPECT_TRUE(ClaimAll(kNow).empty());
}

TEST_F(SchedulerDestinationsTest, WhatIsPressingIsTriedWithinTheLimitWhereNothingIsPaused) {
  for (std::uint64_t n = 0; n < 10; ++n) scheduler_.SetPressing(Add(n, kOther), true);
  EXPECT_EQ(ClaimAll(kNow).size(), 3u);
}

TEST_F(SchedulerDestinationsTest, WhatIsHeldDoesNotComeByBeingPressing) {
  const ItemId item = Add(1, kOther);
  scheduler_.SetDue(item, std::nullopt);
  scheduler_.SetPressing(item, true);
  EXPECT_TRUE(ClaimAll(kNow).empty());
  scheduler_.SetDue(item, kNow);
  EXPECT_EQ(ClaimAll(kNow).size(), 1u);
}

TEST_F(SchedulerDestinationsTest, ADestinationWithoutItemsIsForgotten) {
  for (const ItemId item : Pause()) scheduler_.Remove(item);
  EXPECT_TRUE(scheduler_.Destinations().empty());
  EXPECT_FALSE(scheduler_.NextDue().has_value());
  for (std::uint64_t n = 0; n < 10; ++n) Add(n, kDead);
  EXPECT_EQ(ClaimAll(kNow).size(), 3u);
}

}  // namespace
}  // namespace queue
