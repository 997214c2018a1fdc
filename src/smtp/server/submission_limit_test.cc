#include "smtp/server/submission_limit.h"

#include <gtest/gtest.h>

namespace smtp {
namespace {

using namespace std::chrono_literals;
using Verdict = SubmissionLimit::Verdict;

TEST(SubmissionLimit, AllowsAnHoursWorthAtOnceAndThenWhatComesBack) {
  SubmissionLimit limit;
  const SubmissionLimit::Rates rates{.mails_per_hour = 4, .recipients_per_hour = 0};
  base::SteadyTime now{};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(limit.Take("a", 1000, rates, now), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 1, rates, now), Verdict::kTooManyMails);
  EXPECT_EQ(limit.Take("b", 1, rates, now), Verdict::kMaySend);
  // In steps, none of which brings a whole mail back.
  for (int i = 0; i < 89; ++i) EXPECT_EQ(limit.Take("a", 1, rates, now += 10s), Verdict::kTooManyMails) << i;
  EXPECT_EQ(limit.Take("a", 1, rates, now += 10s), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 1, rates, now), Verdict::kTooManyMails);
  now += 100h;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(limit.Take("a", 1, rates, now), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 1, rates, now), Verdict::kTooManyMails);
}

TEST(SubmissionLimit, TakesNothingForWhatItRefuses) {
  SubmissionLimit limit;
  const SubmissionLimit::Rates rates{.mails_per_hour = 2, .recipients_per_hour = 10};
  const base::SteadyTime now{};
  EXPECT_EQ(limit.Take("a", 11, rates, now), Verdict::kTooManyRecipients);
  EXPECT_EQ(limit.Take("a", 8, rates, now), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 3, rates, now), Verdict::kTooManyRecipients);
  EXPECT_EQ(limit.Take("a", 2, rates, now), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 0, rates, now), Verdict::kTooManyMails);
}

TEST(SubmissionLimit, FollowsItsRates) {
  SubmissionLimit limit;
  const base::SteadyTime now{};
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.Take("a", 1000, {}, now), Verdict::kMaySend);
  // A limit that comes by a reload counts from then on.
  EXPECT_EQ(limit.Take("a", 1, {.mails_per_hour = 60}, now), Verdict::kTooManyMails);
  EXPECT_EQ(limit.Take("a", 1, {.mails_per_hour = 60}, now + 1min), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 1, {.mails_per_hour = 1}, now + 2h), Verdict::kMaySend);
  EXPECT_EQ(limit.Take("a", 1, {.mails_per_hour = 1}, now + 2h), Verdict::kTooManyMails);
}

}  // namespace
}  // namespace smtp
