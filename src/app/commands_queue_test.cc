// The commands of the queue against a node's side of the socket that the test makes up.
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/testing.h"
#include "app/commands_queue_criteria.h"
#include "app/commands_queue_text.h"
#include "app/commands_testing.h"
#include "base/base64.h"

namespace app {
namespace {

namespace json = boost::json;
using admin::Arguments;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;
using testing::HasSubstr;

constexpr const char* kTwoRecipients = R"({
  "id":"80000000-7","class":"normal","age_seconds":7200,"bytes":4096,"sender":"","recipients":4,
  "waiting":2,"held":1,"claimed":0,"delivered":1,"last_answer":"450 4.2.0 later",
  "first_recipients":[
    {"address":"a@x.test","state":"waiting","attempts":3,"due_in_seconds":720,"last_answer":"450 4.2.0 later"},
    {"address":"b\u001b[2J@y.test","state":"held","attempts":1,"last_answer":"550 no such user"}]})";

class QueueCommandsTest : public admin::ControlServerFixture {
 protected:
  void SetUp() override {
    using admin::Effect;
    const std::vector<std::string_view> selection{"sender", "recipient",          "destination",       "state",
                                                  "class",  "older_than_seconds", "newer_than_seconds"};
    const auto with = [&selection](std::vector<std::string_view> names) {
      names.insert(names.end(), selection.begin(), selection.end());
      return names;
    };
    const auto add = [this](std::string_view name, std::vector<std::string_view> arguments, admin::Handler handler) {
      table_.Add(name, {.effect = Effect::kReads, .arguments = std::move(arguments), .handler = std::move(handler)});
    };
    add("queue.list", with({"after", "limit"}), [this](Arguments a) { return List(std::move(a)); });
    add("queue.tally", with({"by", "limit"}), [this](Arguments a) { return Tally(std::move(a)); });
    add("queue.show", {"id"}, [this](Arguments a) { return Show(std::move(a)); });
    add("queue.cat", {"id", "offset"}, [this](Arguments a) { return Cat(std::move(a)); });
    add("status", {}, [this](Arguments a) { return Status(std::move(a)); });
    for (const char* const name : {"queue.hold", "queue.release", "queue.requeue", "queue.remove"}) {
      add(name, with({"id", "all", "after", "dry_run", "whole_mail"}),
          [this, name](Arguments a) { return Change(name, std::move(a)); });
    }
    StartServer();
  }

  Ran RunPosthorn(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), {"--socket", path_.c_str()});
    return app::RunPosthorn(std::move(arguments));
  }
  // The requests that changes came with, one a line, since the last call.
  std::string TakeRequests() { return std::exchange(requests_, ""); }

  Task<Result<json::object>> List(Arguments arguments) {
    listed_ += json::serialize(arguments.members()) + "\n";
    json::object answer;
    if (is_empty_) {
      answer["mails"] = json::array();
    } else if (arguments.members().at("after") == "") {
      answer["mails"] = json::array{json::parse(kTwoRecipients), json::parse(kTwoRecipients)};
      answer["next"] = "80000000-8";
    } else {
      answer["mails"] = json::array{json::parse(kTwoRecipients)};
    }
    co_return answer;
  }
  Task<Result<json::object>> Tally(Arguments arguments) {
    listed_ += json::serialize(arguments.members()) + "\n";
    co_return json::parse(R"({"by":"destination","ages":["5m","20m","1h","4h","1d","1d+"],"group_count":5,
      "total":{"key":"","mails":12,"waiting":11,"held":1,"mails_by_age":[1,0,0,0,10,1],"oldest_seconds":200000,
               "due_in_seconds":0,"last_answer":"connect: refused"},
      "groups":[{"key":"dead.test","mails":10,"waiting":11,"mails_by_age":[0,0,0,0,10,0],"oldest_seconds":7300,
                 "due_in_seconds":600,"paused_seconds":1200,"pause_reason":"down","last_answer":"connect: refused"},
                {"key":"a-very-long-name-of-a-domain.example.test","mails":1,"held":1,"mails_by_age":[0,0,0,0,0,1],
                 "oldest_seconds":200000,"last_answer":""}]})")
        .as_object();
  }
  Task<Result<json::object>> Show(Arguments arguments) {
    if (arguments.members().at("id") != "80000000-7") co_return Error(Errc::kNotFound, "there is no such mail");
    co_return json::parse(kTwoRecipients).as_object();
  }
  Task<Result<json::object>> Cat(Arguments arguments) {
    const std::string mail = "Subject: hi\r\nX: y\r\n\r\nbody\r\n";
    const auto offset = arguments.members().at("offset").to_number<std::size_t>();
    json::object answer;
    answer["base64"] = base::EncodeBase64(mail.substr(std::min(offset, mail.size()), 10));
    co_return answer;
  }
  Task<Result<json::object>> Status(Arguments) { co_return json::object{{"queue", json::object{{"mails", 1200}}}}; }
  // Two steps.
  Task<Result<json::object>> Change(std::string name, Arguments arguments) {
    requests_ += name + " " + json::serialize(arguments.members()) + "\n";
    if (arguments.members().contains("id")) {
      if (arguments.members().at("id") != "80000000-7") co_return Error(Errc::kNotFound, "there is no such mail");
      co_return json::object{{"id", "80000000-7"}};
    }
    const bool is_second = arguments.members().contains("after");
    if (is_second && fails_) co_return Error(Errc::kNoSpace, "the volume is full");
    json::object answer{{"examined", 600}, {"changed", is_second ? 37 : 500}, {"left", 1}, {"with_others", 0}};
    if (!is_second) answer["next"] = "80000000-9";
    co_return answer;
  }

  bool is_empty_ = false;
  bool fails_ = false;
  std::string requests_;
  std::string listed_;
};

