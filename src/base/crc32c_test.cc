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
  for (const std::size_t size :
       {0u, 1u, 7u, 8u, 9u, 191u, 192u, 193u, 215u, 216u, 4096u, 12'287u, 12'288u, 12'289u, 12'999u}) {
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

TEST(Crc32c, JoinsWhatWasComputedApart) {
  std::string text;
  for (int i = 0; i < 13'000; ++i) text.push_back(static_cast<char>(i * 31 + (i >> 8)));
  for (const std::size_t cut : {0u, 1u, 7u, 4095u, 4096u, 4097u, 8192u, 8904u, 12'992u, 12'999u, 13'000u}) {
    const std::string_view first = std::string_view(text).substr(0, cut);
    const std::string_view second = std::string_view(text).substr(cut);
    EXPECT_EQ(JoinCrc32c(Crc32c(AsBytes(first), 77), Crc32c(AsBytes(second)), second.size()), Crc32c(AsBytes(text), 77))
        << cut;
    EXPECT_EQ(Crc32cOfZeroes(cut), BitwiseCrc32c(std::string(cut, '\0'), 0)) << cut;
  }
}

TEST(Crc32c, CopiesOnItsWay) {
  std::string text;
  for (int i = 0; i < 13'000; ++i) text.push_back(static_cast<char>(i * 31 + (i >> 8)));
  for (const std::size_t size :
       {0u, 1u, 7u, 8u, 9u, 191u, 192u, 193u, 215u, 216u, 4096u, 12'287u, 12'288u, 12'289u, 12'999u}) {
    const std::string_view part = std::string_view(text).substr(1, size);
    for (const CopyTo where : {CopyTo::kCache, CopyTo::kMemory}) {
      std::string copy(size + 1, '#');
      EXPECT_EQ(CopyWithCrc32c(reinterpret_cast<std::byte*>(copy.data()), AsBytes(part), 77, where),
                Crc32c(AsBytes(part), 77));
      EXPECT_EQ(copy, std::string(part) + '#') << size;
    }
  }
}

}  // namespace
}  // namespace base
