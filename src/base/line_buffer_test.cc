#include "base/line_buffer.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace base {
namespace {

constexpr std::size_t kLineBytesMax = 4096;

void Fill(LineBuffer* buffer, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> space = buffer->Space();
    ASSERT_FALSE(space.empty());
    const std::size_t size = std::min(space.size(), bytes.size());
    std::ranges::copy(bytes.substr(0, size), space.begin());
    buffer->Commit(size);
    bytes.remove_prefix(size);
  }
}

// All lines that are there, joined: "[a][b]", and "<too long>".
std::string Take(LineBuffer* buffer, std::size_t bytes_max = kLineBytesMax) {
  std::string lines;
  while (const auto line = buffer->TakeLine(bytes_max)) {
    lines += line->is_too_long ? "<too long>" : "[" + std::string(line->text) + "]";
  }
  return lines;
}

TEST(LineBuffer, GivesWholeLinesWithoutTheirEnds) {
  LineBuffer buffer;
  Fill(&buffer, "NOOP\r\nRSET\n\r\nQU");
  EXPECT_EQ(Take(&buffer), "[NOOP][RSET][]");
  EXPECT_EQ(buffer.buffered(), "QU");
  Fill(&buffer, "IT\r\n");
  EXPECT_EQ(Take(&buffer), "[QUIT]");
  EXPECT_TRUE(buffer.buffered().empty());
}

TEST(LineBuffer, CountsALineWithoutItsEnd) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"12345\r\n", "[12345]"},
      {"12345\n", "[12345]"},
      {"12345\r", ""},
      {"123456", ""},
      {"123456\r\n", "<too long>"},
      {"123456\n", "<too long>"},
      {"1234567", "<too long>"},
      {"123456\r\nok\n", "<too long>[ok]"},
  };
  for (const auto& [bytes, lines] : rows) {
    LineBuffer buffer;
    Fill(&buffer, bytes);
    EXPECT_EQ(Take(&buffer, 5), lines) << bytes;
  }
}

TEST(LineBuffer, SkipsALineThatIsTooLongHoweverItComes) {
  for (const std::size_t extra : {2u, 3u, 100u, 10'000u}) {
    LineBuffer buffer;
    std::string lines;
    for (std::size_t left = kLineBytesMax + extra; left > 0;) {
      const std::size_t now = std::min<std::size_t>(left, 500);
      Fill(&buffer, std::string(now, 'x'));
      left -= now;
      lines += Take(&buffer);
    }
    EXPECT_EQ(lines, "<too long>") << extra;
    Fill(&buffer, "y\r\nNOOP\r\n");
    EXPECT_EQ(Take(&buffer), "[NOOP]") << extra;
  }
}

TEST(LineBuffer, SkipsALineThatIsTooLongAndLiesThereWhole) {
  LineBuffer buffer;
  buffer.PutBack("NOOP\r\n" + std::string(3 * kLineBytesMax, 'x') + "\r\nRSET\r\n");
  EXPECT_EQ(Take(&buffer), "[NOOP]<too long>[RSET]");
}

TEST(LineBuffer, ForgetsTheRestOfALineThatWasTooLong) {
  LineBuffer buffer;
  Fill(&buffer, "too long");
  EXPECT_EQ(Take(&buffer, 3), "<too long>");
  buffer.Clear();
  Fill(&buffer, "a\r\nb\r\n");
  EXPECT_EQ(Take(&buffer, 3), "[a][b]");
}

TEST(LineBuffer, IsSmallAgainAfterMuchWasPutBack) {
  LineBuffer buffer;
  const std::size_t idle_bytes = buffer.Space().size();
  buffer.PutBack(std::string(60'000, '\n'));
  Take(&buffer);
  EXPECT_EQ(buffer.Space().size(), idle_bytes);
}

TEST(LineBuffer, GrowsNoFurtherThanALineNeeds) {
  LineBuffer buffer;
  for (int i = 0; i < 100; ++i) {
    const std::span<char> space = buffer.Space();
    ASSERT_LE(space.size(), 2 * (kLineBytesMax + 2));
    std::ranges::fill(space, 'x');
    buffer.Commit(space.size());
    Take(&buffer);
  }
}

// Whatever the pieces, the lines are the same.
TEST(LineBuffer, DoesNotDependOnThePieces) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    std::string lines;
    std::string bytes;
    for (int i = 0; i < 50; ++i) {
      const std::string line(random.Below(300), static_cast<char>('a' + random.Below(26)));
      lines += line.size() > 250 ? "<too long>" : "[" + line + "]";
      bytes += line + (random.OneIn(2) ? "\r\n" : "\n");
    }
    LineBuffer buffer;
    std::string taken;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random.Below(700));
      Fill(&buffer, rest.substr(0, size));
      rest.remove_prefix(size);
      taken += Take(&buffer, 250);
    }
    EXPECT_EQ(taken, lines) << "seed=" << seed;
  }
}

}  // namespace
}  // namespace base
