#include "auth/authenticator.h"

#include <gtest/gtest.h>

#include "async/testing.h"
#include "auth/password_hash.h"
#include "auth/testing.h"

namespace auth {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using async::RunTask;
using async::Task;
using base::Errc;

// For co_spawn: what a task counts says that it has ended.
void Ended(const std::exception_ptr& error) {
  CHECK(!error);
}

Task<void> Record(std::vector<std::chrono::milliseconds>* waits, std::chrono::milliseconds delay) {
  waits->push_back(delay);
  co_return;
}

class AuthenticatorTest : public testing::Test {
 protected:
  AuthenticatorTest() {
    directory_.Add("alice@example.test", "secret", true);
    AuthenticatorOptions options{.hashing_jobs_per_network_max = 64};
    options.wait = [this](std::chrono::milliseconds delay) { return Record(&waits_, delay); };
    authenticator_ = std::make_unique<Authenticator>(&directory_, &clock_, std::move(options));
  }

  std::string Verify(std::string address, std::string password, std::string ip = "192.0.2.1") {
    const auto result =
        RunTask(context_, authenticator_->Verify(std::move(address), std::move(password), std::move(ip)));
    return result.has_value() ? *result : std::string(base::ToString(result.error().code()));
  }

  Task<void> Guess(std::string account, int* done, int* refused = nullptr) {
    const auto result = co_await authenticator_->Verify(std::move(account), "guess", "192.0.2.1");
    *done += 1;
    if (refused != nullptr && result.error().code() == Errc::kBusy) *refused += 1;
  }
  // alice, from a network that did nothing wrong. `guesses` is noted as it was when she got in.
  Task<void> LogIn(std::string* account, const int* guesses, int* guesses_before) {
    auto result = co_await authenticator_->Verify("alice@example.test", "secret", "198.51.100.1");
    *guesses_before = *guesses;
    *account = result.has_value() ? *std::move(result) : result.error().message();
  }

  asio::io_context context_;
  base::SimClock clock_;
  MapDirectory directory_;
  std::vector<std::chrono::milliseconds> waits_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, TakesTheRightPasswordOnlyAndReturnsTheCanonicalAddress) {
  EXPECT_EQ(Verify("Alice@Example.TEST", "secret"), "alice@example.test");
  EXPECT_EQ(Verify("alice@example.test", "Secret"), "denied");
  EXPECT_EQ(Verify("bob@example.test", "secret"), "denied");
  EXPECT_EQ(Verify("alice@example.test", "secret\0x"s), "denied");
  EXPECT_EQ(Verify("alice@example.test", ""), "denied");
  EXPECT_EQ(Verify("", ""), "denied");
}

TEST_F(AuthenticatorTest, TheCachedPasswordStopsToCountWhenTheHashChanges) {
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  directory_.Add("alice@example.test", "other", true);
  EXPECT_EQ(Verify("alice@example.test", "secret"), "denied");
  EXPECT_EQ(Verify("alice@example.test", "other"), "alice@example.test");
  directory_.accounts.clear();
  EXPECT_EQ(Verify("alice@example.test", "other"), "denied");
}

TEST_F(AuthenticatorTest, TheCacheSparesTheHashing) {
  // With no room in the queue of jobs, only what is cached can be answered.
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  Authenticator closed(&directory_, &clock_, {.hashing_jobs_max = 0});
  const auto busy = RunTask(context_, closed.Verify("alice@example.test", "secret", "192.0.2.1"));
  EXPECT_EQ(busy.error().code(), Errc::kBusy);
  clock_.Advance(599s);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  const auto cached = (std::chrono::steady_clock::now() - start) / 200;
  clock_.Advance(1s);
  const auto restart = std::chrono::steady_clock::now();
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  EXPECT_GT(std::chrono::steady_clock::now() - restart, 5 * cached);
}

TEST_F(AuthenticatorTest, GuessingIsSlowedAndTheCacheIsNoWayAround) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Verify("alice@example.test", "guess"), "denied");
  EXPECT_EQ(waits_, (std::vector<std::chrono::milliseconds>{500ms, 1'500ms}));
  waits_.clear();
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  EXPECT_EQ(waits_.size(), 1u);
  // Known here now.
  waits_.clear();
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  EXPECT_TRUE(waits_.empty());
}

TEST_F(AuthenticatorTest, AFirstLoginFromAGuessingNetworkGetsInAfterTheLongestDelay) {
  directory_.accounts["bob@example.test"].password_hash = "!";
  for (int i = 0; i < 12; ++i) EXPECT_NE(Verify("bob@example.test", "guess"), "bob@example.test");
  waits_.clear();
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  ASSERT_EQ(waits_.size(), 1u);
  EXPECT_LE(waits_.front(), 15s);
}

// How many hashes it waits for is counted by HashingQueueTest; here the worker runs on while the test is held up.
TEST_F(AuthenticatorTest, AFloodFromOneNetworkDoesNotHoldUpAFirstLoginFromAnother) {
  int guesses = 0, guesses_before = -1;
  std::string account;
  for (int i = 0; i < 40; ++i) asio::co_spawn(context_, Guess("name" + std::to_string(i), &guesses), Ended);
  while (guesses == 0) context_.run_one();
  asio::co_spawn(context_, LogIn(&account, &guesses, &guesses_before), Ended);
  while (account.empty()) context_.run_one();
  EXPECT_EQ(account, "alice@example.test");
  EXPECT_LT(guesses_before, 20);
  while (guesses < 40) context_.run_one();
}

TEST_F(AuthenticatorTest, OneNetworkFillsItsOwnRoomForHashesOnly) {
  int guesses = 0, refused = 0;
  for (int i = 0; i < 80; ++i) {
    asio::co_spawn(context_, Guess("name" + std::to_string(i), &guesses, &refused), Ended);
  }
  // Directory and limit answer at once: all are refused or wait for a hash when the first of them is done.
  while (guesses == 0) context_.run_one();
  EXPECT_EQ(Verify("alice@example.test", "secret", "198.51.100.1"), "alice@example.test");
  while (guesses < 80) context_.run_one();
  EXPECT_GT(refused, 0);
  EXPECT_LE(refused, 80 - 64);
}

TEST_F(AuthenticatorTest, UnknownAccountsAreSlowedLikeKnownOnes) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Verify("nobody@example.test", "guess"), "denied");
  EXPECT_EQ(waits_, (std::vector<std::chrono::milliseconds>{500ms}));
}

