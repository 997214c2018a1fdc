#include "transfer/mbox.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace transfer {
namespace {

// The mails of a file, read in pieces that the seed cuts.
std::vector<std::string> Split(std::string_view file, std::uint64_t seed = 1) {
  base::Random random(seed);
  MboxScanner scanner;
  std::vector<MboxPlace> places;
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t size = std::min<std::size_t>(file.size() - at, 1 + random.Below(7));
    scanner.Add(file.substr(at, size));
    for (const MboxPlace& place : scanner.Take()) places.push_back(place);
    at += size;
  }
  scanner.Finish();
  for (const MboxPlace& place : scanner.Take()) places.push_back(place);
  std::vector<std::string> mails;
  for (const MboxPlace& place : places) mails.emplace_back(file.substr(place.offset, place.size_bytes));
  return mails;
}

using Mails = std::vector<std::string>;
constexpr const char* kFrom = "From a@b Tue Nov 14 22:13:20 2023\n";

TEST(MboxScanner, FindsTheMailsHoweverTheFileIsCut) {
  const std::string from = kFrom;
  const struct {
    const char* label;
    std::string file;
    Mails mails;
  } rows[] = {
      {"empty", "", {}},
      {"two", from + "A: 1\n\nx\n\n" + from + "A: 2\n\ny\n\n", {"A: 1\n\nx\n", "A: 2\n\ny\n"}},
      {"no empty line at the end", from + "A: 1\n\nx\n", {"A: 1\n\nx\n"}},
      {"no line end at the end", from + "A: 1\n\nx", {"A: 1\n\nx"}},
      {"CRLF",
       "From a Tue Nov 14 22:13:20 2023\r\nA: 1\r\n\r\nx\r\n\r\n" + from + "A: 2\n\n",
       {"A: 1\r\n\r\nx\r\n", "A: 2\n"}},
      {"From without an empty line before", from + "A: 1\n\nx\n" + from + "y\n", {"A: 1\n\nx\n" + from + "y\n"}},
      {"From without a date", from + "A: 1\n\n\nFrom here on\n", {"A: 1\n\n\nFrom here on\n"}},
      {"empty lines of its own", from + "A: 1\n\nx\n\n\n\n" + from + "A: 2\n", {"A: 1\n\nx\n\n\n", "A: 2\n"}},
      {"an empty mail", from + "\n" + from + "A: 2\n", {"", "A: 2\n"}},
      {"rubbish", "x\n\n" + from + "A: 2\n", {"A: 2\n"}},
  };
  for (const auto& row : rows) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(Split(row.file, seed), row.mails) << row.label;
  }
}

TEST(MboxScanner, SaysWhereMailsStand) {
  MboxScanner scanner;
  scanner.Add(std::string(kFrom) + "A: 1\n\nx\n\n" + kFrom + "A: 2\n");
  scanner.Finish();
  const auto places = scanner.Take();
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].line, 1u);
  EXPECT_EQ(places[1].line, 6u);
  EXPECT_EQ(places[1].date_us, 1'700'000'000'000'000);
  EXPECT_FALSE(scanner.has_rubbish());
}

