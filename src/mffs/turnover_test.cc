#include "mffs/turnover.h"

#include <deque>

#include <gtest/gtest.h>

#include "base/random.h"

namespace mffs {
namespace {

constexpr std::uint64_t kMailBytes = 4000;

// Mailboxes whose mails live as the test says; every mail is as large as another.
class Mailboxes {
 public:
  Mailboxes(std::uint64_t seed, std::size_t mailboxes) : random_(seed), mails_(mailboxes) {}

  void Add(std::uint64_t mailbox) {
    mails_[mailbox] += 1;
    all_ += 1;
  }
  void Remove(std::uint64_t mailbox) {
    if (mails_[mailbox] == 0) return;
    turnover_.Released(mailbox, {.bytes = kMailBytes},
                       {.owner_bytes = mails_[mailbox] * kMailBytes, .all_bytes = all_ * kMailBytes});
    mails_[mailbox] -= 1;
    all_ -= 1;
  }
  std::size_t CountBrief(std::uint64_t first, std::uint64_t end) const {
    std::size_t count = 0;
    for (std::uint64_t i = first; i < end; ++i) count += turnover_.IsBrief(i) ? 1 : 0;
    return count;
  }
  Turnover& turnover() { return turnover_; }
  base::Random& random() { return random_; }
  std::uint64_t size() const { return mails_.size(); }

 private:
  base::Random random_;
  std::vector<std::uint64_t> mails_;
  std::uint64_t all_ = 0;
  Turnover turnover_;
};

// `share` in a hundred of what comes and goes is in the first fifth of the mailboxes. All are equally large.
void TurnOver(Mailboxes* of, int rounds, std::uint64_t share) {
  for (int i = 0; i < rounds; ++i) {
    const bool is_quick = of->random().Below(100) < share;
    const std::uint64_t fifth = of->size() / 5;
    const std::uint64_t mailbox = is_quick ? of->random().Below(fifth) : fifth + of->random().Below(of->size() - fifth);
    of->Remove(mailbox);
    of->Add(mailbox);
  }
}

void Fill(Mailboxes* of, int mails_each) {
  for (std::uint64_t mailbox = 0; mailbox < of->size(); ++mailbox) {
    for (int i = 0; i < mails_each; ++i) of->Add(mailbox);
  }
}

class Turnovers : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, Turnovers, testing::Range<std::uint64_t>(1, 6));

TEST_P(Turnovers, FindMailboxesOfWhichFourFifthsOfTheDeletionsHitAFifth) {
  Mailboxes mailboxes(GetParam(), 500);
  Fill(&mailboxes, 100);
  TurnOver(&mailboxes, 25'000, 80);
  EXPECT_EQ(mailboxes.CountBrief(0, 100), 100u);
  EXPECT_EQ(mailboxes.CountBrief(100, 500), 0u);
}

TEST_P(Turnovers, FindNoneWhenAnyMailMayGo) {
  Mailboxes mailboxes(GetParam(), 500);
  Fill(&mailboxes, 60);
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    TurnOver(&mailboxes, 1000, 20);
    most = std::max(most, mailboxes.CountBrief(0, 500));
  }
  EXPECT_LE(most, 2u);
}

TEST_P(Turnovers, ForgetAMailboxThatKeepsItsMailFromNowOn) {
  Mailboxes mailboxes(GetParam(), 500);
  Fill(&mailboxes, 100);
  TurnOver(&mailboxes, 25'000, 80);
  TurnOver(&mailboxes, 50'000, 20);
  EXPECT_LE(mailboxes.CountBrief(0, 500), 1u);
}

TEST(Turnover, KnowsNothingAtFirst) {
  Turnover turnover;
  EXPECT_FALSE(turnover.IsBrief(1));
  // All that was released is of one owner, but it is little of what is there: that says nothing yet.
  for (int i = 0; i < 60; ++i) {
    turnover.Released(1, {.bytes = 1000}, {.owner_bytes = 100'000, .all_bytes = 1'000'000});
  }
  EXPECT_FALSE(turnover.IsBrief(1));
  for (int i = 0; i < 60; ++i) {
    turnover.Released(1, {.bytes = 1000}, {.owner_bytes = 100'000, .all_bytes = 1'000'000});
  }
  EXPECT_TRUE(turnover.IsBrief(1));
}

TEST(Turnover, CountsWhatWasNotReleasedYet) {
  // Both release as much; the mail of the one is gone soon, the other has ten times as much as it releases.
  Turnover turnover;
  for (int i = 0; i < 200; ++i) {
    turnover.Released(1, {.bytes = 1000}, {.owner_bytes = 10'000, .all_bytes = 3'000'000});
    turnover.Released(2, {.bytes = 1000}, {.owner_bytes = 2'000'000, .all_bytes = 3'000'000});
  }
  EXPECT_TRUE(turnover.IsBrief(1));
  EXPECT_FALSE(turnover.IsBrief(2));
}

TEST(Turnover, LearnsFromOwnersThatEmptyTheirMailboxAtOnce) {
  Turnover turnover;
  for (int i = 0; i < 20; ++i) {
    turnover.Released(1, {.records = 10, .bytes = 10'000}, {.owner_bytes = 10'000, .all_bytes = 1'000'000});
  }
  EXPECT_TRUE(turnover.IsBrief(1));
}

TEST(Turnover, TakesReleasesOfNobodyAsThoseOfAll) {
  Turnover turnover;
  for (int i = 0; i < 100; ++i) {
    turnover.Released(1, {.bytes = 1000}, {.owner_bytes = 100'000, .all_bytes = 1'000'000});
    turnover.Released(std::nullopt, {.bytes = 9000}, {.owner_bytes = 0, .all_bytes = 1'000'000});
  }
  EXPECT_FALSE(turnover.IsBrief(1)) << "its mail lives as long as that of all";
}

TEST(Turnover, AnOwnerThatFillsTheTableDoesNotPushOutOnesThatReleaseMore) {
  Turnover turnover(64);
  const auto release = [&turnover](std::uint64_t owner, std::uint64_t bytes) {
    turnover.Released(owner, {.bytes = bytes}, {.owner_bytes = 50'000, .all_bytes = 10'000'000});
  };
  for (int i = 0; i < 100; ++i) {
    release(1, 10'000);
    for (std::uint64_t other = 0; other < 100; ++other) release(1000 + static_cast<std::uint64_t>(i) * 100 + other, 1);
  }
  EXPECT_TRUE(turnover.IsBrief(1));
}

TEST(Turnover, TakesAnyNumbers) {
  Turnover turnover(0);
  turnover.Released(1, {.records = 0, .bytes = 0}, {});
  turnover.Released(1, {.records = 1, .bytes = UINT64_MAX}, {.owner_bytes = 0, .all_bytes = 0});
  turnover.Released(UINT64_MAX, {.records = UINT64_MAX, .bytes = 1}, {.owner_bytes = UINT64_MAX, .all_bytes = 1});
  for (std::uint64_t i = 0; i < 1000; ++i) turnover.Released(i, {.bytes = 1}, {.owner_bytes = 1, .all_bytes = 1});
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_FALSE(turnover.IsBrief(i)) << "one release says nothing";
}

}  // namespace
}  // namespace mffs