TEST_F(QueueCommandsTest, ListsEachMailWithItsRecipients) {
  const std::string mail =
      "80000000-7        2 h    4.0 KiB  normal    <>\n"
      "    waiting   a@x.test  tried 3 times, again in 12 min: 450 4.2.0 later\n"
      "    held      b?[2J@y.test  tried once: 550 no such user\n"
      "    of 4 recipients: 2 waiting, 1 held, 1 delivered\n";
  const Ran ran = RunPosthorn({"queue", "list"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "ID                AGE       SIZE  CLASS     SENDER\n" + mail + mail + mail + "3 mails, 12.0 KiB\n");
  const Ran as_json = RunPosthorn({"queue", "list", "--json"});
  EXPECT_EQ(std::ranges::count(as_json.out, '\n'), 3);
  EXPECT_EQ(json::parse(as_json.out.substr(0, as_json.out.find('\n'))).at("id").as_string(), "80000000-7");
}

TEST_F(QueueCommandsTest, ListsNoMoreThanAskedFor) {
  EXPECT_THAT(RunPosthorn({"queue", "list", "--limit", "1"}).out, testing::EndsWith("\n1 mail, 4.0 KiB\n"));
  EXPECT_EQ(listed_, "{\"after\":\"\",\"limit\":1}\n");
}

TEST_F(QueueCommandsTest, AnEmptyListSaysSo) {
  is_empty_ = true;
  EXPECT_EQ(RunPosthorn({"queue", "list"}).out, "the queue is empty\n");
  EXPECT_EQ(RunPosthorn({"queue", "list", "--class", "bulk"}).out, "no mail of the queue matches\n");
  EXPECT_EQ(RunPosthorn({"queue", "list", "--json"}).out, "");
}

TEST_F(QueueCommandsTest, CriteriaGoToTheNode) {
  RunPosthorn({"queue", "list", "--sender", "<>", "--recipient", "@x.test", "--destination", "y*", "--state", "held",
               "--class", "suspect", "--older-than", "2h", "--newer-than", "3d"});
  EXPECT_THAT(listed_, HasSubstr(R"({"sender":"<>","recipient":"@x.test","destination":"y*","state":"held",)"
                                 R"("class":"suspect","older_than_seconds":7200,"newer_than_seconds":259200,)"
                                 R"("after":"","limit":200})"));
}

TEST_F(QueueCommandsTest, CountsByDestinationAndAge) {
  const Ran ran = RunPosthorn({"queue", "list", "--by", "destination", "--state", "waiting"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(
      ran.out,
      "DESTINATION                       MAILS  5m  20m  1h  4h  1d  1d+  OLDEST  NEXT           LAST ANSWER\n"
      "all                                  12   1    .   .   .  10    1     2 d  now            connect: refused\n"
      "dead.test                            10   .    .   .   .  10    .     2 h  paused 20 min  down\n"
      "a-very-long-name-of-a-domain.ex\xe2\x80\xa6      1   .    .   .   .   .    1     2 d  held\n"
      "and 3 more; --limit shows them\n");
  EXPECT_EQ(listed_, "{\"state\":\"waiting\",\"by\":\"destination\"}\n");
}

TEST_F(QueueCommandsTest, ShowsOneMail) {
  const Ran ran = RunPosthorn({"queue", "show", "80000000-7"});
  EXPECT_THAT(ran.out, HasSubstr("sender    <>\n"));
  EXPECT_EQ(RunPosthorn({"queue", "show", "80000000-8"}).err, "posthorn: there is no such mail\n");
}

TEST_F(QueueCommandsTest, WritesAMailOrItsHeader) {
  EXPECT_EQ(RunPosthorn({"queue", "cat", "80000000-7"}).out, "Subject: hi\r\nX: y\r\n\r\nbody\r\n");
  EXPECT_EQ(RunPosthorn({"queue", "cat", "80000000-7", "--header"}).out, "Subject: hi\r\nX: y\r\n");
}

TEST_F(QueueCommandsTest, ChangesMailsByTheirIds) {
  const struct {
    const char* name;
    const char* done;
  } rows[] = {{"hold", "held"}, {"release", "released"}, {"requeue", "requeued"}};
  for (const auto& row : rows) {
    const Ran ran = RunPosthorn({"queue", row.name, "80000000-7"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_EQ(ran.out, std::string(row.done) + " 80000000-7\n");
  }
  EXPECT_EQ(RunPosthorn({"queue", "remove", "80000000-7", "--yes"}).out, "removed 80000000-7\n");
  TakeRequests();
  EXPECT_EQ(RunPosthorn({"queue", "remove", "80000000-7", "--dry-run"}).out, "would remove 80000000-7\n");
  EXPECT_EQ(TakeRequests(), "");
  const Ran some = RunPosthorn({"queue", "hold", "80000000-8", "80000000-7"});
  EXPECT_EQ(some.exit_code, 1) << "one is missing";
  EXPECT_EQ(some.out, "held 80000000-7\n");
  EXPECT_EQ(some.err, "posthorn: there is no such mail\n");
}

TEST_F(QueueCommandsTest, ChangesAllThatMatchesInSteps) {
  Ran ran = RunPosthorn({"queue", "hold", "--destination", "x.test"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "held 537 mails\nleft 2 mails, which other recipients wait for too; --whole-mail takes them\n");
  EXPECT_EQ(
      TakeRequests(),
      "queue.hold {\"destination\":\"x.test\"}\nqueue.hold {\"destination\":\"x.test\",\"after\":\"80000000-9\"}\n");
  ran = RunPosthorn({"queue", "remove", "--all", "--whole-mail", "--dry-run", "--json"});
  EXPECT_EQ(ran.out, "{\"changed\":537,\"left\":2,\"with_others\":0,\"pauses_ended\":0,\"dry_run\":true}\n");
  EXPECT_THAT(TakeRequests(), HasSubstr("queue.remove {\"all\":true,\"dry_run\":true,\"whole_mail\":true}\n"));
  EXPECT_THAT(RunPosthorn({"queue", "flush"}).out, HasSubstr("requeued 537 mails\n"));
  EXPECT_THAT(TakeRequests(), HasSubstr("queue.requeue {\"all\":true}\n"));
  RunPosthorn({"queue", "flush", "--destination", "x.test"});
  EXPECT_THAT(TakeRequests(), HasSubstr("queue.requeue {\"destination\":\"x.test\"}\n"));
}

TEST_F(QueueCommandsTest, AStepThatFailsSaysWhatWasDoneBefore) {
  fails_ = true;
  const Ran ran = RunPosthorn({"queue", "hold", "--all"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "posthorn: held 500 mails, then: the volume is full\n");
}

TEST_F(QueueCommandsTest, AChangeNeedsExactlyOneWayToSayWhichMails) {
  const std::vector<std::vector<const char*>> rows = {
      {"queue", "hold"},
      {"queue", "remove", "--yes"},
      {"queue", "remove", "--dry-run"},
      {"queue", "hold", "80000000-7", "--all"},
      {"queue", "hold", "80000000-7", "--sender", "@x.test"},
      {"queue", "release", "--all", "--sender", "@x.test"},
      {"queue", "hold", "--older-than", "soon"},
      {"queue", "hold", "--state", "delivered"},
      {"queue", "list", "--by", "colour"},
      {"queue", "flush", "80000000-7"},
  };
  for (const auto& row : rows) {
    const Ran ran = RunPosthorn(row);
    EXPECT_EQ(ran.exit_code, 2) << testing::PrintToString(row);
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
  EXPECT_EQ(TakeRequests(), "");
}

TEST(QueueCriteria, DurationsAreReadByTheTable) {
  using std::chrono::seconds;
  const struct {
    const char* text;
    std::optional<seconds> duration;
  } rows[] = {
      {"90", seconds(90)},      {"90s", seconds(90)},     {"5m", seconds(300)},     {"5min", seconds(300)},
      {"2h", seconds(7200)},    {"3d", seconds(259'200)}, {"1w", seconds(604'800)}, {"0", std::nullopt},
      {"0h", std::nullopt},     {"", std::nullopt},       {"h", std::nullopt},      {"-5m", std::nullopt},
      {"5 m", std::nullopt},    {"5x", std::nullopt},     {"5mm", std::nullopt},    {"99999999999", std::nullopt},
      {"60000w", std::nullopt}, {"1.5h", std::nullopt}};
  for (const auto& row : rows) EXPECT_EQ(ParseDuration(row.text), row.duration) << row.text;
}

TEST(QueueText, LinesAreCutByCodePoints) {
  EXPECT_EQ(CutLines("abcdef\nabc\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\n\n", 3),
            "ab\xe2\x80\xa6\nabc\n\xc3\xa4\xc3\xb6\xe2\x80\xa6\n\n");
  EXPECT_EQ(CutLines("abcdef\n", 0), "abcdef\n");
  EXPECT_EQ(CutLines("abcdef\n", 1), "\xe2\x80\xa6\n");
}

}  // namespace
}  // namespace app
