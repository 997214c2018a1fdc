#include "base/result.h"

#include <gtest/gtest.h>

namespace base {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(Errc::kInvalid, "odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  ASSIGN_OR_RETURN(const int half, Half(n));
  return Half(half);
}

TEST(Result, CarriesTheValueOrTheFirstError) {
  EXPECT_EQ(Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message(), "odd");
}

TEST(Error, GrowsContextOnTheWayUp) {
  EXPECT_EQ(Error(Errc::kCorrupt, "checksum mismatch").In("block 4").In("open segment 17").message(),
            "open segment 17: block 4: checksum mismatch");
}

}  // namespace
}  // namespace base
