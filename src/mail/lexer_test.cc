#include "mail/lexer.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

TEST(Lexer, SkipsSpaceAndNestedCommentsAndKeepsTheLastComment) {
  Lexer lexer(" \r\n\t(a (b) \\) c) (last) x");
  lexer.SkipSpace();
  EXPECT_EQ(lexer.Peek(), 'x');
  EXPECT_EQ(lexer.TakeComment(), "last");
  EXPECT_EQ(lexer.TakeComment(), "");
}

TEST(Lexer, EndsWithTheTextWhenACommentOrQuoteDoesNot) {
  for (const std::string_view text : {"(abc", "((a)", "(a\\"}) {
    Lexer lexer(text);
    lexer.SkipSpace();
    EXPECT_TRUE(lexer.AtEnd()) << text;
  }
  Lexer quoted("\"abc\\");
  EXPECT_EQ(quoted.TakeQuoted(), "abc\\");
  EXPECT_TRUE(quoted.AtEnd());
}

TEST(Lexer, UndoesBackslashesAndDropsLineBreaksInQuotes) {
  Lexer lexer("\"a\\\"b\r\n c\\\\\"rest");
  EXPECT_EQ(lexer.TakeQuoted(), "a\"b c\\");
  EXPECT_EQ(lexer.Peek(), 'r');
}

}  // namespace
}  // namespace mail
