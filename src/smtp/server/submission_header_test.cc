#include "smtp/server/submission_header.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace smtp {
namespace {

const MissingFields kMissing{.date = "D", .message_id = "<m@x.test>"};

TEST(SubmissionHeader, IsMendedOnceItIsWhole) {
  struct Row {
    std::string_view mail;
    bool is_whole;
    std::string_view mended;
  };
  for (const Row& row : {
           Row{"Subject: s\r\n\r\nb", true, "Date: D\r\nMessage-ID: <m@x.test>\r\nSubject: s\r\n\r\nb"},
           Row{"date:d\r\nmessage-id : i\r\n\r\n", true, "date:d\r\nmessage-id : i\r\n\r\n"},
           Row{"Date: d\r\n\r\n", true, "Message-ID: <m@x.test>\r\nDate: d\r\n\r\n"},
           Row{"Date: d\r\nBcc: a\r\n b\r\n\tc\r\nMessage-ID: i\r\n\r\nBcc: a\r\n", true,
               "Date: d\r\nMessage-ID: i\r\n\r\nBcc: a\r\n"},
           Row{"Date: d\r\nMessage-ID: i\r\nBCC : a\r\nResent-Bcc:\r\nBcc-List: b\r\n\r\n", true,
               "Date: d\r\nMessage-ID: i\r\nBcc-List: b\r\n\r\n"},
           Row{"Bcc: a\r\n\r\n", true, "Date: D\r\nMessage-ID: <m@x.test>\r\n\r\n"},
           Row{"\r\nb", true, "Date: D\r\nMessage-ID: <m@x.test>\r\n\r\nb"},
           Row{"Date: d\r\nMessage-ID: i\r\nno field\r\n\r\n", true, "Date: d\r\nMessage-ID: i\r\nno field\r\n\r\n"},
           Row{"Subject: s\r\n", false, "Date: D\r\nMessage-ID: <m@x.test>\r\nSubject: s\r\n"},
           Row{"", false, "Date: D\r\nMessage-ID: <m@x.test>\r\n"},
       }) {
    SubmissionHeader header(kMissing);
    header.Add(row.mail);
    EXPECT_EQ(header.is_whole(), row.is_whole) << row.mail;
    EXPECT_EQ(header.Mend(), row.mended) << row.mail;
  }
}

TEST(SubmissionHeader, IsTheSameHoweverItIsCut) {
  const std::uint64_t seed = base::SecureRandom64();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  base::Random random(seed);
  const std::string mail = "Subject: s\r\nBcc: a,\r\n b\r\nFrom: x@y.test\r\n\r\nbody\r\n\r\nmore";
  SubmissionHeader whole(kMissing);
  whole.Add(mail);
  const std::string expected = whole.Mend();
  for (int round = 0; round < 200; ++round) {
    SubmissionHeader header(kMissing);
    std::string_view rest = mail;
    while (!header.is_whole()) {
      ASSERT_FALSE(rest.empty());
      const std::size_t size = 1 + random.Next() % std::min<std::size_t>(rest.size(), 8);
      header.Add(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    EXPECT_EQ(header.Mend() + std::string(rest), expected);
  }
}

TEST(SubmissionHeader, NamesItsAuthors) {
  struct Row {
    std::string_view fields;
    bool names;
    std::vector<std::string> authors;
  };
  for (const Row& row : std::vector<Row>{
           {"From: a@x.test\r\n", true, {"a@x.test"}},
           {"FROM: \"b@y.test\" <a@X.test>, c@z.test\r\n", true, {"a@x.test", "c@z.test"}},
           {"From: a@x.test\r\nfrom: b@x.test\r\n", true, {"a@x.test", "b@x.test"}},
           {"From: team: a@x.test, b@x.test;\r\n", true, {"a@x.test", "b@x.test"}},
           {"Subject: s\r\n", false, {}},
           {"From:\r\n", false, {}},
           {"From: undisclosed:;\r\n", false, {}},
           {"From: alice\r\n", false, {}},
           {"From: a@x.test, bob\r\n", false, {"a@x.test"}},
       }) {
    SubmissionHeader header(kMissing);
    header.Add(fmt::format("{}\r\n", row.fields));
    header.Mend();
    std::vector<std::string> authors;
    for (const mail::Address& author : header.authors()) authors.push_back(author.ToString());
    EXPECT_EQ(header.names_authors(), row.names) << row.fields;
    EXPECT_EQ(authors, row.authors) << row.fields;
  }
}

TEST(SubmissionHeader, HasAnEnd) {
  SubmissionHeader header(kMissing);
  header.Add("X: " + std::string(SubmissionHeader::kBytesMax - 3, 'x'));
  EXPECT_FALSE(header.is_too_long());
  header.Add("x\r\n\r\n");
  EXPECT_TRUE(header.is_too_long());
  EXPECT_TRUE(header.is_whole());
}

TEST(SubmissionHeader, HasNoLimitForTheBodyThatComesWithIt) {
  SubmissionHeader header(kMissing);
  header.Add("X: x\r\n\r\n" + std::string(SubmissionHeader::kBytesMax, 'x'));
  EXPECT_FALSE(header.is_too_long());
}

}  // namespace
}  // namespace smtp
