#include "smtp/server/command_input.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace smtp {
namespace {

constexpr std::size_t kLineBytesMax = 4096;

void Fill(CommandInput* input, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> space = input->Space();
    ASSERT_FALSE(space.empty());
    const std::size_t size = std::min(space.size(), bytes.size());
    std::copy_n(bytes.data(), size, space.data());
    input->CommitRead(size);
    bytes.remove_prefix(size);
  }
}

TEST(CommandInput, GivesWholeLinesWithoutTheirEnds) {
  CommandInput input(kLineBytesMax);
  Fill(&input, "NOOP\r\nRSET\nQU");
  EXPECT_EQ(input.TakeLine(), "NOOP");
  EXPECT_EQ(input.TakeLine(), "RSET");
  EXPECT_EQ(input.TakeLine(), std::nullopt);
  EXPECT_FALSE(input.IsLineTooLong());
  Fill(&input, "IT\r\n");
  EXPECT_EQ(input.TakeLine(), "QUIT");
  EXPECT_TRUE(input.buffered().empty());
}

TEST(CommandInput, SkipsALineThatIsTooLongHoweverItComes) {
  for (const std::size_t extra : {0u, 1u, 100u, 10'000u}) {
    CommandInput input(kLineBytesMax);
    std::size_t left = kLineBytesMax + extra;
    bool was_too_long = false;
    while (left > 0) {
      const std::size_t now = std::min<std::size_t>(left, 500);
      Fill(&input, std::string(now, 'x'));
      left -= now;
      EXPECT_EQ(input.TakeLine(), std::nullopt);
      if (!was_too_long && input.IsLineTooLong()) {
        was_too_long = true;
        input.SkipLine();
      }
    }
    EXPECT_TRUE(was_too_long);
    Fill(&input, "y\r\nNOOP\r\n");
    EXPECT_EQ(input.TakeLine(), "NOOP") << extra;
  }
}

TEST(CommandInput, SkipsALineThatIsTooLongAndLiesThereWhole) {
  CommandInput input(kLineBytesMax);
  input.PutBack("NOOP\r\n" + std::string(3 * kLineBytesMax, 'x') + "\r\nRSET\r\n");
  EXPECT_EQ(input.TakeLine(), "NOOP");
  EXPECT_EQ(input.TakeLine(), std::nullopt);
  ASSERT_TRUE(input.IsLineTooLong());
  input.SkipLine();
  EXPECT_EQ(input.TakeLine(), "RSET");
  EXPECT_EQ(input.TakeLine(), std::nullopt);
  EXPECT_FALSE(input.IsLineTooLong());
}

TEST(CommandInput, IsSmallAgainAfterMuchWasPutBack) {
  CommandInput input(kLineBytesMax);
  const std::size_t idle_bytes = input.Space().size();
  input.PutBack(std::string(60'000, '\n'));
  while (input.TakeLine()) {
  }
  EXPECT_EQ(input.Space().size(), idle_bytes);
}

// Whatever the pieces, the lines are the same.
TEST(CommandInput, DoesNotDependOnThePieces) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    base::Random random(seed);
    std::vector<std::string> lines;
    std::string bytes;
    for (int i = 0; i < 50; ++i) {
      lines.emplace_back(random.Below(300), static_cast<char>('a' + random.Below(26)));
      bytes += lines.back() + (random.OneIn(2) ? "\r\n" : "\n");
    }
    CommandInput input(kLineBytesMax);
    std::vector<std::string> taken;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random.Below(700));
      Fill(&input, rest.substr(0, size));
      rest.remove_prefix(size);
      while (const auto line = input.TakeLine()) taken.emplace_back(*line);
    }
    EXPECT_EQ(taken, lines) << "seed=" << seed;
  }
}

}  // namespace
}  // namespace smtp
