#include "mail/charset.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

TEST(IsValidUtf8, KnowsWellFormedFromIllFormed) {
  for (const std::string_view text : {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x93\xaf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
  for (const std::string_view text : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80", "a\xff"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << text;
  }
}

TEST(IsKnownCharset, KnowsWhatCanBeConvertedWithoutGuessing) {
  for (const char* name : {"utf-8", "UTF8", "iso-8859-1", "KOI8-R", "windows-1252", "shift_jis", "GB18030"}) {
    EXPECT_TRUE(IsKnownCharset(name)) << name;
  }
  for (const char* name : {"", "x-none", "us-ascii"}) EXPECT_FALSE(IsKnownCharset(name)) << name;
}

TEST(ToUtf8, AlwaysGivesValidUtf8) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  for (const std::string_view charset : {"", "us-ascii", "utf-8", "UTF8", "utf-7", "utf-16", "utf-32be", "iso-8859-15",
                                         "windows-1251", "gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp",
                                         "iso-2022-kr", "hz-gb-2312", "imap-mailbox-name", "nonsense", "=,+"}) {
    EXPECT_TRUE(IsValidUtf8(ToUtf8(bytes, charset))) << charset;
    EXPECT_EQ(ToUtf8("", charset), "") << charset;
  }
}

TEST(FoldUtf8, MakesTextsEqualThatDifferInCaseOnly) {
  EXPECT_EQ(FoldUtf8("ABC"), "abc");
  EXPECT_EQ(FoldUtf8("\xc3\x84"), FoldUtf8("\xc3\xa4"));
  EXPECT_EQ(FoldUtf8("\xe1\xba\x9e"), "ss");  // The capital sharp s.
}

TEST(LowerUtf8, ComposesWhatItLowers) {
  EXPECT_EQ(LowerUtf8("O\xcc\x88"), "\xc3\xb6");
}

}  // namespace
}  // namespace mail