TEST_F(AuthenticatorTest, AFailingDirectoryIsATemporaryFailureAndNotAWrongPassword) {
  directory_.failure = Errc::kIo;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Verify("alice@example.test", "secret"), "io");
  directory_.failure = Errc::kBusy;
  EXPECT_EQ(Verify("alice@example.test", "secret"), "busy");
  EXPECT_TRUE(waits_.empty());
}

TEST_F(AuthenticatorTest, ForgetMakesTheNextVerificationAFreshOne) {
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  for (int i = 0; i < 3; ++i) Verify("alice@example.test", "guess", "192.0.2.1");
  authenticator_->Forget("Alice@example.test");
  EXPECT_EQ(Verify("alice@example.test", "secret"), "alice@example.test");
  EXPECT_TRUE(waits_.empty());
}

TEST_F(AuthenticatorTest, AnUnknownAccountTakesAsLongAsAWrongPassword) {
  using Clock = std::chrono::steady_clock;
  Clock::duration wrong = Clock::duration::max(), unknown = Clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const std::string ip = "10.0." + std::to_string(i) + ".1";
    const auto start = Clock::now();
    EXPECT_EQ(Verify("alice@example.test", "guess", ip), "denied");
    const auto middle = Clock::now();
    EXPECT_EQ(Verify("nobody@example.test", "guess", ip), "denied");
    wrong = std::min(wrong, middle - start);
    unknown = std::min(unknown, Clock::now() - middle);
  }
  EXPECT_LT(unknown, 2 * wrong);
  EXPECT_LT(wrong, 2 * unknown);
}

TEST(PasswordHash, IsYescryptWithItsOwnSalt) {
  const std::string hash = HashPassword("secret").value();
  EXPECT_TRUE(hash.starts_with("$y$"));
  EXPECT_NE(hash, HashPassword("secret").value());
  EXPECT_TRUE(MatchesHash("secret", hash));
  EXPECT_FALSE(MatchesHash("secret ", hash));
  for (const std::string& bad : {""s, "with\0nul"s, std::string(512, 'x')}) EXPECT_FALSE(HashPassword(bad).has_value());
  EXPECT_TRUE(HashPassword(std::string(511, 'x')).has_value());
}

TEST(PasswordHash, TakesTheHashesOfOtherSystems) {
  const struct {
    const char* label;
    const char* hash;
    bool matches;
  } rows[] = {
      {"SHA-512", "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
       true},
      {"bcrypt", "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", true},
      {"locked", "!", false},
      {"empty", "", false},
      {"unknown method", "$zz$salt$hash", false},
  };
  for (const auto& row : rows) EXPECT_EQ(MatchesHash("secret", row.hash), row.matches) << row.label;
}

TEST(ParsePlain, TakesWhatRfc4616Says) {
  const struct {
    std::string message;
    std::string expected;
  } rows[] = {
      {"\0alice@example.test\0secret"s, "alice@example.test/secret"},
      {"alice\0alice\0secret"s, "alice/secret"},
      {"bob\0alice\0secret"s, "error"},
      {"alice\0secret"s, "error"},
      {"\0\0secret"s, "error"},
      {"\0alice\0"s, "error"},
      {"\0alice\0se\0cret"s, "error"},
      {"", "error"},
      {"\0"s, "error"},
      {"\0\0"s, "error"},
  };
  for (const auto& row : rows) {
    const auto parsed = ParsePlain(row.message);
    EXPECT_EQ(parsed.has_value() ? parsed->address + "/" + parsed->password : "error", row.expected);
  }
}

}  // namespace
}  // namespace auth
