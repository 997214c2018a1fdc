#include "mail/digest.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

TEST(Digest, IsTheFirstHalfOfSha256AndBeginsAnew) {
  // FIPS 180-2, appendix B.1: SHA-256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 ...
  const std::array<std::uint8_t, 16> abc = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                            0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
  Digest digest;
  digest.Update("a");
  digest.Update("bc");
  EXPECT_EQ(digest.Finish(), abc);
  digest.Update("abc");
  EXPECT_EQ(digest.Finish(), abc);
  digest.Update("forgotten");
  digest.Begin();
  digest.Update("abc");
  EXPECT_EQ(digest.Finish(), abc);
}

}  // namespace
}  // namespace mail
