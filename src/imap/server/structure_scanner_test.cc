#include "imap/server/structure_scanner.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace imap {
namespace {

std::string Describe(const mail::MimePart& part) {
  std::string out = fmt::format("[{}/{} h{}+{} b{}+{} l{}", part.type, part.subtype, part.header.offset,
                                part.header.size, part.body.offset, part.body.size, part.body_lines);
  for (const mail::MimePart& child : part.children) out += Describe(child);
  return out + "]";
}

std::string Scan(std::string_view message, std::size_t piece, const StructureScannerLimits& limits) {
  StructureScanner scanner(limits);
  for (std::size_t at = 0; at < message.size(); at += piece) scanner.Add(message.substr(at, piece));
  scanner.End();
  while (scanner.Step(1 + message.size() / 3)) {
  }
  return Describe(scanner.Take());
}

// Small limits, so that small bodies are left out as large ones are.
constexpr StructureScannerLimits kSmall{.head_bytes = 300, .part_bytes = 200, .kept_bytes_max = 1u << 20};

std::string Lines(std::mt19937& random, std::string_view line_end) {
  std::string out;
  for (std::uint32_t lines = random() % 60; lines > 0; --lines) {
    if (random() % 10 == 0) out += random() % 2 == 0 ? "-" : "--no delimiter";
    out.append(random() % 40, 'x');
    out += line_end;
  }
  if (random() % 4 == 0) out.append(1 + random() % 400, 'y');
  return out;
}

std::string Entity(std::mt19937& random, std::string_view line_end, int depth) {
  const std::string nl(line_end);
  const std::uint32_t kind = depth >= 3 ? 0 : random() % 4;
  if (kind == 1 && depth > 0) {
    return "Content-Type: message/rfc822" + nl + nl + "Subject: inner" + nl + Entity(random, line_end, depth + 1);
  }
  if (kind >= 2) {
    const std::string boundary = fmt::format("b{}", depth);
    std::string out = "Content-Type: multipart/mixed; boundary=" + boundary + nl + nl + Lines(random, line_end);
    for (std::uint32_t parts = random() % 4; parts > 0; --parts) {
      if (!out.ends_with('\n')) out += nl;
      out += fmt::format("--{}{}{}", boundary, nl, Entity(random, line_end, depth + 1));
    }
    if (!out.ends_with('\n')) out += nl;
    if (random() % 4 != 0) out += "--" + boundary + "--" + nl + Lines(random, line_end);
    return out;
  }
  return "Content-Type: text/plain" + nl + nl + Lines(random, line_end);
}

TEST(StructureScanner, FindsWhatAScanOfTheWholeMessageFinds) {
  for (std::uint32_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    const std::string message = Entity(random, random() % 3 == 0 ? "\n" : "\r\n", 0);
    const std::size_t piece = 1 + random() % 100;
    ASSERT_EQ(Scan(message, piece, kSmall), Describe(mail::ScanMime(message))) << "seed=" << seed << "\n" << message;
  }
}

TEST(StructureScanner, KeepsLittleOfALargeAttachment) {
  std::string message =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
      "Content-Type: application/pdf\r\n\r\n";
  for (int i = 0; i < 200'000; ++i) message += "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\r\n";
  message += "\r\n--b--\r\n";
  EXPECT_EQ(Scan(message, 65536, StructureScannerLimits()), Describe(mail::ScanMime(message)));
}

TEST(StructureScanner, PastItsMemoryTheRestIsTheBody) {
  std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 100; ++i) message += "--b\r\n\r\nhello\r\n";
  StructureScanner scanner({.head_bytes = 100, .part_bytes = 100, .kept_bytes_max = 200});
  scanner.Add(message);
  scanner.End();
  while (scanner.Step(1u << 16)) {
  }
  const mail::MimePart root = scanner.Take();
  EXPECT_EQ(root.body.offset + root.body.size, message.size());
  EXPECT_LT(root.children.size(), 100u);
  EXPECT_GE(root.children.size(), 2u);
}

TEST(StructureScanner, OfNothingIsAnEmptyText) {
  EXPECT_EQ(Scan("", 1, kSmall), Describe(mail::ScanMime("")));
}

}  // namespace
}  // namespace imap
