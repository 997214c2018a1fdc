#include "mail/seven_bit.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "mail/seven_bit_check.h"

namespace mail {
namespace {

struct Row {
  std::string_view label;
  std::string message;
  std::string converted;
};

TEST(SevenBit, EncodesThePartsThatNeedIt) {
  const Row rows[] = {
      {"plain text",
       "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nTo: "
       "x\r\n\r\n"
       "caf\xc3\xa9 and more = 2 \r\n.\r\n",
       "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
       "Content-Transfer-Encoding: quoted-printable\r\nTo: x\r\n\r\ncaf=C3=A9 and more =3D 2=20\r\n.\r\n"},
      {"no MIME", "Subject: x\r\n\r\n\xe9 and much more text than that\r\n",
       "Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
       "=E9 and much more text than that\r\n"},
      {"mostly 8-bit", "\r\n\xc3\xa9\xc3\xa9\xc3\xa9\r\n",
       "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nw6nDqcOpDQo=\r\n"},
      {"folded field, twice",
       "content-transfer-encoding :\r\n 8bit\r\nContent-Transfer-Encoding: 8bit\r\nA: b\r\n\r\n"
       "\xe9 and much more text than that\r\n",
       "Content-Transfer-Encoding: quoted-printable\r\nA: b\r\nMIME-Version: 1.0\r\n\r\n"
       "=E9 and much more text than that\r\n"},
      {"one part of two",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
       "pre\xc3\xa9\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/plain\r\n\r\n\xe9 and much more "
       "text\r\n--b--\r\nend\r\n",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
       "pre??\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
       "quoted-printable\r\n\r\n"
       "=E9 and much more text\r\n--b--\r\nend\r\n"},
      {"the line end before a delimiter is the delimiter's",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe9\xe9\r\n\xe9\r\n--b--\r\n",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
       "Content-Transfer-Encoding: base64\r\n\r\n6ekNCuk=\r\n--b--\r\n"},
      {"an enclosed message",
       "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\n\r\n"
       "\xe9 and much more text\r\n",
       "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: in\r\n"
       "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9 and much more text\r\n"},
      {"stray bytes in quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\na=\r\nb=3D\xe9\r\n",
       "Content-Transfer-Encoding: quoted-printable\r\n\r\na=\r\nb=3D=E9\r\n"},
      {"no line end at the end", "\r\nand much more text \xe9",
       "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nand much more text =E9"},
      {"a label that says too much",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: "
       "8bit\r\n"
       "\r\nplain\r\n--b\r\n\r\n\xe9 and much more text\r\n--b--\r\n",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: "
       "7bit\r\n"
       "\r\nplain\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9 and much more text\r\n--b--\r\n"},
      {"a header that a delimiter ends",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n--b\r\n"
       "\r\n\xe9 and much more text\r\n--b--\r\n",
       "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n--b\r\n"
       "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9 and much more text\r\n--b--\r\n"},
  };
  for (const Row& row : rows) {
    for (const std::size_t piece : {1u, 7u, 1000u}) {
      EXPECT_EQ(CheckConversion(row.message, piece), row.converted) << row.label;
    }
    EXPECT_TRUE(SurveyInPieces(row.message, 100).body_8bit) << row.label;
  }
}

TEST(SevenBit, SaysWhatStandsInTheWay) {
  const std::string text = "\r\n\xe9 and much more text\r\n";
  const std::string in_parts = "Content-Type: multipart/{}; boundary=b\r\n\r\n--b\r\n{}" + text + "--b--\r\n";
  const struct {
    std::string message;
    std::string_view obstacle;
  } rows[] = {
      {fmt::format(fmt::runtime(in_parts), "mixed", ""), ""},
      {fmt::format(fmt::runtime(in_parts), "signed", ""), "a part with 8-bit bytes is signed"},
      {fmt::format(fmt::runtime(in_parts), "signed", "Content-Type: message/rfc822\r\n\r\nA: b\r\n"),
       "a part with 8-bit bytes is signed"},
      {"Content-Type: message/partial\r\n" + text, "a part with 8-bit bytes may not be encoded"},
      {"Content-Transfer-Encoding: base64\r\n" + text, "a part with 8-bit bytes says that it is encoded"},
      {"Content-Transfer-Encoding: x-uuencode\r\n" + text, "a part with 8-bit bytes says that it is encoded"},
      {"Content-Type: multipart/mixed; boundary=\"\xc3\xa9\"\r\n\r\n--\xc3\xa9\r\n\r\nx\r\n",
       "the boundary of its parts is not ASCII"},
      {"Content-Type: message/global\r\n" + text, ""},
      {"Content-Type: message/delivery-status\r\n" + text, ""},
  };
  for (const auto& row : rows) {
    CheckConversion(row.message, 3);
    EXPECT_EQ(SurveyInPieces(row.message, 100).obstacle, row.obstacle) << row.message;
  }
}

TEST(SevenBit, TellsHeadersFromBodies) {
  const SevenBitPlan in_header = SurveyInPieces("Subject: caf\xc3\xa9\r\n\r\nx\r\n", 100);
  EXPECT_TRUE(in_header.header_8bit);
  EXPECT_FALSE(in_header.body_8bit);
  const SevenBitPlan in_part = SurveyInPieces(
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nSubject: \xc3\xa9\r\n\r\nx\r\n--b--\r\n", 100);
  EXPECT_TRUE(in_part.header_8bit);
  EXPECT_FALSE(in_part.body_8bit);
  const SevenBitPlan none = SurveyInPieces("Subject: x\r\n\r\nx\r\n", 100);
  EXPECT_FALSE(none.header_8bit || none.body_8bit);
}

TEST(SevenBit, SignedPartsBesideOthersStayAsTheyAre) {
  const std::string signed_part =
      "--b\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain "
      "\r\n"
      "--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n";
  const std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + signed_part +
                              "--b\r\n\r\n\xe9 and much more text\r\n--b--\r\n";
  const std::string converted = CheckConversion(message, 5);
  EXPECT_NE(converted.find(signed_part), std::string::npos) << converted;
  EXPECT_NE(converted.find("=E9"), std::string::npos) << converted;
}

TEST(SevenBit, WrapsLongLinesAlongTheWay) {
  std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + std::string(20'000, 'x') +
                        "\r\n--b\r\n\r\n\xe9 and much more text\r\n--b--\r\n";
  const std::string converted = CheckConversion(message, 700);
  std::size_t longest = 0;
  for (std::size_t at = 0; at < converted.size();) {
    const std::size_t end = converted.find("\r\n", at);
    longest = std::max(longest, end - at);
    at = end + 2;
  }
  EXPECT_LE(longest, 76u);
  EXPECT_EQ(ContentOf(converted), ContentOf(message));
}

// A text that quoted-printable has to wrap must not get a delimiter by that.
TEST(SevenBit, WrappingMakesNoDelimiters) {
  for (std::size_t filler = 60; filler < 90; ++filler) {
    const std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe9" +
                                std::string(filler, 'x') + "--b--\r\n--b--\r\n";
    EXPECT_EQ(ContentOf(CheckConversion(message, 50)), ContentOf(message)) << filler;
  }
}

// ---- round trips ----

std::string RandomBody(base::Random& random) {
  std::string body;
  const std::uint64_t dirt = random.Below(4);
  for (std::uint64_t size = random.OneIn(20) ? 20'000 : random.Below(400); body.size() < size;) {
    const std::uint64_t kind = random.Below(40);
    if (kind == 0) {
      body += "\r\n";
    } else if (kind < 3) {
      body += " \t=.-"[random.Below(5)];
    } else if (kind < 3 + dirt * 4) {
      body += static_cast<char>(0xa0 + random.Below(96));
    } else {
      body += static_cast<char>('!' + random.Below(94));
    }
  }
  return body + (random.OneIn(4) ? " " : "");
}

std::string RandomEntity(base::Random& random, int depth) {
  constexpr std::string_view kEncodings[] = {"", "Content-Transfer-Encoding: 8bit\r\n",
                                             "Content-Transfer-Encoding: 7bit\r\n",
                                             "Content-Transfer-Encoding:\r\n\tbinary\r\n"};
  const std::string encoding(kEncodings[random.Below(4)]);
  const std::uint64_t kind = depth > 3 ? 0 : random.Below(4);
  if (kind == 1) return "Content-Type: message/rfc822\r\n" + encoding + "\r\n" + RandomEntity(random, depth + 1);
  if (kind == 2) {
    const std::string boundary = "b" + std::to_string(random.Below(1000));
    std::string text = "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n" + encoding + "\r\n";
    for (std::uint64_t parts = 1 + random.Below(3); parts > 0; --parts) {
      text += "--" + boundary + "\r\n" + RandomEntity(random, depth + 1) + "\r\n";
    }
    return text + "--" + boundary + "--";
  }
  return "Content-Type: text/plain; charset=iso-8859-1\r\n" + encoding + "\r\n" + RandomBody(random);
}

TEST(SevenBit, TheContentOfEachPartStaysTheSame) {
  const std::uint64_t seed = base::SecureRandom64();
  base::Random random(seed);
  int converted = 0;
  for (int round = 0; round < 1000; ++round) {
    const std::string message = "From: x\r\nMIME-Version: 1.0\r\n" + RandomEntity(random, 0) + "\r\n";
    const std::string result = CheckConversion(message, 1 + random.Below(300));
    const SevenBitPlan plan = SurveyInPieces(message, 1000);
    ASSERT_EQ(plan.obstacle, "") << "seed=" << seed;
    ASSERT_EQ(ContentOf(result), ContentOf(message)) << "seed=" << seed << "\n" << message << "\n---\n" << result;
    if (plan.body_8bit) ++converted;
  }
  EXPECT_GT(converted, 300);
}

// Where the two readers of MIME agree on where parts are, they agree on every message.
TEST(EntityWalk, FindsThePartsThatTheScannerFinds) {
  const std::uint64_t seed = base::SecureRandom64();
  base::Random random(seed);
  for (int round = 0; round < 500; ++round) {
    const std::string message = RandomEntity(random, 0) + "\r\n";
    std::vector<std::string> walked;
    EntityWalk walk;
    LineCutter cutter;
    cutter.Add(message, [&](const LinePiece& piece) {
      if (walk.Take(piece) != EntityWalk::Place::kHeaderEnd) return;
      walked.push_back(walk.entity().type + "/" + walk.entity().subtype);
      EXPECT_EQ(walk.entity().index + 1, walked.size());
    });
    std::vector<std::string> scanned;
    const auto collect = [&](const auto& self, const MimePart& part) -> void {
      scanned.push_back(part.type + "/" + part.subtype);
      for (const MimePart& child : part.children) self(self, child);
    };
    collect(collect, ScanMime(message));
    ASSERT_EQ(walked, scanned) << "seed=" << seed << "\n" << message;
  }
}

}  // namespace
}  // namespace mail
