#include "smtp/proto/command.h"

#include <gtest/gtest.h>

namespace smtp {
namespace {

template <class T>
T Parsed(std::string_view line) {
  const Command command = ParseCommand(line);
  if (const auto* bad = std::get_if<BadCommand>(&command)) {
    ADD_FAILURE() << line << ": " << bad->code << " " << bad->text;
    return {};
  }
  EXPECT_TRUE(std::holds_alternative<T>(command)) << line;
  return std::holds_alternative<T>(command) ? std::get<T>(command) : T{};
}

TEST(ParseCommand, ReadsEachCommandInAnyCase) {
  EXPECT_TRUE(Parsed<Helo>("EHLO client.example").extended);
  EXPECT_EQ(Parsed<Helo>("helo [192.0.2.1]").name, "[192.0.2.1]");
  Parsed<Data>("data");
  Parsed<Rset>("RSET  ");
  Parsed<Noop>("NOOP whatever");
  Parsed<Quit>("QUIT");
  Parsed<Vrfy>("VRFY someone");
  Parsed<Expn>("EXPN list");
  Parsed<Help>("HELP");
  Parsed<StartTls>("STARTTLS");
}

TEST(ParseCommand, ReadsPathsAsClientsWriteThem) {
  struct Row {
    const char* line;
    const char* address;
  };
  for (const Row& row :
       {Row{"MAIL FROM:<a@example.test>", "a@example.test"}, Row{"mail from: <a@example.test>", "a@example.test"},
        Row{"MAIL FROM:<@relay.test,@b.test:a@example.test>", "a@example.test"},
        Row{R"(MAIL FROM:<"a b>c"@example.test>)", R"("a b>c"@example.test)"},
        Row{"MAIL FROM:<a@Example.TEST> SIZE=10", "a@example.test"},
        Row{"MAIL FROM:<a@mail_1.Example.test>", "a@mail_1.example.test"},
        Row{"MAIL FROM:<bounces+0123456789-0123456789-0123456789-0123456789-user=example.test@verp.test>",
            "bounces+0123456789-0123456789-0123456789-0123456789-user=example.test@verp.test"}}) {
    EXPECT_EQ(Parsed<MailFrom>(row.line).sender.ToString(), row.address) << row.line;
  }
  EXPECT_TRUE(Parsed<MailFrom>("MAIL FROM:<>").null_path);
  EXPECT_EQ(Parsed<RcptTo>("RCPT TO:<Postmaster>").recipient.domain, "");
}

TEST(ParseCommand, ReadsParameters) {
  const MailFrom from =
      Parsed<MailFrom>("MAIL FROM:<a@b.test> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x1 AUTH=<>");
  EXPECT_EQ(from.size_bytes, 1000u);
  EXPECT_EQ(from.body, mail::BodyType::k8BitMime);
  EXPECT_TRUE(from.smtputf8);
  EXPECT_EQ(from.dsn_return, mail::DsnReturn::kHeaders);
  EXPECT_EQ(from.envelope_id, "x1");
  const RcptTo rcpt = Parsed<RcptTo>("RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b.test");
  EXPECT_EQ(rcpt.notify, mail::kNotifySuccess | mail::kNotifyDelay);
  EXPECT_EQ(rcpt.original, "rfc822;a@b.test");
  EXPECT_EQ(Parsed<Bdat>("BDAT 86 LAST").size_bytes, 86u);
  EXPECT_TRUE(Parsed<Bdat>("BDAT 0 last").last);
  EXPECT_FALSE(Parsed<Bdat>("BDAT 5").last);
  EXPECT_FALSE(Parsed<Bdat>("BDAT 5 LAST").malformed);
  for (const char* malformed : {"BDAT 5 FIRST", "BDAT 5LAST", "BDAT 5 LAST now"}) {
    EXPECT_TRUE(Parsed<Bdat>(malformed).malformed) << malformed;
    EXPECT_EQ(Parsed<Bdat>(malformed).size_bytes, 5u) << malformed;
  }
  const Auth auth = Parsed<Auth>("AUTH plain dGVzdA==");
  EXPECT_EQ(auth.mechanism, "PLAIN");
  EXPECT_EQ(auth.initial, "dGVzdA==");
  EXPECT_FALSE(Parsed<Auth>("AUTH LOGIN").has_initial);
}

TEST(ParseCommand, AnswersBadLinesWithTheRightCode) {
  struct Row {
    std::string_view line;
    int code;
  };
  for (const Row& row : {Row{"", 500},
                         Row{"FOO", 500},
                         Row{"MAILFROM:<a@b.test>", 500},
                         Row{"MAIL FROM:a@b.test", 501},
                         Row{"MAIL FROM:<a@b.test", 501},
                         Row{"MAIL FROM:<a>", 501},
                         Row{"MAIL FROM:<a@b.test> SIZE=x", 501},
                         Row{"MAIL FROM:<a@b.test> SIZE=99999999999999999999999", 501},
                         Row{"MAIL FROM:<a@b.test> FOO=1", 555},
                         Row{"MAIL FROM:<a@b.test> BODY=BINARYMIME", 501},
                         Row{"RCPT TO:<>", 501},
                         Row{"RCPT TO:<a@b.test> NOTIFY=NEVER,DELAY", 501},
                         Row{"RCPT TO:<a@b.test> NOTIFY=", 501},
                         Row{"RCPT TO:<a@b.test> ORCPT=x", 501},
                         Row{"EHLO", 501},
                         Row{"DATA now", 501},
                         Row{"QUIT now", 501},
                         Row{"STARTTLS x", 501},
                         Row{"BDAT", 501},
                         Row{"BDAT -1", 501},
                         Row{"BDAT x", 501},
                         Row{"BDAT 99999999999999999999999", 501},
                         Row{"EHLO a\tb", 501},
                         Row{"EHLO a\x7f", 500},
                         Row{"AUTH", 501},
                         Row{std::string_view("NOOP\0x", 6), 500},
                         Row{"NOOP \r", 500},
                         Row{"MAIL FROM:<\xc3\xa4@b.test>", 501}}) {
    const Command command = ParseCommand(row.line);
    ASSERT_TRUE(std::holds_alternative<BadCommand>(command)) << row.line;
    EXPECT_EQ(std::get<BadCommand>(command).code, row.code) << row.line;
  }
}

}  // namespace
}  // namespace smtp
