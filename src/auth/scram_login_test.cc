#include "auth/scram_login.h"

#include <gtest/gtest.h>

#include "async/testing.h"
#include "auth/testing.h"

namespace auth {
namespace {

using namespace std::chrono_literals;
using async::RunTask;
using async::Task;
using base::Errc;

Task<void> Record(std::vector<std::chrono::milliseconds>* waits, std::chrono::milliseconds delay) {
  waits->push_back(delay);
  co_return;
}

class ScramLoginTest : public testing::Test {
 protected:
  ScramLoginTest() {
    directory_.Add("alice@example.test", "secret", true);
    Open({});
  }
  void Open(AuthenticatorOptions options) {
    options.wait = [this](std::chrono::milliseconds delay) { return Record(&waits_, delay); };
    authenticator_ = std::make_unique<Authenticator>(&directory_, &clock_, std::move(options));
  }
  std::string Step(ScramLogin& login, std::string message) {
    auto answer = RunTask(context_, login.Step(std::move(message)));
    return answer.has_value() ? *std::move(answer) : std::string(base::ToString(answer.error().code()));
  }
  // The account, or what went wrong.
  std::string LogIn(const std::string& username, const std::string& password, const std::string& ip = "192.0.2.1") {
    ScramLogin login(authenticator_.get(), ip);
    ScramClient client(username, password);
    const std::string challenge = Step(login, client.First());
    if (!challenge.starts_with("r=")) return challenge;
    const std::string last = Step(login, client.Final(challenge));
    if (!last.starts_with("v=")) return last;
    EXPECT_TRUE(client.Believes(last));
    return login.account();
  }
  std::string ChallengeOf(const std::string& username) {
    ScramLogin login(authenticator_.get(), "192.0.2.1");
    const std::string challenge = Step(login, ScramClient(username, "x").First());
    return challenge.substr(std::min(challenge.find(",s="), challenge.size()));
  }
  std::string Verify(const std::string& password, const std::string& ip = "192.0.2.1") {
    const auto verified = RunTask(context_, authenticator_->Verify("alice@example.test", password, ip));
    return verified.has_value() ? *verified : std::string(base::ToString(verified.error().code()));
  }

