#include "deliver/delivery_metrics.h"

#include <gtest/gtest.h>

namespace deliver {
namespace {

using queue::Outcome;

TEST(DeliveryMetrics, CountsEachRecipientByItsOutcome) {
  base::SimClock clock;
  base::Counter delivered;
  base::Counter deferred;
  base::Counter rejected;
  base::Histogram seconds({1, 60});
  const DeliveryMetrics metrics{&clock, &delivered, &deferred, &rejected, &seconds};
  queue::Claim claim;
  claim.queued_at = clock.WallNow();
  clock.Advance(std::chrono::seconds(30));
  metrics.Count(claim, {{.recipient = 0, .outcome = Outcome::kDelivered},
                        {.recipient = 1, .outcome = Outcome::kDelivered},
                        {.recipient = 2, .outcome = Outcome::kRetryLater},
                        {.recipient = 3, .outcome = Outcome::kRejected},
                        {.recipient = 4, .outcome = Outcome::kDelivered}});
  EXPECT_EQ(delivered.value(), 3u);
  EXPECT_EQ(deferred.value(), 1u);
  EXPECT_EQ(rejected.value(), 1u);
  EXPECT_EQ(seconds.CumulativeCount(0), 0u);
  EXPECT_EQ(seconds.CumulativeCount(1), 3u);
  EXPECT_DOUBLE_EQ(seconds.Sum(), 90);
}

TEST(DeliveryMetrics, AClockThatWasSetBackIsNoDelay) {
  base::SimClock clock;
  base::Counter counter;
  base::Histogram seconds({1});
  queue::Claim claim;
  claim.queued_at = clock.WallNow() + std::chrono::hours(1);
  DeliveryMetrics{&clock, &counter, &counter, &counter, &seconds}.Count(claim, {{.outcome = Outcome::kDelivered}});
  EXPECT_EQ(seconds.CumulativeCount(0), 1u);
}

}  // namespace
}  // namespace deliver
