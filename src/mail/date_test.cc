#include "mail/date.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

base::WallTime At(std::int64_t unix_seconds) {
  return base::WallTime(seconds(unix_seconds));
}

TEST(FormatDate, WritesRfc5322) {
  EXPECT_EQ(FormatDate(At(1'700'000'000)), "Tue, 14 Nov 2023 22:13:20 +0000");
  EXPECT_EQ(FormatDate(At(0)), "Thu, 1 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(FormatDate(At(-1)), "Wed, 31 Dec 1969 23:59:59 +0000");
  EXPECT_EQ(FormatDate(At(951'782'400)), "Tue, 29 Feb 2000 00:00:00 +0000");
  EXPECT_EQ(FormatDate(At(1'700'000'000), minutes(330)), "Wed, 15 Nov 2023 03:43:20 +0530");
  EXPECT_EQ(FormatDate(At(1'700'000'000), minutes(-210)), "Tue, 14 Nov 2023 18:43:20 -0330");
  EXPECT_EQ(FormatDate(base::WallTime::max()), "Thu, 30 Dec 9999 00:00:00 +0000");
}

TEST(ParseDate, ReadsGoodAndObsoleteForms) {
  const std::pair<std::string_view, std::int64_t> rows[] = {
      {"Tue, 14 Nov 2023 22:13:20 +0000", 1'700'000'000},
      {" 14 Nov 2023 22:13:20 +0000\r\n", 1'700'000'000},
      {"Tue,14 Nov 2023 22:13:20 GMT", 1'700'000'000},
      {"Tue, 14 Nov 2023 22:13:20 UT", 1'700'000'000},
      {"Tue, 14 Nov 2023 22:13:20 Z", 1'700'000'000},
      {"Tue, 14 Nov 2023 17:13:20 EST", 1'700'000'000},
      {"Tue, 14 Nov 2023 15:13:20 pdt", 1'700'000'000},
      {"Tue, 14 Nov 2023 22:13:20 A", 1'700'000'000},
      {"Wed, 15 Nov 2023 03:43:20 +0530", 1'700'000'000},
      {"Tue, 14 Nov 2023 22:13:20", 1'700'000'000},
      {"Tue, 14 Nov 2023 22:13:20 -0000 (UTC)", 1'700'000'000},
      {"Tue, 14 Nov 23 22:13:20 +0000", 1'700'000'000},
      {"Tue (day), 14\r\n Nov (a (nested) one) 123 22 : 13 : 20 (x) +0000", 1'700'000'000},
      {"Tue, 14-Nov-2023 22:13:20 +0000", 1'700'000'000},
      {"Mardi. 14 November 2023 22:13:20 +0000", 1'700'000'000},
      {"1 Jan 99 00:00 +0000", 915'148'800},
      {"1 Jan 70 00:00 +0000", 0},
      {"29 Feb 2000 00:00:00 +0000", 951'782'400},
      {"31 Dec 1998 23:59:60 +0000", 915'148'800},
  };
  for (const auto& [text, expected] : rows) {
    const auto date = ParseDate(text);
    ASSERT_TRUE(date.has_value()) << text;
    EXPECT_EQ(date->time, At(expected)) << text;
  }
}

TEST(ParseDate, RefusesWhatIsNoDate) {
  const std::string_view rows[] = {"",
                                   "Tue",
                                   "yesterday",
                                   "30 Feb 2023 00:00:00 +0000",
                                   "29 Feb 2023 00:00:00 +0000",
                                   "0 Jan 2023 00:00:00 +0000",
                                   "1 Jan 2023 24:00:00 +0000",
                                   "1 Jan 2023 00:60:00 +0000",
                                   "1 Jan 2023",
                                   "1 Foo 2023 00:00:00",
                                   "1 Jan 20231 00:00:00",
                                   "111 Jan 2023 00:00:00",
                                   "1 Jan 2 00:00:00",
                                   "((((((((",
                                   "Tue, 14 (Nov 2023 22:13:20 +0000"};
  for (const std::string_view text : rows) EXPECT_FALSE(ParseDate(text).has_value()) << text;
}

TEST(ParseDate, KeepsTheDayOfTheSender) {
  const auto date = ParseDate("Wed, 15 Nov 2023 03:43:20 +0530");
  ASSERT_TRUE(date.has_value());
  EXPECT_EQ(date->zone, minutes(330));
  EXPECT_EQ(date->LocalDay(), std::chrono::year(2023) / 11 / 15);
}

TEST(ParseDate, ReadsWhatFormatDateWrote) {
  for (std::int64_t at = -60'000'000'000; at < 200'000'000'000; at += 86'399'977) {
    const auto date = ParseDate(FormatDate(At(at), minutes(at % 720)));
    ASSERT_TRUE(date.has_value()) << at;
    EXPECT_EQ(date->time, At(at));
  }
}

}  // namespace
}  // namespace mail