TEST(MboxFromLine, DatesInAllTheirForms) {
  const struct {
    const char* line;
    std::optional<std::int64_t> seconds;
  } rows[] = {
      {"From a@b Tue Nov 14 22:13:20 2023\n", 1'700'000'000},
      {"From a@b  Tue Nov 14 22:13 2023", 1'699'999'980},
      {"From \"a b\"@c Tue Nov 14 23:13:20 2023 +0100\r\n", 1'700'000'000},
      {"From a@b Tue Nov 14 22:13:20 UTC 2023", 1'700'000'000},
      {"From - Thu Jan  1 00:00:00 1970", 0},
      {"From MAILER-DAEMON Tue Nov 14 22:13:20 2023 remote from x", 1'700'000'000},
      {"From here on", {}},
      {"From a@b Tue Nov 31 22:13:20 2023", {}},
      {"From a@b Tue Nov 14 25:13:20 2023", {}},
      {"From a@b Tue Nov 14 22:13:20", {}},
      {"from a@b Tue Nov 14 22:13:20 2023", {}},
      {">From a@b Tue Nov 14 22:13:20 2023", {}},
  };
  for (const auto& row : rows) {
    const auto date = DateOfFromLine(row.line);
    EXPECT_EQ(date.has_value(), row.seconds.has_value()) << row.line;
    if (date && row.seconds) EXPECT_EQ(*date, *row.seconds * 1'000'000) << row.line;
  }
  for (const std::int64_t seconds : {0LL, 951'782'400LL, 1'700'000'000LL, 4'102'444'799LL}) {
    EXPECT_EQ(DateOfFromLine(FormatFromLine(seconds * 1'000'000)), seconds * 1'000'000);
  }
}

TEST(MboxMail, TakesItsOwnFieldsOutOfTheHeader) {
  const MboxMail mail = ParseMboxMail(
      "X-IMAPbase: 1262234910 0000000039 $Label1\n Junk\nSubject: x\nStatus: RO\nX-Status: AF\nX-Keywords: $Label1 "
      "Junk     \nX-UID: 12\nx-uidl:  5;W\"!Z=2!!j;0\"!\nTo: y\n\nStatus: kept\n>From a\n>>From b\n> From c\n",
      MboxQuoting::kMboxrd);
  EXPECT_EQ(mail.bytes, "Subject: x\nTo: y\n\nStatus: kept\nFrom a\n>From b\n> From c\n");
  EXPECT_EQ(mail.flags, (std::vector<std::string>{"\\Seen", "\\Answered", "\\Flagged", "$Label1", "Junk"}));
  EXPECT_EQ(mail.uid, 12u);
  EXPECT_EQ(mail.uidl, "5;W\"!Z=2!!j;0\"!");
  EXPECT_EQ(mail.uid_validity, 1262234910u);
  EXPECT_EQ(mail.uid_last, 39u);
  EXPECT_FALSE(mail.is_pseudo);
  EXPECT_EQ(ParseMboxMail("\n>From a\n>>From b\n", MboxQuoting::kMboxo).bytes, "\nFrom a\n>>From b\n");
  EXPECT_EQ(ParseMboxMail("\n>From a\n", MboxQuoting::kNone).bytes, "\n>From a\n");
  for (const std::string& uidl :
       {std::string("two words"), std::string(), std::string(71, 'x'), std::string("\xc3\xa4")}) {
    EXPECT_EQ(ParseMboxMail("X-UIDL: " + uidl + "\n\nx\n", MboxQuoting::kMboxrd).uidl, "") << uidl;
  }
  EXPECT_TRUE(ParseMboxMail("From: x\nX-IMAP: 5 6\n\nx\n", MboxQuoting::kMboxrd).is_pseudo);
}

TEST(MboxMail, IsReadBackAsWritten) {
  const char* const mails[] = {"Subject: a\n\nFrom x\n>From y\n\nFrom z Tue Nov 14 22:13:20 2023\n",
                               "Subject: no body\n", "\nno header\n", "Subject: a\n\n\n\n\n", "Subject: a\n\n"};
  std::string file;
  std::uint32_t uid = 0;
  for (const char* mail : mails) {
    file += FormatMboxMail(mail, 1'700'000'000'000'000,
                           {.flags = {"\\Seen", "\\Draft", "$Label1"},
                            .uid = ++uid,
                            .uidl = uid == 2 ? "of-old" : "",
                            .base = uid == 1 ? "77 0000000009" : ""});
  }
  const Mails found = Split(file);
  ASSERT_EQ(found.size(), std::size(mails));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const MboxMail mail = ParseMboxMail(found[i], MboxQuoting::kMboxrd);
    EXPECT_EQ(mail.bytes, mails[i]);
    EXPECT_EQ(mail.uid, i + 1);
    EXPECT_EQ(mail.uidl, i == 1 ? "of-old" : "");
    EXPECT_EQ(mail.uid_validity, i == 0 ? 77u : 0u);
    EXPECT_EQ(mail.flags, (std::vector<std::string>{"\\Seen", "\\Draft", "$Label1"}));
  }
}

}  // namespace
}  // namespace transfer
