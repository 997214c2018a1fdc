#include "smtp/proto/reply_parser.h"

#include <gtest/gtest.h>

#include "mail/charset.h"

namespace smtp {
namespace {

using State = ReplyParser::State;

TEST(ReplyParser, ReadsCodeStatusAndWords) {
  const struct {
    std::vector<std::string> lines;
    int code;
    std::string_view status;
    std::string_view text;
  } rows[] = {
      {{"250 Ok"}, 250, "", "Ok"},
      {{"250"}, 250, "", ""},
      {{"354 "}, 354, "", ""},
      {{"550 5.1.1 No such user"}, 550, "5.1.1", "5.1.1 No such user"},
      {{"550-5.1.1 No such user", "550-5.1.1 at all:", "550 5.1.1 see https://x.test"},
       550,
       "5.1.1",
       "5.1.1 No such user at all: see https://x.test"},
      {{"250-mx.test", "250-SIZE 1000", "250 DSN"}, 250, "", "mx.test SIZE 1000 DSN"},
      // A status of another class than the code is none (RFC 2034 §4).
      {{"550 4.1.1 Perhaps later"}, 550, "", "4.1.1 Perhaps later"},
      {{"450 5.1.1 x"}, 450, "", "5.1.1 x"},
      {{"550 5.1.1000 x"}, 550, "", "5.1.1000 x"},
      {{"550 5.1 x"}, 550, "", "5.1 x"},
      {{"550 5..1 x"}, 550, "", "5..1 x"},
      {{"550 5.7.1"}, 550, "5.7.1", "5.7.1"},
      {{"550 5.999.999 x"}, 550, "5.999.999", "5.999.999 x"},
      // What a terminal or a log must not see.
      {{"550 a\tb\x1b[31mc\x7f\x01 d  "}, 550, "", "a b [31mc d"},
      {{"550 caf\xc3\xa9 \xff\xc2\x85next\xe2\x80\xa8line"}, 550, "", "caf\xc3\xa9 \xef\xbf\xbd next line"},
  };
  for (const auto& row : rows) {
    ReplyParser parser;
    for (std::size_t i = 0; i < row.lines.size(); ++i) {
      ASSERT_EQ(parser.AddLine(row.lines[i]), i + 1 < row.lines.size() ? State::kMore : State::kDone) << row.lines[i];
    }
    const ServerReply reply = parser.Take();
    EXPECT_EQ(reply.code, row.code) << row.lines[0];
    EXPECT_EQ(reply.status, row.status) << row.lines[0];
    EXPECT_EQ(reply.Text(), row.text) << row.lines[0];
    EXPECT_EQ(reply.lines.size(), row.lines.size());
  }
}

TEST(ReplyParser, RefusesWhatIsNoReply) {
  const std::vector<std::string> rows[] = {
      {""},
      {"2"},
      {"25"},
      {"abc"},
      {"199 x"},
      {"600 x"},
      {"0250 x"},
      {"250_x"},
      {"250x"},
      {" 250 x"},
      {"HTTP/1.1 400 Bad Request"},
      {"SSH-2.0-OpenSSH_9.2"},
      {"250-a", "251 b"},
      {"250-a", "b"},
      {"250-a", ""},
      {"250 " + std::string(kReplyLineBytesMax, 'x')},
  };
  for (const auto& lines : rows) {
    ReplyParser parser;
    State state = State::kMore;
    for (const std::string& line : lines) state = parser.AddLine(line);
    EXPECT_EQ(state, State::kMalformed) << lines.back().substr(0, 40);
  }
}

TEST(ReplyParser, BoundsTheLinesAndTheText) {
  ReplyParser parser;
  const std::string line = "250-" + std::string(kReplyLineBytesMax - 4, 'x');
  for (std::size_t i = 0; i < kReplyLinesMax; ++i) ASSERT_EQ(parser.AddLine(line), State::kMore);
  EXPECT_EQ(parser.AddLine("250 end"), State::kMalformed);
  const ServerReply reply = parser.Take();
  EXPECT_EQ(reply.Text().size(), kReplyTextBytesMax);
}

TEST(ReplyParser, TakesOneReplyAfterTheOther) {
  ReplyParser parser;
  ASSERT_EQ(parser.AddLine("250 2.1.0 first"), State::kDone);
  EXPECT_EQ(parser.Take().Text(), "2.1.0 first");
  ASSERT_EQ(parser.AddLine("451 second"), State::kDone);
  const ServerReply reply = parser.Take();
  EXPECT_TRUE(reply.is_transient());
  EXPECT_EQ(reply.status, "");
}

TEST(OneLine, IsCutBetweenCharacters) {
  EXPECT_EQ(ToOneLine("a\xc3\xa9\xc3\xa9", 4), "a\xc3\xa9");
  EXPECT_EQ(ToOneLine("a\xf0\x9f\x93\xaf", 4), "a");
  EXPECT_EQ(ToOneLine("\r\n a \r\n"), "a");
  EXPECT_EQ(ToOneLine(""), "");
}

}  // namespace
}  // namespace smtp
