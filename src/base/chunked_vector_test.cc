#include "base/chunked_vector.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(ChunkedVector, GrowsWithoutMovingWhatItHolds) {
  ChunkedVector<std::uint64_t, 4> numbers;
  numbers.emplace_back();
  numbers[0] = 7;
  const std::uint64_t* const first = &numbers[0];
  for (std::uint64_t i = 1; i < 1000; ++i) {
    numbers.emplace_back();
    EXPECT_EQ(numbers[i], 0u);
    numbers[i] = i;
  }
  EXPECT_EQ(numbers.size(), 1000u);
  EXPECT_EQ(&numbers[0], first);
  EXPECT_EQ(*first, 7u);
  for (std::uint64_t i = 1; i < 1000; ++i) ASSERT_EQ(numbers[i], i);
}

TEST(ChunkedVector, TakesLittleMoreThanItHolds) {
  ChunkedVector<std::uint64_t> numbers;
  EXPECT_EQ(numbers.memory_bytes(), 0u);
  for (int i = 0; i < 100'000; ++i) numbers.emplace_back();
  EXPECT_GE(numbers.memory_bytes(), 800'000u);
  EXPECT_LT(numbers.memory_bytes(), 810'000u);
}

}  // namespace
}  // namespace base
