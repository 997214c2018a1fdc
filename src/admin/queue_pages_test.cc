// The queue's pages over a real queue on a simulated disk.
#include "admin/queue_pages.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/queue_html.h"
#include "async/task_group.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace admin {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

class QueuePagesTest : public testing::Test {
 protected:
  QueuePagesTest() { MakePages({.hostname = "mx.example.test", .mails_max = 3, .groups_max = 2}); }
  ~QueuePagesTest() override { rig_.Shut(false); }

  void MakePages(const QueuePagesOptions& options) {
    pages_ = std::make_unique<QueuePages>(rig_.context.get_executor(), rig_.queue.get(), &clock_, options);
  }
  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(rig_.context, std::move(task));
  }
  queue::QueueId Add(std::vector<std::string> recipients, std::string sender = "sender@example.test") {
    mail::Envelope envelope = queue::EnvelopeTo(std::move(recipients));
    envelope.sender = std::move(sender);
    const auto id = Run(queue::EnqueueText(rig_.queue.get(), std::move(envelope), "text"));
    EXPECT_TRUE(id.has_value());
    return *id;
  }
  HttpAnswer Get(const std::string& target, const std::string& host = "127.0.0.1:2080") {
    return Run(pages_->Answer({.method = "GET", .target = target, .host = host, .is_from_loopback = true}));
  }
  json::object Data(const std::string& target) {
    const HttpAnswer answer = Get(target);
    EXPECT_EQ(answer.status, 200u) << answer.body;
    EXPECT_EQ(answer.content_type, "application/json");
    return json::parse(answer.body).as_object();
  }

  base::SimClock clock_;
  queue::QueueRig rig_{&clock_, std::nullopt, {}};
  std::unique_ptr<QueuePages> pages_;
};

TEST_F(QueuePagesTest, AnEmptyQueueSaysSo) {
  const HttpAnswer answer = Get("/queue");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("The queue is empty"));
  EXPECT_THAT(answer.body, HasSubstr("Queue of mx.example.test"));
  EXPECT_THAT(Get("/queue?class=bulk").body, HasSubstr("No mail of the queue matches."));
  EXPECT_TRUE(Data("/queue.json").at("mails").as_array().empty());
}

TEST_F(QueuePagesTest, TheDataHasTheCountAndTheList) {
  const queue::QueueId id = Add({"a@x.test", "b@y.test"});
  clock_.Advance(std::chrono::hours(2));
  const json::object data = Data("/queue.json");
  EXPECT_EQ(data.at("status").at("mails").to_number<int>(), 1);
  EXPECT_EQ(data.at("tally").at("groups").as_array().size(), 2u);
  EXPECT_EQ(data.at("tally").at("groups").at(0).at("mails_by_age").at(3).to_number<int>(), 1);
  ASSERT_EQ(data.at("mails").as_array().size(), 1u);
  EXPECT_EQ(data.at("mails").at(0).at("id").as_string(), id.ToString());
  EXPECT_FALSE(data.contains("next"));
  const json::object detail = Data("/queue.json?id=" + id.ToString());
  EXPECT_EQ(detail.at("mail").at("recipients").as_array().size(), 2u);
  EXPECT_FALSE(Data("/queue.json?id=80000000-99").contains("mail"));
  EXPECT_THAT(Get("/queue?id=80000000-99").body, HasSubstr("not in the queue (any more)"));
}

TEST_F(QueuePagesTest, AListGoesOnWhereItsPageEnds) {
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(Add({"a@x.test"}).ToString());
  std::vector<std::string> seen;
  std::string after;
  for (int page = 0; page < 5; ++page) {
    const json::object data = Data("/queue.json?recipient=@x.test&after=" + after);
    EXPECT_LE(data.at("mails").as_array().size(), 3u);
    for (const json::value& mail : data.at("mails").as_array()) seen.emplace_back(mail.at("id").as_string());
    if (!data.contains("next")) break;
    after = std::string(data.at("next").as_string());
  }
  std::ranges::sort(ids);
  EXPECT_EQ(seen, ids);
  EXPECT_THAT(Get("/queue?recipient=@x.test").body, HasSubstr("<a href=\"/queue?recipient=%40x.test&amp;after="));
}