  asio::io_context context_;
  base::SimClock clock_;
  MapDirectory directory_;
  std::vector<std::chrono::milliseconds> waits_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(ScramLoginTest, TakesTheRightPasswordOnlyAndTellsTheCanonicalAddress) {
  EXPECT_EQ(LogIn("Alice@Example.TEST", "secret"), "alice@example.test");
  EXPECT_EQ(LogIn("alice@example.test", "Secret"), "denied");
  EXPECT_EQ(LogIn("bob@example.test", "secret"), "denied");
}

TEST_F(ScramLoginTest, EachExchangeHasANonceOfItsOwn) {
  ScramLogin first(authenticator_.get(), "192.0.2.1"), second(authenticator_.get(), "192.0.2.1");
  const ScramClient client("alice@example.test", "secret");
  const std::string a = Step(first, client.First()), b = Step(second, client.First());
  EXPECT_NE(a, b);
  // What was overheard of one is worth nothing in another.
  ScramClient overheard("alice@example.test", "secret");
  EXPECT_EQ(Step(second, overheard.Final(a)), "invalid");
}

TEST_F(ScramLoginTest, NamesWithoutAnAccountGetASaltThatStays) {
  Open({.scram_iterations = 4096, .scram_secret = "kept by the node"});
  const std::string nobody = ChallengeOf("nobody@example.test");
  EXPECT_EQ(nobody, ChallengeOf("Nobody@example.test"));
  EXPECT_NE(nobody, ChallengeOf("noone@example.test"));
  EXPECT_EQ(nobody.size(), ChallengeOf("alice@example.test").size()) << "as that of an account looks";
  Open({.scram_iterations = 4096, .scram_secret = "kept by the node"});
  EXPECT_EQ(nobody, ChallengeOf("nobody@example.test")) << "after a restart";
  Open({.scram_iterations = 4096, .scram_secret = "of another node"});
  EXPECT_NE(nobody, ChallengeOf("nobody@example.test"));
}

TEST_F(ScramLoginTest, AnAccountWithoutKeysIsAnsweredAsOneThatIsNotThere) {
  directory_.Add("old@example.test", "secret");
  EXPECT_TRUE(ChallengeOf("old@example.test").ends_with(",i=15000"));
  EXPECT_EQ(LogIn("old@example.test", "secret"), "denied");
}

TEST_F(ScramLoginTest, GuessesAreCountedWithThoseOfPasswords) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(LogIn("alice@example.test", "guess"), "denied");
  EXPECT_TRUE(waits_.empty());
  EXPECT_EQ(Verify("guess"), "denied");
  EXPECT_EQ(LogIn("alice@example.test", "guess"), "denied");
  EXPECT_EQ(waits_, (std::vector<std::chrono::milliseconds>{500ms, 1'500ms}));
  waits_.clear();
  // A success makes the client known, whichever way it came.
  EXPECT_EQ(LogIn("alice@example.test", "secret"), "alice@example.test");
  waits_.clear();
  EXPECT_EQ(Verify("secret"), "alice@example.test");
  EXPECT_TRUE(waits_.empty());
}

TEST_F(ScramLoginTest, NamesWithoutAnAccountAreSlowedLikeOthers) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(LogIn("nobody@example.test", "guess"), "denied");
  EXPECT_EQ(waits_, (std::vector<std::chrono::milliseconds>{500ms}));
}

TEST_F(ScramLoginTest, APasswordChangedSinceTheChallengeNoLongerFits) {
  ScramLogin login(authenticator_.get(), "192.0.2.1");
  ScramClient client("alice@example.test", "secret");
  const std::string challenge = Step(login, client.First());
  directory_.Add("alice@example.test", "other", true);
  EXPECT_EQ(Step(login, client.Final(challenge)), "denied");
  EXPECT_EQ(LogIn("alice@example.test", "other"), "alice@example.test");
}

TEST_F(ScramLoginTest, AFailingDirectoryIsATemporaryFailure) {
  directory_.failure = Errc::kIo;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(LogIn("alice@example.test", "secret"), "io");
  EXPECT_TRUE(waits_.empty());
}

TEST_F(ScramLoginTest, NeedsNoRoomForHashes) {
  Open({.hashing_jobs_max = 0});
  EXPECT_EQ(LogIn("alice@example.test", "secret"), "alice@example.test");
}

// ---- Where the keys come from, and when SCRAM is offered ----

TEST_F(ScramLoginTest, IsOfferedWhileAllAccountsHaveKeysOrByOption) {
  EXPECT_TRUE(authenticator_->OffersScram());
  directory_.Add("old@example.test", "secret");
  EXPECT_FALSE(authenticator_->OffersScram());
  Open({.scram = ScramOffer::kOn});
  EXPECT_TRUE(authenticator_->OffersScram());
  directory_.accounts.erase("old@example.test");
  Open({.scram = ScramOffer::kOff});
  EXPECT_FALSE(authenticator_->OffersScram());
}

TEST_F(ScramLoginTest, AnAccountWithoutKeysGetsThemWithItsNextPassword) {
  directory_.Add("alice@example.test", "secret");
  EXPECT_EQ(Verify("guess"), "denied");
  EXPECT_EQ(directory_.keys_added, 0);
  EXPECT_EQ(LogIn("alice@example.test", "secret"), "denied");
  EXPECT_EQ(Verify("secret"), "alice@example.test");
  EXPECT_EQ(directory_.keys_added, 1);
  EXPECT_EQ(LogIn("alice@example.test", "secret"), "alice@example.test");
  EXPECT_TRUE(authenticator_->OffersScram());
  EXPECT_EQ(Verify("secret"), "alice@example.test");
  EXPECT_EQ(directory_.keys_added, 1);
}

TEST_F(ScramLoginTest, KeysAreNotAddedWhereTheOptionsSaySo) {
  directory_.Add("alice@example.test", "secret");
  for (AuthenticatorOptions options :
       {AuthenticatorOptions{.scram_upgrade = false}, AuthenticatorOptions{.scram = ScramOffer::kOff}}) {
    Open(std::move(options));
    EXPECT_EQ(Verify("secret"), "alice@example.test");
  }
  EXPECT_EQ(directory_.keys_added, 0);
}

TEST_F(ScramLoginTest, ALoginSucceedsWhereKeysCannotBeKept) {
  directory_.Add("alice@example.test", "secret");
  directory_.failure_to_add = Errc::kReadOnly;
  EXPECT_EQ(Verify("secret"), "alice@example.test");
  EXPECT_EQ(Verify("secret"), "alice@example.test");
  EXPECT_EQ(directory_.keys_added, 1) << "tried at each login";
}

TEST_F(ScramLoginTest, NewPasswordsHaveKeys) {
  const auto made = authenticator_->MakeCredentials("new").value();
  EXPECT_TRUE(made.scram_keys.starts_with("SCRAM-SHA-256$15000:"));
  EXPECT_NE(made.scram_keys, authenticator_->MakeCredentials("new").value().scram_keys) << "the same salt";
  directory_.accounts["alice@example.test"] = made;
  EXPECT_EQ(LogIn("alice@example.test", "new"), "alice@example.test");
  EXPECT_EQ(Verify("new"), "alice@example.test");
  Open({.scram = ScramOffer::kOff});
  EXPECT_EQ(authenticator_->MakeCredentials("new").value().scram_keys, "");
  EXPECT_FALSE(authenticator_->MakeCredentials("").has_value());
}

}  // namespace
}  // namespace auth
