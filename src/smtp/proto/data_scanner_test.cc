#include "smtp/proto/data_scanner.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace smtp {
namespace {

struct Scanned {
  std::string mail;
  std::string rest;
  bool at_end = false;
  bool bare = false;
};

// Feeds `wire` in pieces that end at the given offsets.
Scanned ScanInPieces(std::string wire, const std::vector<std::size_t>& cuts, DataScanner::Framing framing) {
  DataScanner scanner(framing);
  Scanned scanned;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : wire.size();
    const std::span<char> piece(wire.data() + begin, end - begin);
    const DataScanner::Step step = scanner.Scan(piece);
    if (step.cr_before) scanned.mail.push_back('\r');
    scanned.mail.append(piece.data(), step.kept);
    if (step.at_end) {
      scanned.at_end = true;
      scanned.rest = wire.substr(begin + step.taken);
      break;
    }
    begin = end;
  }
  scanned.bare = scanner.has_bare_line_end();
  return scanned;
}

struct Row {
  std::string wire;
  std::string mail;
  bool at_end;
  bool bare;
};

const Row kRows[] = {
    {".\r\n", "", true, false},
    {"a\r\n.\r\n", "a\r\n", true, false},
    {"a\r\n..b\r\n.\r\n", "a\r\n.b\r\n", true, false},
    {"..\r\n.\r\n", ".\r\n", true, false},
    {"a\r\n.b\r\n.\r\n", "a\r\nb\r\n", true, false},
    {"a\n.\n", "a\n.\n", false, true},
    {"a\r\n.\n", "a\r\n\n", false, true},
    {"a\n.\r\n", "a\n.\r\n", false, true},
    {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true, true},
    {"a\r\r\n.\r\n", "a\r\r\n", true, true},
    {"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true, true},
    {".\r\r\n.\r\n", "\r\r\n", true, true},
    {".\r.\r\n.\r\n", "\r.\r\n", true, true},
    {"a\r\n\n.\r\n", "a\r\n\n.\r\n", false, true},
    {"no end", "no end", false, false},
    {"no end\r", "no end\r", false, true},
};

TEST(DataScanner, FindsTheEndAndUnstuffsDots) {
  for (const Row& row : kRows) {
    const Scanned scanned = ScanInPieces(row.wire, {}, DataScanner::Framing::kDots);
    EXPECT_EQ(scanned.mail, row.mail) << row.wire;
    EXPECT_EQ(scanned.at_end, row.at_end) << row.wire;
    EXPECT_EQ(scanned.bare, row.bare) << row.wire;
  }
}

TEST(DataScanner, GivesTheSameResultHoweverTheBytesArrive) {
  const std::uint64_t seed = base::SecureRandom64();
  base::Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string wire;
    for (std::uint64_t i = random.Below(24); i > 0; --i) wire.push_back("\r\n.\r\na"[random.Below(6)]);
    const Scanned whole = ScanInPieces(wire, {}, DataScanner::Framing::kDots);
    std::vector<std::size_t> cuts;
    for (std::size_t i = 1; i < wire.size(); ++i) {
      if (random.OneIn(3)) cuts.push_back(i);
    }
    const Scanned pieces = ScanInPieces(wire, cuts, DataScanner::Framing::kDots);
    ASSERT_EQ(pieces.mail, whole.mail) << "seed=" << seed;
    ASSERT_EQ(pieces.rest, whole.rest) << "seed=" << seed;
    ASSERT_EQ(pieces.at_end, whole.at_end) << "seed=" << seed;
    ASSERT_EQ(pieces.bare, whole.bare) << "seed=" << seed;
  }
}

TEST(DataScanner, LeavesWhatFollowsTheEndAlone) {
  EXPECT_EQ(ScanInPieces("a\r\n.\r\nQUIT\r\n", {}, DataScanner::Framing::kDots).rest, "QUIT\r\n");
}

TEST(DataScanner, KnowsWhetherTheLastLineOfAChunkHasEnded) {
  const std::pair<const char*, bool> rows[] = {{"", true}, {"a", false}, {"a\r\n", true}, {"a\r\n.", false}};
  for (const auto& [text, at_line_start] : rows) {
    std::string bytes(text);
    DataScanner scanner(DataScanner::Framing::kChunk);
    scanner.Scan(bytes);
    EXPECT_EQ(scanner.at_line_start(), at_line_start) << text;
  }
}

TEST(DataScanner, TakesDotsOfAChunkAsTheyAre) {
  const Scanned scanned = ScanInPieces(".\r\n..a\r\n", {}, DataScanner::Framing::kChunk);
  EXPECT_EQ(scanned.mail, ".\r\n..a\r\n");
  EXPECT_FALSE(scanned.at_end);
  EXPECT_FALSE(scanned.bare);
  EXPECT_TRUE(ScanInPieces("a\nb\r\n", {}, DataScanner::Framing::kChunk).bare);
}

}  // namespace
}  // namespace smtp
