#include "smtp/proto/client_command.h"

#include <gtest/gtest.h>

#include "smtp/proto/command.h"

namespace smtp {
namespace {

std::string Mail(const mail::Envelope& envelope, const MailParameters& parameters) {
  std::string line;
  AppendMail(line, envelope, parameters);
  return line;
}

std::string Rcpt(const mail::Recipient& recipient, const MailParameters& parameters) {
  std::string line;
  AppendRcpt(line, recipient, parameters);
  return line;
}

TEST(ClientCommand, MailCarriesOnlyWhatIsOffered) {
  mail::Envelope envelope{.sender = "a@b.test", .dsn_return = mail::DsnReturn::kHeaders, .envelope_id = "QQ314159"};
  EXPECT_EQ(Mail({}, {}), "MAIL FROM:<>\r\n");
  EXPECT_EQ(Mail(envelope, {}), "MAIL FROM:<a@b.test>\r\n");
  EXPECT_EQ(Mail(envelope, {.size = true, .size_bytes = 7}), "MAIL FROM:<a@b.test> SIZE=7\r\n");
  EXPECT_EQ(Mail(envelope, {.size = true, .size_bytes = 7, .body_8bit = true, .smtputf8 = true, .dsn = true}),
            "MAIL FROM:<a@b.test> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159\r\n");
  envelope.dsn_return = mail::DsnReturn::kFull;
  envelope.envelope_id = "a b+2Bc";
  EXPECT_EQ(Mail(envelope, {.dsn = true}), "MAIL FROM:<a@b.test> RET=FULL ENVID=a+20b+2Bc\r\n");
}

TEST(ClientCommand, RcptCarriesWhatTheSenderAsked) {
  const MailParameters dsn{.dsn = true};
  const struct {
    mail::Recipient recipient;
    std::string_view line;
  } rows[] = {
      {{.address = "a@b.test"}, "RCPT TO:<a@b.test>\r\n"},
      {{.address = "a@b.test", .notify = mail::kNotifyNever}, "RCPT TO:<a@b.test> NOTIFY=NEVER\r\n"},
      {{.address = "a@b.test", .notify = mail::kNotifySuccess | mail::kNotifyDelay},
       "RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY\r\n"},
      {{.address = "a@b.test", .notify = mail::kNotifyFailure, .original = "rfc822;o+2Bx@b.test"},
       "RCPT TO:<a@b.test> NOTIFY=FAILURE ORCPT=rfc822;o+2Bx@b.test\r\n"},
      {{.address = "a@b.test", .original = "rfc822;o+x y@b.test\r\nDATA"},
       "RCPT TO:<a@b.test> ORCPT=rfc822;o+2Bx+20y@b.test+0D+0ADATA\r\n"},
      {{.address = "a@b.test", .original = "no type"}, "RCPT TO:<a@b.test>\r\n"},
      {{.address = "a@b.test", .original = "b\r\nad;x"}, "RCPT TO:<a@b.test>\r\n"},
      {{.address = "a@b.test", .original = ";x"}, "RCPT TO:<a@b.test>\r\n"},
  };
  for (const auto& row : rows) EXPECT_EQ(Rcpt(row.recipient, dsn), row.line);
  EXPECT_EQ(Rcpt(rows[3].recipient, {}), "RCPT TO:<a@b.test>\r\n");
}

// Our own server is one more reader of the same grammar.
TEST(ClientCommand, OurServerReadsWhatOurClientWrites) {
  const mail::Envelope envelope{
      .sender = "\"a b\"@c.test", .dsn_return = mail::DsnReturn::kFull, .envelope_id = "id+20x"};
  std::string line = Mail(envelope, {.size = true, .size_bytes = 12, .body_8bit = true, .smtputf8 = true, .dsn = true});
  line.resize(line.size() - 2);
  const Command command = ParseCommand(line);
  const auto* from = std::get_if<MailFrom>(&command);
  ASSERT_NE(from, nullptr) << line;
  EXPECT_EQ(from->sender.ToString(), envelope.sender);
  EXPECT_EQ(from->size_bytes, 12u);
  EXPECT_EQ(from->body, mail::BodyType::k8BitMime);
  EXPECT_TRUE(from->smtputf8);
  EXPECT_EQ(from->dsn_return, mail::DsnReturn::kFull);
  EXPECT_EQ(from->envelope_id, "id+20x");
}

TEST(FitForPath, KeepsCommandsFromBeingSmuggled) {
  for (const std::string_view good : {"", "a@b.test", "\"a b>\"@c.test", "\"a\\\"b\"@c.test", "j\xc3\xbc@b.test"}) {
    EXPECT_TRUE(IsFitForPath(good)) << good;
  }
  for (const std::string_view bad : {"a@b.test>\r\nDATA", "a@b.test\n", "a b@c.test", "a>@b.test", "<a@b.test", "\"a@b",
                                     "\"a\\", "\"a\\\r\"@b", "a\x7f@b"}) {
    EXPECT_FALSE(IsFitForPath(bad)) << bad;
  }
}

TEST(Xtext, IsKeptWhereItIsSomeAndMadeWhereNot) {
  EXPECT_EQ(ToXtext("abc"), "abc");
  EXPECT_EQ(ToXtext("a+2Bb"), "a+2Bb");
  EXPECT_EQ(ToXtext("a+b"), "a+2Bb");
  EXPECT_EQ(ToXtext("a+2bb"), "a+2B2bb");
  EXPECT_EQ(ToXtext("a=b c\x7f\xc3\xa9"), "a+3Db+20c+7F+C3+A9");
  EXPECT_EQ(ToXtext("+2"), "+2B2");
}

}  // namespace
}  // namespace smtp
