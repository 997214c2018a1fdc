#include "mail/mime.h"

#include <chrono>

#include <gtest/gtest.h>

#include "base/random.h"
#include "mail/mime_check.h"

namespace mail {
namespace {

// "mixed(plain{body},rfc822(html{body}))": the tree, with the bodies of the leaves.
std::string Describe(std::string_view message, const MimePart& part) {
  if (part.children.empty()) {
    return part.subtype + "{" + std::string(message.substr(part.body.offset, part.body.size)) + "}";
  }
  std::string text = part.subtype + "(";
  for (const MimePart& child : part.children) {
    if (text.back() != '(') text.push_back(',');
    text.append(Describe(message, child));
  }
  return text + ")";
}

std::string WithBareLf(std::string_view text) {
  std::string bare(text);
  std::erase(bare, '\r');
  return bare;
}

struct StructureRow {
  std::string_view label;
  std::string_view message;  // With CRLF; bare LF is tried too.
  std::string_view tree;
};

const StructureRow kStructures[] = {
    {"empty", "", "plain{}"},
    {"no header", "\r\nbody", "plain{body}"},
    {"no body", "Subject: x\r\n", "plain{}"},
    {"plain", "Subject: x\r\n\r\nline\r\n", "plain{line\r\n}"},
    {"type without subtype", "Content-Type: text\r\n\r\nx", "plain{x}"},
    {"type in capitals with spaces", "Content-Type: TEXT / HTML\r\n\r\nx", "html{x}"},
    {"type of rubbish", "Content-Type: te<xt/html\r\n\r\nx", "plain{x}"},
    {"the first type counts", "Content-Type: text/html\r\nContent-Type: text/x\r\n\r\nx", "html{x}"},
    {"mixed",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: "
     "text/html\r\n\r\ntwo\r\n--b--\r\nepilogue\r\n",
     "mixed(plain{one},html{two})"},
    {"delimiter at once, empty parts",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--", "mixed(plain{},plain{})"},
    {"missing closing delimiter",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n",
     "mixed(plain{one},plain{two\r\n})"},
    {"padding after the boundary", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \t\r\n\r\none\r\n--b--  \r\nx",
     "mixed(plain{one})"},
    {"another boundary that begins alike",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--bb\r\n--b-\r\n-- b\r\n--b--",
     "mixed(plain{one\r\n--bb\r\n--b-\r\n-- b})"},
    {"quoted boundary with spaces",
     "Content-Type: multipart/mixed;\r\n\tboundary=\"a b:c/=?\"\r\n\r\n--a b:c/=?\r\n\r\none\r\n--a b:c/=?--\r\n",
     "mixed(plain{one})"},
    {"unquoted boundary with equals signs",
     "Content-Type: multipart/mixed; boundary=----=_Part_1\r\n\r\n------=_Part_1\r\n\r\none\r\n------=_Part_1--\r\n",
     "mixed(plain{one})"},
    {"no boundary parameter", "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none\r\n--b--",
     "plain{--b\r\n\r\none\r\n--b--}"},
    {"boundary that never comes", "Content-Type: multipart/mixed; boundary=b\r\n\r\nbody\r\n--c\r\n",
     "plain{body\r\n--c\r\n}"},
    {"closing delimiter only", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\nx", "plain{--b--\r\nx}"},
    {"nested",
     "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/alternative; boundary=ab\r\n\r\n"
     "--ab\r\n\r\none\r\n--ab\r\n\r\ntwo\r\n--ab--\r\n\r\n--a\r\n\r\nthree\r\n--a--\r\n",
     "mixed(alternative(plain{one},plain{two}),plain{three})"},
    {"inner multipart not closed",
     "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
     "--i\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
     "mixed(alternative(plain{one}),plain{two})"},
    {"inner delimiter after the inner end",
     "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
     "--i\r\n\r\none\r\n--i--\r\n--i\r\n--a--\r\n",
     "mixed(alternative(plain{one}))"},
    {"part header without its empty line",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n--b\r\n\r\ntwo\r\n--b--",
     "mixed(html{},plain{two})"},
    {"enclosed message", "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: text/html\r\n\r\nx",
     "rfc822(html{x})"},
    {"enclosed multipart in a part",
     "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: "
     "multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\none\r\n--i--\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
     "mixed(rfc822(mixed(plain{one})),plain{two})"},
    {"enclosed message that is empty", "Content-Type: message/rfc822\r\n\r\n", "rfc822(plain{})"},
    {"enclosed message without an empty line",
     "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n--a--",
     "mixed(rfc822(plain{}))"},
    {"enclosed message in base64",
     "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==",
     "octet-stream{U3ViamVjdDogeA==}"},
    {"message/global", "Content-Type: message/global\r\n\r\n\r\nx", "global(plain{x})"},
    {"message/partial is a leaf", "Content-Type: message/partial; id=x\r\n\r\nx", "partial{x}"},
    {"digest",
     "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: a\r\n\r\none\r\n--b\r\nContent-Type: "
     "text/plain\r\n\r\ntwo\r\n--b--",
     "digest(rfc822(plain{one}),plain{two})"},
    {"multipart that claims base64",
     "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\none\r\n--b--",
     "mixed(plain{one})"},
};

TEST(ScanMime, FindsTheStructureWhateverTheLineBreaks) {
  for (const StructureRow& row : kStructures) {
    SCOPED_TRACE(row.label);
    const MimePart root = ScanMime(row.message);
    CheckMime(row.message, root);
    EXPECT_EQ(Describe(row.message, root), row.tree);
    const std::string bare = WithBareLf(row.message);
    const MimePart bare_root = ScanMime(bare);
    CheckMime(bare, bare_root);
    EXPECT_EQ(Describe(bare, bare_root), WithBareLf(row.tree));
  }
}

TEST(ScanMime, GivesRangesAndLinesOfParts) {
  const std::string_view message =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n\r\na\r\nb\r\n--b\r\n\r\nc\r\n\r\n--b--\r\n";
  const MimePart root = ScanMime(message);
  EXPECT_EQ(root.header.size, 45u);
  EXPECT_EQ(root.body_lines, 10u);
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(message.substr(root.children[0].header.offset, root.children[0].header.size), "X: y\r\n\r\n");
  EXPECT_EQ(root.children[0].body_lines, 2u);  // "a\r\nb"
  EXPECT_EQ(root.children[1].body_lines, 1u);  // "c\r\n"
}

TEST(ScanMime, ReadsTheContentFields) {
  const MimePart root = ScanMime(
      "content-type: text/Plain; charset=UTF-8; Format=Flowed\r\nContent-ID:  <a@b> \r\nContent-Description: a\r\n  "
      "b\r\nContent-Transfer-Encoding: Quoted-Printable (c)\r\nContent-MD5: Q2hlY2s=\r\nContent-Disposition: "
      "ATTACHMENT; filename=\"x \\\"y\\\".txt\"\r\nContent-Language: en, de-DE (x) , \r\nContent-Location: "
      "a/b\r\n\r\n");
  EXPECT_EQ(root.type, "text");
  EXPECT_EQ(root.subtype, "plain");
  EXPECT_EQ(root.parameters, (Parameters{{"charset", "UTF-8"}, {"format", "Flowed"}}));
  EXPECT_EQ(root.content_id, "<a@b>");
  EXPECT_EQ(root.description, "a b");
  EXPECT_EQ(root.transfer_encoding, "quoted-printable");
  EXPECT_EQ(root.md5, "Q2hlY2s=");
  EXPECT_EQ(root.disposition, "attachment");
  EXPECT_EQ(root.disposition_parameters, (Parameters{{"filename", "x \"y\".txt"}}));
  EXPECT_EQ(root.languages, (std::vector<std::string>{"en", "de-DE"}));
  EXPECT_EQ(root.location, "a/b");
}

std::string Nested(std::size_t depth) {
  std::string message;
  for (std::size_t i = 0; i < depth; ++i) {
    message +=
        "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" + std::to_string(i) + "\r\n";
  }
  return message + "\r\nbody\r\n";
}

std::size_t DepthOf(const MimePart& part) {
  return part.children.empty() ? 0 : 1 + DepthOf(part.children.front());
}
std::size_t CountParts(const MimePart& part) {
  std::size_t count = 1;
  for (const MimePart& child : part.children) count += CountParts(child);
  return count;
}

TEST(ScanMime, StopsAtTheDepthLimit) {
  const std::string message = Nested(1000);
  const MimePart root = ScanMime(message, {.depth_max = 7});
  CheckMime(message, root);
  EXPECT_EQ(DepthOf(root), 7u);
  EXPECT_EQ(DepthOf(ScanMime(Nested(7), {.depth_max = 7})), 7u);

  std::string enclosed;
  for (int i = 0; i < 1000; ++i) enclosed += "Content-Type: message/rfc822\r\n\r\n";
  const MimePart outer = ScanMime(enclosed);
  CheckMime(enclosed, outer);
  EXPECT_EQ(DepthOf(outer), 50u);
}

TEST(ScanMime, PutsPartsPastTheLimitIntoTheLastOne) {
  std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 100; ++i) message += "--b\r\n\r\n" + std::to_string(i) + "\r\n";
  message += "--b--\r\n";
  const MimePart root = ScanMime(message, {.parts_max = 10});
  CheckMime(message, root);
  EXPECT_EQ(CountParts(root), 10u);
  const MimePart& last = root.children.back();
  EXPECT_TRUE(message.substr(last.body.offset).starts_with("8\r\n--b\r\n"));
  EXPECT_EQ(last.body.offset + last.body.size, message.size());
}

TEST(ScanMime, CutsAHeaderAtItsLimitBetweenLines) {
  const std::string message = "A: 1\r\nB: " + std::string(100, 'x') + "\r\nC: 3\r\n\r\nbody";
  const MimePart root = ScanMime(message, {.header_bytes_max = 50});
  CheckMime(message, root);
  EXPECT_EQ(root.header.size, 6u);
  EXPECT_EQ(ScanMime(message, {.header_bytes_max = 3}).header.size, 0u);
}

// Each of these would take minutes with a scan that is not linear.
TEST(ScanMime, IsLinearOnHostileInput) {
  constexpr std::size_t kSize = 8u << 20;
  const auto repeat = [](std::string_view head, std::string_view unit) {
    std::string text(head);
    while (text.size() < kSize) text.append(unit);
    return text;
  };
  const std::string messages[] = {
      repeat("Content-Type: multipart/mixed; boundary=b\n\n", "--b\n"),
      repeat("Content-Type: multipart/mixed; boundary=b\n\n", "--"),
      repeat("Content-Type: multipart/mixed; boundary=" + std::string(900'000, 'b') + "\n\n", "--bbbbbbbbbbbb\n"),
      repeat(Nested(1000), "--b49x\n"),
      repeat("", "Content-Type: multipart/mixed; boundary=b\n\n--b\n"),
      repeat("", "Content-Type: message/rfc822\n\n"),
      repeat("Content-Type: text/plain", ";a*1*=b"),
      repeat("Content-Type: text/plain", ";\n a=\"\\\"\""),
      repeat("Content-Type: ", "("),
      repeat("A:", "\n "),
      repeat("", "\n"),
  };
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& message : messages) CheckMime(message, ScanMime(message));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ScanMime, HoldsItsInvariantsOnRandomMessages) {
  const std::string_view pieces[] = {"--a",
                                     "--a--",
                                     "--b",
                                     "--b--",
                                     "\r\n",
                                     "\n",
                                     "\r\n\r\n",
                                     "x",
                                     " ",
                                     "\r",
                                     "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
                                     "Content-Type: multipart/digest; boundary=\"b\"\n\n",
                                     "Content-Type: message/rfc822\r\n\r\n",
                                     "Content-Type: text/html;charset=x"};
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    std::string message;
    const std::uint64_t count = random.Below(30);
    for (std::uint64_t i = 0; i < count; ++i) message += pieces[random.Below(std::size(pieces))];
    const MimePart root = ScanMime(message);
    CheckMime(message, root);
    MimeScan scan(message);
    const std::size_t step = 1 + random.Below(40);
    while (scan.Step(step)) {
    }
    ASSERT_EQ(DescribeMime(scan.Take()), DescribeMime(root)) << "in steps of " << step;
  }
}

}  // namespace
}  // namespace mail
