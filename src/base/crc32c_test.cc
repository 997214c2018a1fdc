#include "base/crc32c.h"

#include <string>

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace base {
namespace {

std::uint32_t BitwiseCrc32c(std::string_view text, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
  }
  return ~crc;
}

TEST(Crc32c, MatchesTheCheckValueOfRfc3720) {
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283u);
}

TEST(Crc32c, AgreesWithTheBitwiseFormAtEveryLaneBoundary) {
  std::string text;
  for (int i = 0; i < 13'000; ++i) text.push_back(static_cast<char>(i * 31 + (i >> 8)));
  for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 4079u, 4080u, 4081u, 4096u, 8160u, 8161u, 12'999u}) {
    const std::string_view part = std::string_view(text).substr(0, size);
    EXPECT_EQ(Crc32c(AsBytes(part)), BitwiseCrc32c(part, 0)) << size;
  }
}

TEST(Crc32c, ContinuesFromASeed) {
  const std::string text(10'000, 'x');
  const std::string_view view = text;
  const std::uint32_t first = Crc32c(AsBytes(view.substr(0, 4321)));
  EXPECT_EQ(Crc32c(AsBytes(view.substr(4321)), first), Crc32c(AsBytes(view)));
}

TEST(Crc32c, CopiesOnItsWay) {
  std::string text;
  for (int i = 0; i < 13'000; ++i) text.push_back(static_cast<char>(i * 31 + (i >> 8)));
  for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 4079u, 4080u, 4081u, 4096u, 8160u, 8161u, 12'999u}) {
    const std::string_view part = std::string_view(text).substr(1, size);
    std::string copy(size + 1, '#');
    EXPECT_EQ(CopyWithCrc32c(reinterpret_cast<std::byte*>(copy.data()), AsBytes(part), 77), Crc32c(AsBytes(part), 77));
    EXPECT_EQ(copy, std::string(part) + '#') << size;
  }
}

}  // namespace
}  // namespace base
