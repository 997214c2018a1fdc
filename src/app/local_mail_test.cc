#include "app/local_mail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/local_smtp.h"

namespace app {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

LocalWriter Alice() {
  return {.login = "alice",
          .full_name = "Alice Liddell",
          .user_id = 1000,
          .domain = "example.test",
          .hostname = "mx.example.test",
          .now = base::WallTime(std::chrono::seconds(1'700'000'000)),
          .zone = std::chrono::minutes(60),
          .unique = "0123abcd"};
}

constexpr std::string_view kTrace =
    "Received: by mx.example.test (Posthorn sendmail, from userid 1000);\r\n\tTue, 14 Nov 2023 23:13:20 +0100\r\n";

LocalMail Made(std::string_view text, const SendmailOptions& options) {
  auto mail = MakeLocalMail(text, options, Alice());
  EXPECT_TRUE(mail) << mail.error().message();
  return mail ? *std::move(mail) : LocalMail();
}

TEST(LocalMail, AddsTheFieldsThatAreMissing) {
  const LocalMail mail = Made("Subject: hello\n\nText.\n", {.recipients = {"bob"}});
  EXPECT_EQ(mail.sender, "alice@example.test");
  EXPECT_THAT(mail.recipients, ElementsAre("bob@example.test"));
  EXPECT_EQ(mail.message, std::string(kTrace) +
                              "From: Alice Liddell <alice@example.test>\r\n"
                              "Date: Tue, 14 Nov 2023 23:13:20 +0100\r\n"
                              "Message-ID: <0123abcd@mx.example.test>\r\n"
                              "Subject: hello\r\n\r\nText.\r\n");
}

TEST(LocalMail, LeavesFieldsThatAreThereAlone) {
  const std::string_view fields = "FROM: x@y.test\nDate: today\nMessage-Id: <1@y>\nTo: bob\n";
  EXPECT_EQ(Made(std::string(fields) + "\n", {.recipients = {"bob"}}).message,
            std::string(kTrace) + "FROM: x@y.test\r\nDate: today\r\nMessage-Id: <1@y>\r\nTo: bob\r\n\r\n");
}

TEST(LocalMail, TakesRecipientsFromTheHeaderAndBccOut) {
  const LocalMail mail = Made(
      "To: Bob <bob@b.test>, friends: c@c.test,\n  \"d d\"@d.test;\nCc: bob@b.test\nBcc: secret@s.test,\n\tmore\n"
      "Subject: x\n\nBcc: not a field\n",
      {.recipients_in_header = true, .recipients = {"first@f.test"}});
  EXPECT_THAT(mail.recipients, ElementsAre("first@f.test", "bob@b.test", "c@c.test", "\"d d\"@d.test", "secret@s.test",
                                           "more@example.test"));
  EXPECT_THAT(mail.message, Not(HasSubstr("secret")));
  EXPECT_THAT(mail.message, EndsWith("Subject: x\r\n\r\nBcc: not a field\r\n"));
}

TEST(LocalMail, SendsAResentMailToWhomItIsResent) {
  const LocalMail mail =
      Made("To: bob@b.test\nResent-To: carol@c.test\nResent-Bcc: dan@d.test\n\n", {.recipients_in_header = true});
  EXPECT_THAT(mail.recipients, ElementsAre("carol@c.test", "dan@d.test"));
  EXPECT_THAT(mail.message, Not(HasSubstr("Resent-Bcc")));
}

TEST(LocalMail, TakesTextWithoutAHeaderAsTheBody) {
  EXPECT_THAT(Made("hello\n", {.recipients = {"bob"}}).message, EndsWith("mx.example.test>\r\n\r\nhello\r\n"));
  EXPECT_THAT(Made("", {.recipients = {"bob"}}).message, EndsWith("mx.example.test>\r\n\r\n"));
  EXPECT_THAT(Made("From root Mon Nov 23 00:46:48\nSubject: x\n\ny", {.recipients = {"bob"}}).message,
              EndsWith("Subject: x\r\n\r\ny\r\n"));
}

TEST(LocalMail, EndsAtADotUnlessTold) {
  const std::string_view text = "Subject: x\n\none\n.\ntwo\n";
  EXPECT_THAT(Made(text, {.recipients = {"bob"}}).message, EndsWith("\r\none\r\n"));
  EXPECT_THAT(Made(text, {.dot_is_text = true, .recipients = {"bob"}}).message, EndsWith("\r\none\r\n.\r\ntwo\r\n"));
}

TEST(LocalMail, WritesNamesSoThatTheyCannotBeMisread) {
  const auto from_of = [](const std::string& name) {
    const std::string message = Made("\n", {.full_name = name, .recipients = {"bob"}}).message;
    const std::size_t begin = message.find("From: ");
    return message.substr(begin, message.find("\r\n", begin) - begin);
  };
  EXPECT_EQ(from_of("Cron Daemon"), "From: Cron Daemon <alice@example.test>");
  EXPECT_EQ(from_of("J. \"Q\" (x)"), "From: \"J. \\\"Q\\\" (x)\" <alice@example.test>");
  EXPECT_EQ(from_of("J\xc3\xb6rg"), "From: =?UTF-8?B?SsO2cmc=?= <alice@example.test>");
  EXPECT_EQ(from_of("a\r\nBcc: x"), "From: =?UTF-8?B?YQ0KQmNjOiB4?= <alice@example.test>");
}

TEST(LocalMail, KnowsWhoSends) {
  EXPECT_EQ(Made("\n", {.sender = "", .recipients = {"bob"}}).sender, "");
  EXPECT_EQ(Made("\n", {.sender = "root", .recipients = {"bob"}}).sender, "root@example.test");
  EXPECT_EQ(Made("\n", {.sender = "<root>", .recipients = {"bob"}}).sender, "root@example.test");
}

TEST(LocalMail, PutsNoLineEndIntoAnAddress) {
  const auto mail =
      MakeLocalMail("\n", {.sender = "a\r\nDATA", .recipients = {"a\r\nRCPT TO:<x>@b.test, \"c\nd\"@b.test"}}, Alice());
  if (!mail) return;  // Refused is as good.
  for (const std::string& address : mail->recipients)
    EXPECT_EQ(address.find_first_of("\r\n"), std::string::npos) << address;
  EXPECT_EQ(mail->sender.find_first_of("\r\n"), std::string::npos);
}

TEST(LocalMail, RefusesWhatIsNoAddress) {
  using base::Errc;
  const auto code_of = [](const SendmailOptions& options) {
    const auto mail = MakeLocalMail("To: nobody: ;\n\n", options, Alice());
    return mail ? Errc::kExists : mail.error().code();
  };
  EXPECT_EQ(code_of({}), Errc::kNotFound);
  EXPECT_EQ(code_of({.recipients_in_header = true}), Errc::kNotFound);
  EXPECT_EQ(code_of({.recipients = {"a@b..c"}}), Errc::kInvalid);
  EXPECT_EQ(code_of({.sender = "a, b", .recipients = {"bob"}}), Errc::kInvalid);
}

TEST(LocalSmtpAddress, PrefersLoopback) {
  const auto chosen = [](std::vector<std::string> addresses) {
    NodeConfig config;
    config.smtp_listen = std::move(addresses);
    const auto address = LocalSmtpAddress(config);
    return address ? address->ip + " " + std::to_string(address->port) : address.error().message();
  };
  EXPECT_EQ(chosen({"192.0.2.1:25", "127.0.0.2:2525"}), "127.0.0.2 2525");
  EXPECT_EQ(chosen({"0.0.0.0:25"}), "127.0.0.1 25");
  EXPECT_EQ(chosen({"192.0.2.1:25", "[::]:26"}), "::1 26");
  EXPECT_EQ(chosen({"192.0.2.1:25"}), "192.0.2.1 25");
  EXPECT_THAT(chosen({}), HasSubstr("smtp.listen"));
}

}  // namespace
}  // namespace app
