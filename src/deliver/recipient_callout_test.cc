#include "deliver/recipient_callout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/remote_testing.h"

namespace deliver {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = CalloutAnswer::Kind;

std::string Describe(const CalloutAnswer& answer) {
  constexpr std::string_view kNames[] = {"taken", "refused", "no answer"};
  return std::string(kNames[static_cast<std::size_t>(answer.kind)]) + ": " + answer.words;
}

class RecipientCalloutTest : public testing::Test {
 protected:
  RecipientCalloutTest() {
    EXPECT_TRUE(bed_.table.Add("relay.test", NextHop::Parse("smtp:192.0.2.1:25").value()).has_value());
    EXPECT_TRUE(bed_.table.Add("other.test", NextHop::Parse("lmtp:192.0.2.2:24").value()).has_value());
    bed_.Server("192.0.2.2").is_lmtp = true;
    server_.answer = [this](const std::string& line) {
      if (line.starts_with("RCPT")) asked_.push_back(line.substr(9, line.find('>') - 9));
      return script_(line);
    };
    Open({});
  }
  ~RecipientCalloutTest() override { Close(); }

  void Open(RecipientCalloutOptions options) {
    Close();
    callout_ = std::make_unique<RecipientCallout>(
        bed_.rig.context.get_executor(),
        RecipientCalloutWorld{.resolver = &bed_.resolver(),
                              .clock = &bed_.clock,
                              .table = &bed_.table,
                              .dial = bed_.dial,
                              .metrics = {&taken_, &refused_, &no_answer_, &remembered_}},
        std::move(options));
  }
  void Close() {
    if (callout_ != nullptr) bed_.Run(callout_->Stop());
  }
  std::string Ask(const std::string& address) { return Describe(bed_.Run(callout_->Ask(address))); }
  // Asks, and does not wait for the answer.
  void Start(const std::string& address) { waiting_.Spawn(Note(address)); }
  async::Task<void> Note(std::string address) {
    const CalloutAnswer answer = co_await callout_->Ask(address);
    notes_.push_back(address + " " + Describe(answer));
  }

