#include "admin/command_table.h"

#include <string>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/log.h"
#include "base/random.h"

namespace admin {
namespace {

namespace json = boost::json;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;

Task<Result<json::object>> Greet(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string name, arguments.Text("name", 8));
  ASSIGN_OR_CO_RETURN(const std::uint32_t times, arguments.Count("times", 1, 3));
  json::object answer;
  for (std::uint32_t i = 0; i < times; ++i) answer["hello " + std::to_string(i)] = name;
  co_return answer;
}

Task<Result<json::object>> Remove(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string address, arguments.Text("address", 64));
  if (address != "a@example.test") co_return Error(Errc::kNotFound, "there is no account " + address);
  co_return json::object();
}

std::vector<std::string> g_lines;  // A log sink is a plain function.

class CommandTableTest : public testing::Test {
 protected:
  CommandTableTest() {
    table_.Add("greet", {.effect = Effect::kReads, .arguments = {"name", "times"}, .handler = Greet});
    table_.Add("user.remove", {.effect = Effect::kChanges, .arguments = {"address", "password"}, .handler = Remove});
    g_lines.clear();
    base::SetLogSink([](std::string_view line) { g_lines.emplace_back(line); });
  }
  ~CommandTableTest() override { base::SetLogSink(nullptr); }

  std::string Answer(std::string line) {
    return async::RunTask(context_, table_.Answer(std::move(line), {.user_id = 1234, .group_id = 1, .process_id = 77}));
  }

  asio::io_context context_;
  CommandTable table_;
};

TEST_F(CommandTableTest, AnswersEachRequestWithOneObject) {
  const struct {
    std::string request;
    std::string answer;
  } rows[] = {
      {R"({"command":"greet","name":"Ann"})", R"({"ok":true,"result":{"hello 0":"Ann"}})"},
      {R"( {"times":2,"command":"greet","name":""} )", R"({"ok":true,"result":{"hello 0":"","hello 1":""}})"},
      {R"({"command":"user.remove","address":"b@example.test"})",
       R"({"ok":false,"code":"not_found","error":"there is no account b@example.test"})"},
      {R"({"command":"greet"})",
       R"({"ok":false,"code":"invalid","error":"the argument \"name\" is missing; give it as a text"})"},
      {R"({"command":"greet","name":7})",
       R"({"ok":false,"code":"invalid","error":"the argument \"name\" must be a text"})"},
      {R"({"command":"greet","name":"123456789"})",
       R"({"ok":false,"code":"invalid","error":"the argument \"name\" must have at most 8 bytes and no NUL"})"},
      {R"({"command":"greet","name":"a\u0000b"})",
       R"({"ok":false,"code":"invalid","error":"the argument \"name\" must have at most 8 bytes and no NUL"})"},
      {R"({"command":"greet","name":"Ann","times":4})",
       R"({"ok":false,"code":"invalid","error":"the argument \"times\" must be a whole number from 1 to 3"})"},
      {R"({"command":"greet","name":"Ann","times":-1})",
       R"({"ok":false,"code":"invalid","error":"the argument \"times\" must be a whole number from 1 to 3"})"},
      {R"({"command":"greet","name":"Ann","times":1.5})",
       R"({"ok":false,"code":"invalid","error":"the argument \"times\" must be a whole number from 1 to 3"})"},
      {R"({"command":"greet","name":"Ann","tmies":2})",
       R"({"ok":false,"code":"invalid","error":"this command has no argument \"tmies\""})"},
      {R"({"command":"fly"})",
       R"({"ok":false,"code":"invalid","error":"there is no such command; this node may be of another version than the program"})"},
      {R"({"name":"Ann"})",
       R"({"ok":false,"code":"invalid","error":"the member \"command\" is missing; give it as a text, such as \"status\""})"},
      {R"([1])",
       R"({"ok":false,"code":"invalid","error":"send one JSON object a line, such as {\"command\":\"status\"}"})"},
  };
  for (const auto& row : rows) EXPECT_EQ(Answer(row.request), row.answer) << row.request;
}

TEST_F(CommandTableTest, RefusesWhatIsNotOneJsonObject) {
  const std::string nested = std::string(100, '[') + std::string(100, ']');
  for (const std::string& request :
       {std::string(), std::string("{"), std::string("status"), std::string("{}{}"), std::string("\0\0", 2),
        std::string(R"({"command":"greet","name":)") + nested + "}", std::string("{\"command\":\"\xff\"}")}) {
    const json::value answer = json::parse(Answer(request));
    EXPECT_FALSE(answer.at("ok").as_bool()) << request;
    EXPECT_EQ(answer.at("code").as_string(), "invalid") << request;
  }
}

// What the answers are made of must be JSON whatever came in.
TEST_F(CommandTableTest, AnswersAnyBytesWithJson) {
  const std::uint64_t seed = base::SecureRandom64();
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::Random random(seed);
  const std::string valid = R"({"command":"user.remove","address":"b@example.test","password":"x"})";
  for (int round = 0; round < 2000; ++round) {
    std::string request = valid.substr(0, random.Below(valid.size() + 1));
    for (std::uint64_t edits = random.Below(4); edits > 0 && !request.empty(); --edits) {
      request[random.Below(request.size())] = static_cast<char>(random.Below(256));
    }
    json::error_code code;
    const json::value answer = json::parse(Answer(request), code);
    ASSERT_FALSE(code) << "round " << round;
    EXPECT_TRUE(answer.at("ok").is_bool());
  }
}

TEST_F(CommandTableTest, LogsWhoChangedWhatAndNeverAPassword) {
  Answer(R"({"command":"user.remove","address":"a@example.test","password":"secret"})");
  Answer(R"({"command":"user.remove","address":"b@example.test","password":"secret"})");
  Answer(R"({"command":"greet","name":"Ann"})");
  ASSERT_EQ(g_lines.size(), 2u);
  EXPECT_NE(g_lines[0].find("admin_command command=user.remove target=a@example.test uid=1234 pid=77 result=ok"),
            std::string::npos)
      << g_lines[0];
  EXPECT_NE(g_lines[1].find("result=not_found"), std::string::npos) << g_lines[1];
  for (const std::string& line : g_lines) EXPECT_EQ(line.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace admin