TEST_F(QueuePagesTest, WhatOthersWroteIsOnlyText) {
  const std::string attack = "\"><script>alert(1)</script>'&\x01\x7f\xe2\x80\xae@x.test";
  const queue::QueueId id = Add({attack}, attack);
  const queue::Claim claim = Run(rig_.queue->NextClaim());
  ASSERT_TRUE(Run(rig_.queue->Record(claim, {{0, queue::Outcome::kRetryLater, "451 <img src=x onerror=alert(2)>"}}))
                  .has_value());
  for (const char* const by : {"destination", "sender", "class"}) {
    const std::string page = Get(std::string("/queue?by=") + by + "&sender=%22%3E%3Cscript%3E*").body;
    EXPECT_THAT(page, Not(HasSubstr("<script>")));
    EXPECT_THAT(page, Not(HasSubstr("<img")));
    EXPECT_THAT(page, HasSubstr("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;"));
    EXPECT_THAT(page, HasSubstr("451 &lt;img src=x onerror=alert(2)&gt;"));
    EXPECT_THAT(page, Not(HasSubstr("\x01")));
  }
  EXPECT_THAT(Get("/queue?id=" + id.ToString()).body, Not(HasSubstr("<img")));
}

TEST_F(QueuePagesTest, ThePolicyForbidsScriptsAndFramesOfOthers) {
  for (const char* const target : {"/queue", "/queue.json", "/queue.js", "/queue.css"}) {
    const HttpAnswer answer = Get(target);
    EXPECT_EQ(answer.status, 200u) << target;
    EXPECT_THAT(answer.fields, HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self'; "));
    EXPECT_THAT(answer.fields, HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(answer.fields, Not(HasSubstr("unsafe")));
    EXPECT_GT(answer.body.size(), 100u) << target;
  }
  const std::string page = Get("/queue").body;
  EXPECT_THAT(page, Not(HasSubstr("style=")));
  EXPECT_THAT(page, Not(HasSubstr(" on")));
  EXPECT_THAT(page, Not(HasSubstr("http:")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
}

TEST_F(QueuePagesTest, OnlyTheNodesOwnNamesAreServed) {
  const struct {
    std::string host;
    unsigned status;
  } rows[] = {{"127.0.0.1", 200},
              {"127.0.0.1:2080", 200},
              {"[::1]:2080", 200},
              {"[::1]", 200},
              {"localhost:2080", 200},
              {"LOCALHOST", 200},
              {"", 200},
              {"mx.example.test", 200},
              {"MX.example.test:1", 200},
              {"evil.example", 421},
              {"evil.example:1", 421},
              {"127.0.0.1.evil", 421},
              {"localhost.evil", 421},
              {"[::1].evil:80", 421},
              {"*", 421},
              {":80", 421}};
  for (const auto& row : rows) EXPECT_EQ(Get("/queue.json", row.host).status, row.status) << row.host;
}

TEST_F(QueuePagesTest, OthersMachinesAreServedOnlyIfAsked) {
  const HttpRequest request{.method = "GET", .target = "/queue", .host = "192.0.2.1", .is_from_loopback = false};
  EXPECT_EQ(Run(pages_->Answer(request)).status, 403u);
  MakePages({.is_for_loopback_only = false, .hostname = "mx.example.test"});
  EXPECT_EQ(Run(pages_->Answer(request)).status, 200u);
}

TEST_F(QueuePagesTest, ABadParameterIsRefusedWithASentence) {
  for (const char* const query : {"?class=first", "?by=colour", "?after=x", "?id=x", "?older_than_seconds=1h",
                                  "?state=?", "?older_than_seconds=-1"}) {
    const HttpAnswer answer = Get(std::string("/queue") + query);
    EXPECT_EQ(answer.status, 400u) << query;
    EXPECT_GT(answer.body.size(), 10u);
  }
}

async::Task<void> Enqueue(queue::MailQueue* queue, std::string recipient) {
  const auto id = co_await queue::EnqueueText(queue, queue::EnvelopeTo({std::move(recipient)}), "text");
  EXPECT_TRUE(id.has_value()) << id.error().message();
}

async::Task<void> GetInto(QueuePages* pages, std::vector<unsigned>* statuses) {
  const HttpAnswer answer = co_await pages->Answer({.method = "GET", .target = "/queue.json", .host = ""});
  statuses->push_back(answer.status);
}

TEST_F(QueuePagesTest, ManyLooksAtOnceShareACountAndHaveALimit) {
  // Several turns of the shard to count, so that looks meet. At once, so that they share the writes of the disk.
  constexpr int kMails = 10'000;
  async::TaskGroup senders(rig_.context.get_executor(), "senders");
  for (int i = 0; i < kMails; ++i) senders.Spawn(Enqueue(rig_.queue.get(), std::to_string(i) + "@x.test"));
  Run(senders.Join());
  Run(senders.Stop());
  MakePages({.is_for_loopback_only = false, .answers_max = 4});
  std::vector<unsigned> statuses;
  async::TaskGroup looks(rig_.context.get_executor(), "looks");
  for (int i = 0; i < 6; ++i) looks.Spawn(GetInto(pages_.get(), &statuses));
  Run(looks.Join());
  EXPECT_EQ(statuses.size(), 6u);
  EXPECT_EQ(std::ranges::count(statuses, 200u), 4);
  EXPECT_EQ(std::ranges::count(statuses, 503u), 2);
  // One that is cancelled while it counts does not keep others from it.
  MakePages({.is_for_loopback_only = false, .answers_max = 4});
  async::TaskGroup cancelled(rig_.context.get_executor(), "cancelled looks");
  cancelled.Spawn(GetInto(pages_.get(), &statuses));
  rig_.context.restart();
  rig_.context.poll_one();
  Run(cancelled.Stop());
  EXPECT_EQ(Data("/queue.json").at("tally").at("total").at("mails").to_number<int>(), kMails);
  Run(looks.Stop());
}

TEST(QueueView, ParametersMakeTheViewAndItsLinks) {
  const auto view =
      QueueView::Parse("/queue?by=sender&recipient=a%2bb%40x.test&state=held&class=&after=80000000-7&x=y");
  ASSERT_TRUE(view.has_value()) << view.error().message();
  EXPECT_EQ(view->by, TallyBy::kSender);
  EXPECT_EQ(view->selection.recipient, "a+b@x.test");
  EXPECT_EQ(view->selection.state, queue::RecipientState::kHeld);
  EXPECT_FALSE(view->mail.has_value());
  EXPECT_EQ(view->Link("sender", "<>"), "/queue?by=sender&recipient=a%2Bb%40x.test&state=held&sender=%3C%3E");
  EXPECT_EQ(view->Link("after", "80000000-9"), "/queue?by=sender&recipient=a%2Bb%40x.test&state=held&after=80000000-9");
  EXPECT_EQ(view->Link("recipient", ""), "/queue?by=sender&state=held");
  EXPECT_EQ(QueueView{}.Link("after", ""), "/queue");
}

TEST(HttpMessage, ParametersAreReadByTheTable) {
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  const struct {
    std::string target;
    Parameters parameters;
  } rows[] = {{"/queue", {}},
              {"/queue?", {}},
              {"/queue?a", {{"a", ""}}},
              {"/queue?a=", {{"a", ""}}},
              {"/queue?a=1&b=2", {{"a", "1"}, {"b", "2"}}},
              {"/queue?&&a=1&&", {{"a", "1"}}},
              {"/queue?a=b=c", {{"a", "b=c"}}},
              {"/queue?a=x+y%20z", {{"a", "x y z"}}},
              {"/queue?a=%zz%4", {{"a", "%zz%4"}}},
              {"/queue?a=%41%", {{"a", "A%"}}},
              {"/queue?%61=%00", {{"a", std::string(1, '\0')}}},
              {"/queue?a=1#b=2", {{"a", "1"}}},
              {"/queue?a&b&c&d", {{"a", ""}, {"b", ""}, {"c", ""}}}};
  for (const auto& row : rows) EXPECT_EQ(ParametersOf(row.target, 3), row.parameters) << row.target;
  for (int c = 0; c < 256; ++c) {
    const std::string text(3, static_cast<char>(c));
    EXPECT_EQ(ParametersOf("?a=" + EscapeParameter(text), 1), (Parameters{{"a", text}}));
  }
}

}  // namespace
}  // namespace admin
