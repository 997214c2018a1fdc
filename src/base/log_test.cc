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

}  // namespace
}  // namespace base
