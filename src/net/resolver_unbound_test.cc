// What UnboundResolver promises beyond the contract of all resolvers (resolver_contract_test.cc).
#include "net/resolver_unbound.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "base/check.h"
#include "net/dns_server_testing.h"

namespace net {
namespace {

using base::Errc;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

using Answers = std::vector<std::optional<base::Result<DnsAnswer>>>;

class UnboundTest : public testing::Test {
 protected:
  UnboundTest() {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("unbound." + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_);
  }
  ~UnboundTest() override { std::filesystem::remove_all(folder_); }

  std::string WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::unique_ptr<UnboundResolver> MakeResolver(UnboundOptions options) {
    auto made = UnboundResolver::Make(std::move(options));
    CHECK(made.has_value());
    return *std::move(made);
  }
  base::Result<DnsAnswer> LookUp(Resolver* resolver, std::string name, DnsType type = DnsType::kA) {
    return async::RunTask(context_, resolver->LookUp(std::move(name), type));
  }
  static async::Task<void> Keep(Resolver* resolver, std::string name, std::optional<base::Result<DnsAnswer>>* answer) {
    answer->emplace(co_await resolver->LookUp(std::move(name), DnsType::kA));
  }
  // Asks for h0.test, h1.test, ..., which nobody answers.
  Answers* AskForHanging(Resolver* resolver, std::size_t count) {
    answers_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = "h" + std::to_string(i) + ".test";
      table_.Hang(name, DnsType::kA);
      group_.Spawn(Keep(resolver, name, &answers_[i]));
    }
    return &answers_;
  }

  std::filesystem::path folder_;
  asio::io_context context_;
  async::TaskGroup group_{context_.get_executor(), "questions"};
  Answers answers_;
  DnsTable table_;
  DnsTestServer server_{&context_, &table_};
};

TEST_F(UnboundTest, AsksOnceForWhatItKnows) {
  table_.AddIp("example.test", "192.0.2.1");
  const auto resolver = MakeResolver({.servers = {server_.address()}});
  ASSERT_TRUE(LookUp(resolver.get(), "example.test").has_value());
  const int questions = server_.questions();
  ASSERT_TRUE(LookUp(resolver.get(), "example.test").has_value());
  EXPECT_EQ(server_.questions(), questions);
}

async::Task<void> AskMany(async::Shard* shard, Resolver* resolver, int* right) {
  for (int i = 0; i < 50; ++i) {
    const auto answer = co_await resolver->LookUp("n" + std::to_string(i) + ".test", DnsType::kA);
    if (shard->IsCurrent() && answer.has_value() && answer->kind == DnsAnswer::Kind::kRecords) *right += 1;
  }
}

async::Task<void> RunOn(async::Shard* shard, Resolver* resolver, int* right) {
  co_await shard->Run(AskMany(shard, resolver, right));
}

TEST_F(UnboundTest, AnswersEachShardOnItsOwnThread) {
  for (int i = 0; i < 50; ++i) table_.AddIp("n" + std::to_string(i) + ".test", "192.0.2.1");
  async::Shard shards[] = {async::Shard("one"), async::Shard("two")};
  int right[] = {0, 0};
  const auto resolver = MakeResolver({.servers = {server_.address()}});
  for (std::size_t i = 0; i < 2; ++i) {
    shards[i].Start();
    group_.Spawn(RunOn(&shards[i], resolver.get(), &right[i]));
  }
  async::RunTask(context_, group_.Join());
  EXPECT_EQ(right[0], 50);
  EXPECT_EQ(right[1], 50);
}

TEST_F(UnboundTest, LetsQuestionsPastItsLimitWaitForTheirTurn) {
  const auto resolver = MakeResolver({.servers = {server_.address()}, .outstanding_max = 2});
  answers_.resize(50);
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    const std::string name = "n" + std::to_string(i) + ".test";
    table_.AddIp(name, "192.0.2.1");
    group_.Spawn(Keep(resolver.get(), name, &answers_[i]));
  }
  async::RunTask(context_, group_.Join());
  for (const auto& answer : answers_) EXPECT_TRUE(answer->has_value()) << answer->error().message();
}

TEST_F(UnboundTest, RefusesMoreQuestionsThanItsLimits) {
  const auto resolver =
      MakeResolver({.servers = {server_.address()}, .deadline = 300ms, .outstanding_max = 10, .waiting_max = 1});
  const Answers& answers = *AskForHanging(resolver.get(), 12);
  async::RunTask(context_, group_.Join());
  EXPECT_EQ(answers[9]->error().code(), Errc::kTimeout);
  EXPECT_EQ(answers[10]->error().code(), Errc::kTimeout);
  EXPECT_EQ(answers[11]->error().code(), Errc::kBusy);
  // The one that waited has given up, and its place is free.
  EXPECT_EQ(LookUp(resolver.get(), "h12.test").error().code(), Errc::kTimeout);
}

