// What every Resolver promises, run on the real one against a server on loopback and on the scripted one.
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "net/dns_server_testing.h"
#include "net/resolver_testing.h"
#include "net/resolver_unbound.h"

namespace net {
namespace {

using base::Errc;
using Kind = DnsAnswer::Kind;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kDeadline = 300ms;

class ResolverContract : public testing::TestWithParam<const char*> {
 protected:
  ResolverContract() {
    if (std::string_view(GetParam()) == "scripted") {
      resolver_ = std::make_unique<ScriptedResolver>(context_.get_executor(), &table_, kDeadline);
      return;
    }
    server_.emplace(&context_, &table_);
    auto made = UnboundResolver::Make({.servers = {server_->address()}, .deadline = kDeadline});
    CHECK(made.has_value());
    resolver_ = *std::move(made);
  }

  base::Result<DnsAnswer> LookUp(std::string name, DnsType type) {
    return async::RunTask(context_, resolver_->LookUp(std::move(name), type));
  }
  async::Task<void> Keep(std::string name, DnsType type, std::optional<base::Result<DnsAnswer>>* answer) {
    answer->emplace(co_await resolver_->LookUp(std::move(name), type));
  }

  asio::io_context context_;
  DnsTable table_;
  std::optional<DnsTestServer> server_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_P(ResolverContract, GivesTheRecordsAsTheyAreOnTheWire) {
  table_.AddMx("example.test", 10, "mx1.example.test");
  table_.AddIp("mx1.example.test", "192.0.2.1");
  table_.AddIp("mx1.example.test", "192.0.2.2");
  table_.AddIp("mx1.example.test", "2001:db8::1");
  auto answer = LookUp("example.test", DnsType::kMx);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->kind, Kind::kRecords);
  ASSERT_EQ(answer->records.size(), 1u);
  EXPECT_EQ(ParseMx(answer->records[0]), (MxRecord{10, "mx1.example.test"}));
  EXPECT_FALSE(answer->is_alias);
  EXPECT_FALSE(answer->is_secure);

  answer = LookUp("mx1.example.test", DnsType::kA);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(std::set(answer->records.begin(), answer->records.end()),
            (std::set{EncodeIp("192.0.2.1"), EncodeIp("192.0.2.2")}));
  answer = LookUp("mx1.example.test", DnsType::kAaaa);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->records, std::vector{EncodeIp("2001:db8::1")});
}

TEST_P(ResolverContract, TellsANameWithoutRecordsFromNoName) {
  table_.AddIp("example.test", "192.0.2.1");
  auto answer = LookUp("example.test", DnsType::kMx);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->kind, Kind::kNoRecords);
  answer = LookUp("nothing.test", DnsType::kMx);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->kind, Kind::kNoName);
}

TEST_P(ResolverContract, TakesNamesInAnyCaseWithOrWithoutTheLastDot) {
  table_.AddIp("example.test", "192.0.2.1");
  for (const char* name : {"example.test", "example.test.", "EXAMPLE.Test"}) {
    const auto answer = LookUp(name, DnsType::kA);
    ASSERT_TRUE(answer.has_value()) << name << ": " << answer.error().message();
    EXPECT_EQ(answer->kind, Kind::kRecords) << name;
    EXPECT_FALSE(answer->is_alias) << name;
  }
}

TEST_P(ResolverContract, SaysThatWhatCannotBeANameDoesNotExist) {
  using namespace std::string_literals;
  for (const std::string& name : {std::string(64, 'a') + ".test", "a..test"s, "a\0b.test"s}) {
    const auto answer = LookUp(name, DnsType::kA);
    ASSERT_TRUE(answer.has_value()) << name << ": " << answer.error().message();
    EXPECT_EQ(answer->kind, Kind::kNoName) << name;
  }
}

TEST_P(ResolverContract, FollowsAnAliasAndSaysSo) {
  table_.AddAlias("alias.test", "example.test");
  table_.AddIp("example.test", "192.0.2.1");
  const auto answer = LookUp("alias.test", DnsType::kA);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->kind, Kind::kRecords);
  EXPECT_EQ(answer->records, std::vector{EncodeIp("192.0.2.1")});
  EXPECT_TRUE(answer->is_alias);
}

TEST_P(ResolverContract, AFailingServerIsAnErrorThatPasses) {
  table_.Fail("example.test", DnsType::kA);
  const auto answer = LookUp("example.test", DnsType::kA);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kIo) << answer.error().message();
}

TEST_P(ResolverContract, AQuestionWithoutAnswerEndsAtItsDeadline) {
  table_.Hang("example.test", DnsType::kA);
  const auto began = steady_clock::now();
  const auto answer = LookUp("example.test", DnsType::kA);
  const auto took = steady_clock::now() - began;
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kTimeout) << answer.error().message();
  EXPECT_GE(took, kDeadline);
  EXPECT_LT(took, kDeadline + 2s);
}

TEST_P(ResolverContract, AQuestionWithoutAnswerHoldsUpNoOther) {
  for (int i = 0; i < 100; ++i) table_.Hang("h" + std::to_string(i) + ".test", DnsType::kA);
  table_.AddIp("example.test", "192.0.2.1");
  async::TaskGroup group(context_.get_executor(), "questions");
  std::vector<std::optional<base::Result<DnsAnswer>>> hanging(100);
  for (std::size_t i = 0; i < hanging.size(); ++i) {
    group.Spawn(Keep("h" + std::to_string(i) + ".test", DnsType::kA, &hanging[i]));
  }
  const auto answer = LookUp("example.test", DnsType::kA);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->kind, Kind::kRecords);
  async::RunTask(context_, group.Join());
  for (const auto& result : hanging) {
    ASSERT_TRUE(result.has_value() && !result->has_value());
    EXPECT_EQ(result->error().code(), Errc::kTimeout);
  }
}

TEST_P(ResolverContract, ATaskThatWaitsCanBeCancelled) {
  table_.Hang("example.test", DnsType::kA);
  async::TaskGroup group(context_.get_executor(), "questions");
  std::optional<base::Result<DnsAnswer>> answer;
  group.Spawn(Keep("example.test", DnsType::kA, &answer));
  table_.AddIp("other.test", "192.0.2.1");
  ASSERT_TRUE(LookUp("other.test", DnsType::kA).has_value());  // The first question is under way by now.
  const auto began = steady_clock::now();
  async::RunTask(context_, group.Stop());
  EXPECT_LT(steady_clock::now() - began, kDeadline / 2);
  EXPECT_FALSE(answer.has_value());
  // What comes for it later disturbs nobody.
  table_.Mend("example.test", DnsType::kA);
  EXPECT_TRUE(LookUp("other.test", DnsType::kA).has_value());
}

INSTANTIATE_TEST_SUITE_P(All, ResolverContract, testing::Values("unbound", "scripted"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace net
