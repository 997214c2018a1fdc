#include "smtp/proto/dot_stuffer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "mail/line_ends.h"
#include "smtp/proto/data_scanner.h"

namespace smtp {
namespace {

std::string Stuff(std::string_view mail, std::size_t piece) {
  DotStuffer stuffer;
  std::string out;
  for (std::size_t at = 0; at < mail.size(); at += piece) stuffer.Append(mail.substr(at, piece), out);
  stuffer.Finish(out);
  return out;
}

TEST(DotStuffer, MakesTheBytesAfter354) {
  const struct {
    std::string_view mail, wire;
  } rows[] = {
      {"", ".\r\n"},
      {"a\r\n", "a\r\n.\r\n"},
      {"a", "a\r\n.\r\n"},
      {".", "..\r\n.\r\n"},
      {".\r\n", "..\r\n.\r\n"},
      {"..\r\n.a\r\nb.\r\n", "...\r\n..a\r\nb.\r\n.\r\n"},
      {"\r\n.\r\n", "\r\n..\r\n.\r\n"},
      // Smuggling: what might end a mail elsewhere is no end here, nor a line without its CRLF.
      {"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
      {"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
      {"a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
      {"a\r\n.\rb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
      {"a\r\r\n", "a\r\n\r\n.\r\n"},
      {"a\r", "a\r\n.\r\n"},
      {"\r\r", "\r\n\r\n.\r\n"},
      {"a\n\r\nb\r\n", "a\r\n\r\nb\r\n.\r\n"},
  };
  for (const auto& row : rows) {
    for (std::size_t piece = 1; piece <= row.mail.size() + 1; ++piece) {
      EXPECT_EQ(Stuff(row.mail, piece), row.wire) << row.mail << " in pieces of " << piece;
    }
  }
}

// The scanner of our server undoes it, whatever the bytes and however they are cut.
TEST(DotStuffer, IsUndoneByTheScannerOfOurServer) {
  const std::uint64_t seed = base::SecureRandom64();
  base::Random random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string mail;
    for (std::uint64_t size = random.Below(40); mail.size() < size;) mail += "..\r\n\r\nab"[random.Below(8)];
    std::string wire = Stuff(mail, 1 + random.Below(10));
    mail::LineEndNormalizer normalizer;
    std::string expected;
    normalizer.Append(mail, expected);
    normalizer.Finish(expected);
    DataScanner scanner;
    const DataScanner::Step step = scanner.Scan(wire);
    ASSERT_TRUE(step.at_end) << "seed=" << seed;
    ASSERT_EQ(step.taken, wire.size()) << "seed=" << seed;
    ASSERT_FALSE(scanner.has_bare_line_end()) << "seed=" << seed;
    ASSERT_EQ(wire.substr(0, step.kept), expected) << "seed=" << seed;
  }
}

}  // namespace
}  // namespace smtp