TEST_F(UnboundTest, StopsAtOnceWithQuestionsUnderWay) {
  table_.AddIp("example.test", "192.0.2.1");
  auto resolver = MakeResolver({.servers = {server_.address()}, .deadline = 60s, .outstanding_max = 40});
  ASSERT_TRUE(LookUp(resolver.get(), "example.test").has_value());
  const Answers& answers = *AskForHanging(resolver.get(), 50);  // The last of them wait for their turn.
  while (server_.questions() < 40) context_.run_one();
  const auto began = steady_clock::now();
  resolver.reset();
  EXPECT_LT(steady_clock::now() - began, 2s);
  async::RunTask(context_, group_.Join());
  for (const auto& answer : answers) EXPECT_EQ(answer->error().code(), Errc::kIo);
}

TEST_F(UnboundTest, StopsAtOnceWithoutAnyQuestion) {
  const auto began = steady_clock::now();
  MakeResolver({.servers = {server_.address()}}).reset();
  EXPECT_LT(steady_clock::now() - began, 2s);
}

TEST_F(UnboundTest, AsksTheServersOfResolvConf) {
  table_.AddIp("example.test", "192.0.2.1");
  const std::string file = WriteFile("resolv.conf", "search corp.test\nnameserver " + server_.address() + "\n");
  const auto resolver = MakeResolver({.resolv_conf = file});
  const auto answer = LookUp(resolver.get(), "example.test");
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->records, std::vector{EncodeIp("192.0.2.1")});
}

TEST_F(UnboundTest, StartsWithoutResolvConf) {
  EXPECT_TRUE(UnboundResolver::Make({.resolv_conf = folder_ / "absent"}).has_value());
  EXPECT_TRUE(UnboundResolver::Make({.resolv_conf = WriteFile("empty", "")}).has_value());
}

TEST_F(UnboundTest, ChecksSignaturesWhenAsked) {
  // The server cannot show that the root signs it: with the root's key no answer of it stands.
  table_.AddIp("example.test", "192.0.2.1");
  UnboundOptions options{.servers = {server_.address()}};
  EXPECT_TRUE(LookUp(MakeResolver(options).get(), "example.test").has_value());
  options.validates = true;
  const auto answer = LookUp(MakeResolver(options).get(), "example.test");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kIo);
  EXPECT_NE(answer.error().message().find("DNSSEC"), std::string::npos) << answer.error().message();
}

TEST_F(UnboundTest, VouchesForWhatIsSignedAndRefusesForgeries) {
  DnsTestSigner signer("signed.test", &table_);
  DnsTestServer server(&context_, &table_, &signer);
  table_.AddMx("signed.test", 10, "mx.signed.test");
  table_.AddMx("signed.test", 20, "mx2.signed.test");
  table_.AddIp("mx.signed.test", "192.0.2.1");
  table_.AddIp("plain.test", "192.0.2.2");
  const auto resolver = MakeResolver({.servers = {server.address()},
                                      .validates = true,
                                      .trust_anchor = WriteFile("signed.key", signer.TrustAnchor())});
  const auto mx = LookUp(resolver.get(), "signed.test", DnsType::kMx);
  ASSERT_TRUE(mx.has_value()) << mx.error().message();
  EXPECT_EQ(mx->records.size(), 2u);
  EXPECT_TRUE(mx->is_secure);
  const auto plain = LookUp(resolver.get(), "plain.test");
  ASSERT_TRUE(plain.has_value()) << plain.error().message();
  EXPECT_FALSE(plain->is_secure);

  signer.Forge();
  const auto forged = LookUp(resolver.get(), "mx.signed.test");
  ASSERT_FALSE(forged.has_value());
  EXPECT_EQ(forged.error().code(), Errc::kIo);
  EXPECT_NE(forged.error().message().find("DNSSEC"), std::string::npos) << forged.error().message();
}

TEST_F(UnboundTest, SaysWhichOptionIsWrong) {
  const std::string garbage = WriteFile("garbage", "this is no key\n");
  const struct {
    const char* label;
    UnboundOptions options;
    Errc code;
    const char* words;
  } rows[] = {
      {"a server by name", {.servers = {"dns.example.test"}}, Errc::kInvalid, "dns.example.test"},
      {"a port that is none", {.servers = {"127.0.0.1@x"}}, Errc::kInvalid, "127.0.0.1@x"},
      {"servers and the root", {.servers = {"127.0.0.1"}, .from_root = true}, Errc::kInvalid, "choose one"},
      {"a server by name in resolv.conf",
       {.resolv_conf = WriteFile("bad.conf", "nameserver dns.example.test\n")},
       Errc::kInvalid,
       "bad.conf"},
      {"no trust anchor",
       {.from_root = true, .validates = true, .trust_anchor = folder_ / "absent"},
       Errc::kNotFound,
       "dns-root-data"},
      {"a trust anchor that is none", {.from_root = true, .trust_anchor = garbage}, Errc::kInvalid, "anchor"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.label);
    const auto made = UnboundResolver::Make(row.options);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code(), row.code);
    EXPECT_NE(made.error().message().find(row.words), std::string::npos) << made.error().message();
  }
}

}  // namespace
}  // namespace net
