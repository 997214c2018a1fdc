#include "queue/destination.h"

#include <gtest/gtest.h>

namespace queue {
namespace {

using std::chrono::seconds;
constexpr base::WallTime kNow(seconds(1'800'000'000));
constexpr DestinationLimits kLimits{
    .claims_max = 8, .claims_initial = 5, .failures_to_pause = 3, .pause_min = seconds(60), .pause_max = seconds(200)};

TEST(DestinationHealth, SuccessRaisesTheLimitToTheMaximum) {
  DestinationHealth health(kLimits);
  EXPECT_EQ(health.ClaimsAllowed(kNow), 5u);
  for (const std::uint32_t expected : {6u, 7u, 8u, 8u}) {
    health.Reached(kLimits);
    EXPECT_EQ(health.ClaimsAllowed(kNow), expected);
  }
}

TEST(DestinationHealth, FailuresLowerTheLimitDownToOne) {
  DestinationHealth health(kLimits);
  // Never three in a row.
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(health.Failed(kLimits, kNow));
    EXPECT_FALSE(health.Failed(kLimits, kNow));
    if (i < 19) health.Reached(kLimits);
  }
  EXPECT_EQ(health.ClaimsAllowed(kNow), 1u);
  EXPECT_FALSE(health.is_paused());
}

TEST(DestinationHealth, FailuresInARowPauseForLongerAndLonger) {
  DestinationHealth health(kLimits);
  base::WallTime now = kNow;
  EXPECT_FALSE(health.Failed(kLimits, now));
  EXPECT_FALSE(health.Failed(kLimits, now));
  for (const int pause : {60, 120, 200, 200}) {
    ASSERT_TRUE(health.Failed(kLimits, now));
    EXPECT_EQ(health.paused_until(), now + seconds(pause));
    EXPECT_EQ(health.ClaimsAllowed(now), 0u);
    // What began before tells nothing new.
    EXPECT_FALSE(health.Failed(kLimits, now + seconds(1)));
    EXPECT_EQ(health.ClaimsAllowed(now + seconds(pause) - seconds(1)), 0u);
    now += seconds(pause);
    EXPECT_EQ(health.ClaimsAllowed(now), 1u);
  }
  health.Reached(kLimits);
  EXPECT_FALSE(health.is_paused());
  EXPECT_EQ(health.ClaimsAllowed(now), 2u);
  // From the beginning again.
  EXPECT_FALSE(health.Failed(kLimits, now));
  EXPECT_FALSE(health.Failed(kLimits, now));
  EXPECT_TRUE(health.Failed(kLimits, now));
  EXPECT_EQ(health.paused_until(), now + seconds(60));
}

TEST(DestinationHealth, CountsNeverOverflow) {
  DestinationHealth health(kLimits);
  base::WallTime now = kNow;
  for (int i = 0; i < 100'000; ++i, now += seconds(200)) health.Failed(kLimits, now);
  EXPECT_TRUE(health.is_paused());
  EXPECT_EQ(health.paused_until(), now);
}

}  // namespace
}  // namespace queue