  RemoteBed bed_;
  FakeServer& server_ = bed_.Server("192.0.2.1");
  std::function<std::string(const std::string&)> script_ = [](const std::string& line) {
    return line.starts_with("RCPT TO:<no") ? "550 5.1.1 no such user" : "";
  };
  std::vector<std::string> asked_;
  std::vector<std::string> notes_;
  base::Counter taken_, refused_, no_answer_, remembered_;
  async::TaskGroup waiting_{bed_.rig.context.get_executor(), "waiting"};
  std::unique_ptr<RecipientCallout> callout_;
};

TEST_F(RecipientCalloutTest, AnswersAreRememberedForAsLongAsTheyHold) {
  EXPECT_THAT(Ask("alice@relay.test"), StartsWith("taken: "));
  EXPECT_EQ(Ask("nobody@relay.test"), "refused: 5.1.1 no such user");
  EXPECT_THAT(asked_, ElementsAre("alice@relay.test", "nobody@relay.test"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Ask("alice@relay.test"), StartsWith("taken: "));
    EXPECT_EQ(Ask("nobody@relay.test"), "refused: 5.1.1 no such user");
  }
  EXPECT_EQ(asked_.size(), 2u);
  EXPECT_TRUE(server_.mails.empty());
  bed_.clock.Advance(3599s);
  EXPECT_EQ(callout_->Known("nobody@relay.test")->kind, Kind::kRefused);
  bed_.clock.Advance(2s);
  EXPECT_FALSE(callout_->Known("nobody@relay.test").has_value());
  EXPECT_EQ(callout_->Known("alice@relay.test")->kind, Kind::kTaken);
  bed_.clock.Advance(23h);
  EXPECT_FALSE(callout_->Known("alice@relay.test").has_value());
  EXPECT_THAT(Ask("alice@relay.test"), StartsWith("taken: "));
  EXPECT_EQ(taken_.value(), 2u);
  EXPECT_EQ(refused_.value(), 1u);
  EXPECT_EQ(remembered_.value(), 8u);
}

TEST_F(RecipientCalloutTest, OnlyARefusalOfTheRecipientIsOne) {
  const struct {
    const char* label;
    std::string_view at;
    std::string answer;
    std::string expected;
  } rows[] = {
      {"a yes", "RCPT", "250 2.1.5 yes", "taken: 2.1.5 yes"},
      {"a no", "RCPT", "554 5.7.1 not for you", "refused: 5.7.1 not for you"},
      {"greylisting", "RCPT", "450 4.2.0 come back", "no answer: 4.2.0 come back"},
      {"MAIL refused", "MAIL", "550 5.1.8 who are you", "no answer: 4.4.2 call-out: MAIL FROM:<>"},
      {"MAIL put off", "MAIL", "451 4.3.0 busy", "no answer: 4.4.2 call-out: MAIL FROM:<>"},
      {"greeting", "", "554 5.3.2 not here", "no answer: 192.0.2.1[192.0.2.1]:25: greeting"},
      {"busy", "", "421 4.3.2 busy", "no answer: 192.0.2.1[192.0.2.1]:25: greeting"},
      {"cut at RCPT", "RCPT", "CUT", "no answer: 192.0.2.1[192.0.2.1]:25 closed"},
      {"silent", "RCPT", "HANG", "no answer: 192.0.2.1[192.0.2.1]:25 closed"},
      {"nonsense", "RCPT", "hello", "no answer: 192.0.2.1[192.0.2.1]:25 closed"},
  };
  int number = 0;
  for (const auto& row : rows) {
    Open({});
    script_ = [&](const std::string& line) {
      return (row.at.empty() ? line.empty() : line.starts_with(row.at)) ? row.answer : "";
    };
    const std::string address = "a" + std::to_string(++number) + "@relay.test";
    EXPECT_THAT(Ask(address), StartsWith(row.expected)) << row.label;
    EXPECT_EQ(callout_->Known(address).has_value(), !row.expected.starts_with("no answer")) << row.label;
  }
}

TEST_F(RecipientCalloutTest, AnLmtpServerAndTheHostsOfADomainAreAskedTheSameWay) {
  EXPECT_THAT(Ask("alice@other.test"), StartsWith("taken: "));
  FakeServer& backup = bed_.AddDomain("mx.test", "192.0.2.3");
  backup.answer = [](const std::string& line) { return line.starts_with("RCPT") ? "550 5.1.1 no" : ""; };
  EXPECT_EQ(Ask("alice@mx.test"), "refused: 5.1.1 no");
}

TEST_F(RecipientCalloutTest, WhatIsKnownHoldsWhileTheNextHopIsDown) {
  EXPECT_THAT(Ask("alice@relay.test"), StartsWith("taken: "));
  script_ = [](const std::string& line) { return line.empty() ? "CUT" : ""; };
  bed_.Pass(10s);
  EXPECT_THAT(Ask("alice@relay.test"), StartsWith("taken: "));
}

// A flood for a dead next hop costs one connection now and then.
TEST_F(RecipientCalloutTest, ANextHopThatCannotBeReachedIsLeftAloneForAMoment) {
  script_ = [](const std::string& line) { return line.empty() ? "CUT" : ""; };
  EXPECT_THAT(Ask("a@relay.test"), StartsWith("no answer: "));
  EXPECT_EQ(server_.connections, 1);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(Ask("b" + std::to_string(i) + "@relay.test"), StartsWith("no answer: "));
  EXPECT_EQ(server_.connections, 1);
  EXPECT_THAT(Ask("alice@other.test"), StartsWith("taken: ")) << "another next hop";
  script_ = [](const std::string&) { return ""; };
  bed_.clock.Advance(15s);
  EXPECT_THAT(Ask("a@relay.test"), StartsWith("taken: "));
  EXPECT_EQ(no_answer_.value(), 21u);
}

TEST_F(RecipientCalloutTest, ASlowNextHopIsNoAnswerAfterTheDeadline) {
  Open({.deadline = 0ms});
  script_ = [](const std::string& line) { return line.starts_with("RCPT") ? "HANG" : ""; };
  EXPECT_EQ(Ask("a@relay.test"), "no answer: the next hop was too slow");
  EXPECT_EQ(callout_->questions(), 0u);
}

TEST_F(RecipientCalloutTest, AnAddressIsAskedForOnceHoweverManyWait) {
  for (int i = 0; i < 50; ++i) Start("alice@relay.test");
  bed_.Settle();
  EXPECT_EQ(notes_.size(), 50u);
  EXPECT_THAT(notes_.back(), StartsWith("alice@relay.test taken: "));
  EXPECT_EQ(asked_.size(), 1u);
  bed_.Run(waiting_.Join());
}

TEST_F(RecipientCalloutTest, AFewAreAskedForAtOnceAndOtherNextHopsDoNotWait) {
  Open({.questions_per_hop_max = 3});
  script_ = [](const std::string& line) { return line.starts_with("RCPT") ? "HANG" : ""; };
  for (int i = 0; i < 10; ++i) Start("a" + std::to_string(i) + "@relay.test");
  Start("alice@other.test");
  bed_.Settle();
  EXPECT_EQ(server_.open_now, 3);
  EXPECT_EQ(asked_.size(), 3u);
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_THAT(notes_[0], StartsWith("alice@other.test taken: "));
  // The three time out, and the others are not even tried.
  bed_.Run(waiting_.Join());
  EXPECT_EQ(notes_.size(), 11u);
  EXPECT_EQ(server_.connections, 3);
}

TEST_F(RecipientCalloutTest, ConnectionsAreUsedAgainAndAClosedOneIsReplaced) {
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Ask("a" + std::to_string(i) + "@relay.test"), StartsWith("taken: "));
  EXPECT_EQ(server_.connections, 1);
  bool cuts = true;
  script_ = [&](const std::string& line) { return line == "RSET" && std::exchange(cuts, false) ? "CUT" : ""; };
  EXPECT_THAT(Ask("b@relay.test"), StartsWith("taken: "));
  EXPECT_EQ(server_.connections, 2);
}

