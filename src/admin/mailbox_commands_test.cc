// mailbox.*: on the real parts of a node, with bodies from memory.
#include "admin/mailbox_commands.h"

#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/base64.h"
#include "store/testing.h"

namespace admin {
namespace {

namespace json = boost::json;
using async::Task;
using base::Result;

constexpr const char* kAlice = "alice@example.test";

// Hands out its text in pieces of three bytes.
class TextBody final : public RequestBody {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  void Expect(std::uint64_t bytes) override { EXPECT_EQ(bytes, text_.size()); }
  Task<Result<std::size_t>> Read(std::span<char> into) override {
    const std::size_t size = std::min({into.size(), text_.size() - at_, std::size_t{3}});
    std::memcpy(into.data(), text_.data() + at_, size);
    at_ += size;
    co_return size;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

class MailboxCommandsTest : public testing::Test {
 protected:
  MailboxCommandsTest() {
    rig_.AddAccount(kAlice);
    commands_.emplace(rig_.executor(),
                      MailboxCommands::Parts{
                          .store = &rig_.store(), .log = &rig_.log(), .uidl_format = {}, .message_bytes_max = 1000});
    commands_->AddTo(&table_);
  }
  ~MailboxCommandsTest() override { rig_.Run(commands_->Stop()); }

  json::value Ask(json::object request, std::string body = {}) {
    if (!body.empty()) request[kBodyBytesArgument] = body.size();
    TextBody text(std::move(body));
    return json::parse(rig_.Run(table_.Answer(json::serialize(request), {}, &text)));
  }
  json::object Do(json::object request, std::string body = {}) {
    const json::value answer = Ask(std::move(request), std::move(body));
    EXPECT_TRUE(answer.at("ok").as_bool()) << answer;
    return answer.as_object().contains("result") ? answer.at("result").as_object() : json::object();
  }
  json::object Prepare(const char* mailbox, json::object more = {}) {
    more["command"] = "mailbox.prepare";
    more["address"] = kAlice;
    more["mailbox"] = mailbox;
    return Do(std::move(more));
  }
  static json::object Mail(std::size_t size, std::string_view origin, json::object more = {}) {
    more["size"] = size;
    more["origin"] = std::string(32 - origin.size(), '0') + std::string(origin);
    more["date"] = 1'700'000'000'000'000;
    return more;
  }
  json::array Import(const json::object& mailbox, json::array mails, std::string body) {
    return Do({{"command", "mailbox.import"}, {"id", mailbox.at("id")}, {"mails", std::move(mails)}}, std::move(body))
        .at("mails")
        .as_array();
  }

  store::TestNode rig_;
  CommandTable table_;
  std::optional<MailboxCommands> commands_;
};

TEST_F(MailboxCommandsTest, ImportsMailsWithAllThatTheyAreKnownBy) {
  const json::object inbox = Prepare("INBOX", {{"uid_validity", 1'262'234'910}});
  EXPECT_TRUE(inbox.at("uids_kept").as_bool());
  EXPECT_EQ(inbox.at("uid_validity").as_int64(), 1'262'234'910);
  const json::array done =
      Import(inbox,
             {Mail(8, "a", {{"uid", 10}, {"flags", {"\\Seen", "$Label1"}}, {"uidl", "0000000a4b3c2d1e"}}),
              Mail(5, "b", {{"uid", 12}, {"uidl", "UID12-1"}}), Mail(5, "c", {{"uidl", "0000000c4b3c2d1e"}})},
             "a: b\n\nc\nd: e\nf: g\n");
  ASSERT_EQ(done.size(), 3u);
  EXPECT_EQ(done[0].at("uid").as_int64(), 10);
  EXPECT_EQ(done[1].at("uid").as_int64(), 12);
  const json::array mails = Do({{"command", "mailbox.mails"}, {"id", inbox.at("id")}}).at("mails").as_array();
  ASSERT_EQ(mails.size(), 3u);
  EXPECT_FALSE(mails[2].as_object().contains("uidl")) << "it is that of another mail here";
  EXPECT_EQ(mails[0].at("flags"), (json::array{"\\Seen", "$Label1"}));
  EXPECT_EQ(mails[0].at("date").as_int64(), 1'700'000'000'000'000);
  EXPECT_FALSE(mails[0].as_object().contains("uidl")) << "it is what the UID makes";
  EXPECT_EQ(mails[1].at("uidl").as_string(), "UID12-1");
  const json::object read = Do({{"command", "mailbox.read"}, {"id", inbox.at("id")}, {"uid", 10}});
  EXPECT_EQ(*base::DecodeBase64(std::string(read.at("base64").as_string())), "a: b\r\n\r\nc\r\n")
      << "line ends are CRLF";
}

TEST_F(MailboxCommandsTest, TakesEachOriginOnce) {
  const json::object inbox = Prepare("INBOX");
  EXPECT_FALSE(Import(inbox, {Mail(5, "a")}, "a: b\n")[0].at("was_there").as_bool());
  EXPECT_TRUE(Import(inbox, {Mail(5, "a")}, "a: b\n")[0].at("was_there").as_bool());
  const json::object known = Do({{"command", "mailbox.known"},
                                 {"id", inbox.at("id")},
                                 {"origins", {std::string(31, '0') + "b", std::string(31, '0') + "a"}}});
  EXPECT_EQ(known.at("known").as_string(), "01");
  EXPECT_EQ(Do({{"command", "mailbox.mails"}, {"id", inbox.at("id")}}).at("mails").as_array().size(), 1u);
}

TEST_F(MailboxCommandsTest, BringsLaterFlagsOfMailsThatNobodyTouched) {
  const json::object inbox = Prepare("INBOX");
  Import(inbox, {Mail(5, "a"), Mail(5, "b"), Mail(5, "c")}, "a: b\nb: c\nc: d\n");
  const auto id = static_cast<std::uint64_t>(std::stoull(std::string(inbox.at("id").as_string())));
  ASSERT_TRUE(rig_.Run(rig_.store().StoreFlags(store::MailboxId(id), {2}, store::FlagsChange::kAdd,
                                               {.system = store::Flags::kSeen, .keywords = {}}))
                  .has_value());
  const auto flags_of = [](std::string_view origin, json::array flags) {
    return json::object{{"origin", std::string(32 - origin.size(), '0') + std::string(origin)},
                        {"flags", std::move(flags)}};
  };
  const json::object request{{"command", "mailbox.flags"},
                             {"id", inbox.at("id")},
                             {"mails",
                              {flags_of("c", {"\\Flagged", "Work"}), flags_of("a", {}), flags_of("b", {"\\Deleted"}),
                               flags_of("c", {"\\Flagged", "Work"}), flags_of("d", {"\\Seen"})}}};
  EXPECT_EQ(Do(request), (json::object{{"changed", 1}, {"kept", 1}, {"refused", 0}}));
  EXPECT_EQ(Do(request), (json::object{{"changed", 0}, {"kept", 1}, {"refused", 0}}));
  const json::array mails = Do({{"command", "mailbox.mails"}, {"id", inbox.at("id")}}).at("mails").as_array();
  EXPECT_EQ(mails[0].at("flags"), json::array{});
  EXPECT_EQ(mails[1].at("flags"), json::array{"\\Seen"});
  EXPECT_EQ(mails[2].at("flags"), (json::array{"\\Flagged", "Work"}));
  for (const json::value& wrong : {json::value("x"), json::value(json::array{"x"}), json::value(json::array{{}}),
                                   json::value(json::array{flags_of("a", {"no atom"})})}) {
    EXPECT_FALSE(Ask({{"command", "mailbox.flags"}, {"id", inbox.at("id")}, {"mails", wrong}}).at("ok").as_bool());
  }
}

TEST_F(MailboxCommandsTest, OneBadMailDoesNotHinderTheOthers) {
  const json::object inbox = Prepare("INBOX");
  const std::string large(1001, 'x');
  const json::array done = Import(inbox,
                                  {Mail(2, "a", {{"uid", 5}}), Mail(3, "b"), Mail(1001, "c"), Mail(0, "d"),
                                   Mail(2, "e", {{"uid", 5}}), Mail(2, "f", {{"flags", {"no atom"}}}), Mail(3, "0")},
                                  "a\n" + std::string("b\0\n", 3) + large + "e\nf\nok\n");
  ASSERT_EQ(done.size(), 7u);
  EXPECT_EQ(done[0].at("uid").as_int64(), 5);
  EXPECT_NE(done[1].at("error").as_string().find("NUL"), json::string::npos);
  EXPECT_NE(done[2].at("error").as_string().find("mail.size_max"), json::string::npos);
  EXPECT_NE(done[3].at("error").as_string().find("empty"), json::string::npos);
  EXPECT_EQ(done[4].at("code").as_string(), "exists");
  EXPECT_EQ(done[5].at("code").as_string(), "invalid");
  EXPECT_EQ(done[6].at("uid").as_int64(), 6);
}

TEST_F(MailboxCommandsTest, SaysWhyUidsCannotBeKept) {
  const json::object inbox = Prepare("INBOX");
  Import(inbox, {Mail(2, "a")}, "a\n");
  const json::object refused = Prepare("INBOX", {{"uid_validity", 77}});
  EXPECT_FALSE(refused.at("uids_kept").as_bool());
  EXPECT_NE(refused.at("why").as_string().find("has had mail"), json::string::npos) << refused;
}

TEST_F(MailboxCommandsTest, MakesAndSubscribesMailboxesAndListsThemInPages) {
  Prepare("Sent/2024", {{"subscribed", true}});
  const json::object first = Do({{"command", "mailbox.list"}, {"address", kAlice}, {"limit", 2}});
  EXPECT_EQ(first.at("mailboxes").as_array().size(), 2u);
  const json::object rest =
      Do({{"command", "mailbox.list"}, {"address", kAlice}, {"limit", 2}, {"after", first.at("next")}});
  ASSERT_EQ(rest.at("mailboxes").as_array().size(), 1u);
  EXPECT_EQ(rest.at("mailboxes").at(0).at("name").as_string(), "Sent/2024");
  EXPECT_TRUE(rest.at("mailboxes").at(0).at("subscribed").as_bool());
}

TEST_F(MailboxCommandsTest, RefusesRequestsThatMakeNoSense) {
  const json::object inbox = Prepare("INBOX");
  const json::value& id = inbox.at("id");
  const struct {
    const char* label;
    json::object request;
    const char* body;
  } rows[] = {
      {"sizes", {{"command", "mailbox.import"}, {"id", id}, {"mails", {Mail(3, "a")}}}, "four"},
      {"no list", {{"command", "mailbox.import"}, {"id", id}, {"mails", 5}}, "x"},
      {"no id", {{"command", "mailbox.import"}, {"id", "x"}, {"mails", json::array()}}, "x"},
      {"origin", {{"command", "mailbox.known"}, {"id", id}, {"origins", {"zz"}}}, ""},
      {"account", {{"command", "mailbox.list"}, {"address", "nobody@example.test"}}, ""},
      {"name", {{"command", "mailbox.prepare"}, {"address", kAlice}, {"mailbox", "a//b"}}, ""},
  };
  for (const auto& row : rows) EXPECT_FALSE(Ask(row.request, row.body).at("ok").as_bool()) << row.label;
}

}  // namespace
}  // namespace admin
