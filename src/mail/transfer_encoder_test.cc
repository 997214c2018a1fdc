#include "mail/transfer_encoder.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

std::string Quote(std::string_view text, std::string_view line_end = "\r\n") {
  QuotedPrintableEncoder encoder;
  std::string out;
  encoder.Append(text, line_end, out);
  encoder.Finish(out);
  return out;
}

TEST(QuotedPrintable, FollowsTheRulesOfRfc2045) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "\r\n"},
      {"hello", "hello\r\n"},
      {"a=b", "a=3Db\r\n"},
      {"a b\tc", "a b\tc\r\n"},
      {"a ", "a=20\r\n"},
      {"a\t", "a=09\r\n"},
      {"  ", " =20\r\n"},
      {std::string("\0\x7f\xff", 3), "=00=7F=FF\r\n"},
      {std::string(75, 'x'), std::string(75, 'x') + "\r\n"},
      {std::string(76, 'x'), std::string(75, 'x') + "=\r\nx\r\n"},
      {std::string(74, 'x') + "\xe9", std::string(74, 'x') + "=\r\n=E9\r\n"},
      {std::string(75, 'x') + "--b", std::string(75, 'x') + "=\r\n=2D-b\r\n"},
      {std::string(75, 'x') + " ", std::string(75, 'x') + "=\r\n=20\r\n"},
      {"--b", "--b\r\n"},
  };
  for (const auto& [text, quoted] : rows) EXPECT_EQ(Quote(text), quoted) << text;
  EXPECT_EQ(Quote("a ", ""), "a=20");
}

TEST(QuotedPrintable, ALineMayComeInParts) {
  QuotedPrintableEncoder encoder;
  std::string out;
  encoder.Append("a ", "", out);
  encoder.Append(" ", "", out);
  encoder.Append("b", "\r\n", out);
  encoder.Append("--c ", "\r\n", out);
  encoder.Finish(out);
  EXPECT_EQ(out, "a  b\r\n--c=20\r\n");
}

TEST(QuotedPrintableMender, TouchesOnlyWhatIsBroken) {
  QuotedPrintableMender mender;
  std::string out;
  mender.Append("a=3D=\xe9 b=", "\r\n", out);
  EXPECT_EQ(out, "a=3D==E9 b=\r\n");
  out.clear();
  mender.Append(std::string(1000, '\xe9'), "\r\n", out);
  EXPECT_EQ(out.find("\r\n"), 994u);
}

TEST(Base64Encoder, MakesLinesOf76) {
  Base64Encoder encoder;
  std::string out;
  for (int i = 0; i < 20; ++i) encoder.Append("abcdef", out);
  encoder.Finish(out);
  EXPECT_EQ(out.find("\r\n"), 76u);
  EXPECT_EQ(out.size(), 76u + 2 + 76 + 2 + 8 + 2);
  std::string nothing;
  Base64Encoder().Finish(nothing);
  EXPECT_EQ(nothing, "");
}

}  // namespace
}  // namespace mail