TEST_F(RecipientCalloutTest, QuestionsAndMemoryAreBounded) {
  Open({.entries_max = 3, .questions_max = 2});
  script_ = [](const std::string& line) { return line.starts_with("RCPT TO:<slow") ? "HANG" : ""; };
  for (const char* address : {"slow1@relay.test", "slow2@relay.test", "a@relay.test"}) Start(address);
  bed_.Settle();
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_THAT(notes_[0], HasSubstr("a@relay.test no answer: too many addresses"));
  bed_.Run(waiting_.Join());
  bed_.clock.Advance(15s);
  for (int i = 0; i < 4; ++i) EXPECT_THAT(Ask("a" + std::to_string(i) + "@relay.test"), StartsWith("taken: "));
  EXPECT_FALSE(callout_->Known("a0@relay.test").has_value());
  EXPECT_TRUE(callout_->Known("a1@relay.test").has_value());
}

TEST_F(RecipientCalloutTest, AStopAnswersWhoWaits) {
  script_ = [](const std::string& line) { return line.starts_with("RCPT") ? "HANG" : ""; };
  Start("a@relay.test");
  bed_.Settle();
  bed_.Run(callout_->Stop());
  EXPECT_THAT(notes_, ElementsAre("a@relay.test no answer: the node stops"));
  callout_.reset();
  bed_.Run(waiting_.Join());
}

}  // namespace
}  // namespace deliver
