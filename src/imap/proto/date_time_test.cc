#include "imap/proto/date_time.h"

#include <gtest/gtest.h>

namespace imap {
namespace {

using namespace std::chrono_literals;

TEST(DateTime, ReadsWhatRfc3501WritesAndPrintsItInUtc) {
  const struct {
    std::string_view text;
    std::string_view expected;
  } kRows[] = {
      {"17-Jul-1996 02:44:25 -0700", "\"17-Jul-1996 09:44:25 +0000\""},  // RFC 3501 §6.4.5.
      {" 7-Feb-1994 21:52:25 -0800", "\" 8-Feb-1994 05:52:25 +0000\""},  // RFC 3501 §6.3.11.
      {"01-JAN-2026 00:30:00 +0130", "\"31-Dec-2025 23:00:00 +0000\""},
      {"29-Feb-2024 12:00:60 +0000", "\"29-Feb-2024 12:00:59 +0000\""},
      {"01-Jan-0000 00:00:00 +0100", "\" 1-Jan-0000 00:00:00 +0000\""},
  };
  for (const auto& row : kRows) {
    const auto time = ParseDateTime(row.text);
    ASSERT_TRUE(time.has_value()) << row.text;
    EXPECT_EQ(FormatDateTime(*time), row.expected);
  }
}

TEST(DateTime, RefusesWhatIsNoDate) {
  for (const std::string_view text :
       {"", "17-Jul-1996", "30-Feb-2024 00:00:00 +0000", "29-Feb-2023 00:00:00 +0000", "17-Jux-1996 02:44:25 -0700",
        "17-Jul-1996 24:00:00 +0000", "17-Jul-1996 02:60:00 +0000", "17-Jul-1996 02:44:25  0700",
        "17-Jul-1996 02:44:25 +07a0", "17-Jul-1996 02:44:25 +0760", "17/Jul/1996 02:44:25 +0700",
        "1x-Jul-1996 02:44:25 +0700", "  -Jul-1996 02:44:25 +0700"}) {
    EXPECT_FALSE(ParseDateTime(text).has_value()) << text;
  }
}

TEST(Date, ReadsTheDaysOfSearch) {
  EXPECT_EQ(*ParseDate("1-Feb-1994"), std::chrono::sys_days(1994y / 2 / 1));
  EXPECT_EQ(*ParseDate("01-feb-1994"), std::chrono::sys_days(1994y / 2 / 1));
  for (const std::string_view text :
       {"", "-", "1-Feb", "1-Feb-94", "0-Feb-1994", "31-Apr-1994", "1-2-1994", "001-Feb-1994", "1-Feb-1994x"}) {
    EXPECT_FALSE(ParseDate(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace imap
