#include "base/log.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Log, PrintsFieldsAsKeyValue) {
  EXPECT_EQ(FormatLogLine("mail_accepted", {{"id", "a1"}, {"size_bytes", 42}, {"from", "x@y"}}),
            "mail_accepted id=a1 size_bytes=42 from=x@y");
}

TEST(Log, EscapesWhatAClientCouldForgeALineWith) {
  EXPECT_EQ(FormatLogLine("e", {{"k", "a\r\nb=\"c\" d"}}), R"(e k="a\x0d\x0ab=\"c\" d")");
  EXPECT_EQ(FormatLogLine("e", {{"k", ""}}), "e k=\"\"");
}

TEST(Log, IsValidUtf8WithoutControlCharactersWhateverAClientSays) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"gr\xc3\xbcn", "gr\xc3\xbcn"},
      {"\xe2\x82\xac\xf0\x9f\x93\xaf", "\xe2\x82\xac\xf0\x9f\x93\xaf"},
      {"\xff", R"("\xff")"},
      {"a\xc3", R"("a\xc3")"},
      {"\x9b"
       "31m",
       R"("\x9b31m")"},  // CSI in an 8-bit terminal ...
      {"\xc2\x9b"
       "31m",
       R"("\xc2\x9b31m")"},                   // ... and in one that reads UTF-8.
      {"\xc0\x8a", R"("\xc0\x8a")"},          // An overlong line feed.
      {"\xed\xa0\x80", R"("\xed\xa0\x80")"},  // A surrogate.
      {"\xf4\x90\x80\x80", R"("\xf4\x90\x80\x80")"},
  };
  for (const auto& [value, expected] : rows) {
    EXPECT_EQ(FormatLogLine("e", {{"k", value}}), "e k=" + std::string(expected));
  }
}

}  // namespace
}  // namespace base
