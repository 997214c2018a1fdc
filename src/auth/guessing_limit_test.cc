#include "auth/guessing_limit.h"

#include <gtest/gtest.h>

namespace auth {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

class GuessingLimitTest : public testing::Test {
 protected:
  static GuessingLimit::Attempt From(const std::string& ip, const std::string& account = "alice@example.test") {
    return GuessingLimit::MakeAttempt(account, ip);
  }
  milliseconds Wait(const GuessingLimit::Attempt& attempt) {
    const auto delay = limit_.Reserve(attempt, clock_.SteadyNow());
    return delay.has_value() ? *delay : milliseconds(-1);
  }
  // A wrong password, after the wait it was given.
  milliseconds Fail(const GuessingLimit::Attempt& attempt) {
    const milliseconds delay = Wait(attempt);
    if (delay < 0ms) return delay;
    clock_.Advance(delay);
    limit_.Failed(attempt, clock_.SteadyNow());
    return delay;
  }

  base::SimClock clock_;
  GuessingLimit limit_{AuthenticatorOptions{.failures_tracked_max = 5}};
};

TEST_F(GuessingLimitTest, DoublesAfterTheFreeFailuresUpToTheMaximum) {
  const milliseconds expected[] = {0ms,     0ms,     0ms,      500ms,    1'000ms, 2'000ms,
                                   4'000ms, 8'000ms, 15'000ms, 15'000ms, 15'000ms};
  for (const milliseconds delay : expected) EXPECT_EQ(Fail(From("192.0.2.1")), delay);
}

TEST_F(GuessingLimitTest, ANetworkIsSlowedOverAllItsAddressesAndAccounts) {
  for (int i = 0; i < 5; ++i) Fail(From("192.0.2." + std::to_string(i), "user" + std::to_string(i)));
  EXPECT_GT(Wait(From("192.0.2.99", "fresh")), 0ms);
  EXPECT_EQ(Wait(From("192.0.3.99", "fresh")), 0ms);
  for (int i = 0; i < 5; ++i) Fail(From("2001:db8::" + std::to_string(i + 1), "other" + std::to_string(i)));
  EXPECT_GT(Wait(From("2001:db8::ffff", "fresh")), 0ms);
  EXPECT_EQ(Wait(From("2001:db8:0:1::1", "fresh")), 0ms);
}

TEST_F(GuessingLimitTest, AnAccountIsSlowedOverAllNetworks) {
  for (int i = 0; i < 4; ++i) Fail(From("10.0." + std::to_string(i) + ".1"));
  EXPECT_EQ(Wait(From("10.9.9.9")), 1'000ms);
  EXPECT_EQ(Wait(From("10.9.9.9", "bob@example.test")), 0ms);
}

TEST_F(GuessingLimitTest, AKnownClientIsNotHeldUpByItsNeighboursForWeeks) {
  const auto known = From("192.0.2.1");
  limit_.Succeeded(known, clock_.SteadyNow());
  clock_.Advance(24h * 29);
  for (int i = 0; i < 8; ++i) Fail(From("192.0.2.9", "bob@example.test"));
  EXPECT_EQ(Wait(known), 0ms);
  // Its own failures count, and are forgiven after a while as all are.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fail(known), 0ms);
  EXPECT_EQ(Wait(known), 500ms);
  clock_.Advance(901s);
  EXPECT_EQ(Wait(known), 0ms);
  clock_.Advance(24h * 30);
  for (int i = 0; i < 4; ++i) Fail(From("192.0.2.9", "bob@example.test"));
  EXPECT_GT(Wait(known), 0ms);
}

// The memory of one failure does not depend on what the guesser sent.
TEST_F(GuessingLimitTest, NamesThatNoAccountHasAreRememberedInShort) {
  EXPECT_LE(From("192.0.2.1", std::string(100'000, 'x')).account.size(), 256u);
}

TEST_F(GuessingLimitTest, LoopbackCountsToo) {
  for (int i = 0; i < 4; ++i) Fail(From("127.0.0.1"));
  EXPECT_EQ(Fail(From("127.0.0.1")), 1'000ms);
}

TEST_F(GuessingLimitTest, ManyConnectionsGuessNoFasterThanOne) {
  for (int i = 0; i < 7; ++i) Fail(From("192.0.2.1"));
  EXPECT_EQ(Wait(From("192.0.2.1")), 8'000ms);
  EXPECT_EQ(Wait(From("192.0.2.1")), 16'000ms);
  const auto third = limit_.Reserve(From("192.0.2.1"), clock_.SteadyNow());
  ASSERT_FALSE(third.has_value());
  EXPECT_EQ(third.error().code(), base::Errc::kBusy);
}

// A first login may come from a network that guesses at other accounts, however many of its guesses wait.
TEST_F(GuessingLimitTest, AFirstLoginFromAGuessingNetworkWaitsForTheLongestDelayAtMost) {
  for (int i = 0; i < 50; ++i) Fail(From("192.0.2.1", "victim" + std::to_string(i % 4)));
  for (int i = 0; i < 50; ++i) Wait(From("192.0.2.2", "victim0"));
  EXPECT_EQ(Wait(From("192.0.2.7")), 15s);
  EXPECT_EQ(Wait(From("192.0.2.7", "bob@example.test")), 15s);
}

// The row of the account that is guessed at is the only one that can be full, and only for its own network.
TEST_F(GuessingLimitTest, ANetworkThatFillsTheRowOfAnAccountFillsNoOther) {
  for (int i = 0; i < 9; ++i) Fail(From("192.0.2.1"));
  EXPECT_EQ(Wait(From("192.0.2.1")), 15s);
  EXPECT_EQ(Wait(From("192.0.2.1")), 30s);
  EXPECT_EQ(Wait(From("192.0.2.1")), -1ms);
  EXPECT_EQ(Wait(From("198.51.100.1")), 15s);
}

TEST_F(GuessingLimitTest, GuessesAtManyNamesDoNotMakeAKnownClientAStranger) {
  const auto known = From("192.0.2.1");
  limit_.Succeeded(known, clock_.SteadyNow());
  for (int i = 0; i < 20; ++i) Fail(From("192.0.2.9", "name" + std::to_string(i)));
  EXPECT_EQ(Wait(known), 0ms);
}

TEST_F(GuessingLimitTest, TheOwnerIsNotLockedOutByTheGuessesOfOthers) {
  limit_.Succeeded(From("198.51.100.1"), clock_.SteadyNow());
  for (int i = 0; i < 9; ++i) Fail(From("192.0.2.1"));
  EXPECT_EQ(Wait(From("198.51.100.1")), 0ms);
  // Not even by guesses at other accounts from the same network, as behind one web mail or NAT.
  for (int i = 0; i < 9; ++i) Fail(From("198.51.100.1", "bob@example.test"));
  EXPECT_EQ(Wait(From("198.51.100.1")), 0ms);
  // But the place itself has no free guesses: its own failures count.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fail(From("198.51.100.1")), 0ms);
  EXPECT_EQ(Fail(From("198.51.100.1")), 500ms);
}

TEST_F(GuessingLimitTest, OneOwnAccountDoesNotWipeTheFailuresOfANetwork) {
  for (int i = 0; i < 5; ++i) Fail(From("192.0.2.1"));
  limit_.Succeeded(From("192.0.2.1", "mallory@example.test"), clock_.SteadyNow());
  EXPECT_GT(Wait(From("192.0.2.1")), 0ms);
}

TEST_F(GuessingLimitTest, ForgivesAfterAWhileWithoutFailures) {
  for (int i = 0; i < 6; ++i) Fail(From("192.0.2.1"));
  clock_.Advance(899s);
  EXPECT_GT(Wait(From("192.0.2.1")), 0ms);
  clock_.Advance(1s);
  EXPECT_EQ(Wait(From("192.0.2.1")), 0ms);
  EXPECT_EQ(Fail(From("192.0.2.1")), 0ms);
}

TEST_F(GuessingLimitTest, ForgetDropsWhatIsHeldAgainstAnAccount) {
  for (int i = 0; i < 4; ++i) Fail(From("10.0." + std::to_string(i) + ".1"));
  limit_.Forget("alice@example.test");
  EXPECT_EQ(Wait(From("10.9.9.9")), 0ms);
}

}  // namespace
}  // namespace auth
