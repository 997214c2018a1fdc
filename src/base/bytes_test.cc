#include "base/bytes.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Codec, ReadsBackWhatWasWritten) {
  std::string out;
  Encoder encoder(out);
  encoder.U8(7);
  encoder.U16(65'000);
  encoder.U32(4'000'000'000);
  encoder.U64(~std::uint64_t{0});
  encoder.I64(-5);
  encoder.Varint(300);
  encoder.Varint(~std::uint64_t{0});
  encoder.Text("mail");
  Decoder decoder(out);
  EXPECT_EQ(decoder.U8(), 7);
  EXPECT_EQ(decoder.U16(), 65'000);
  EXPECT_EQ(decoder.U32(), 4'000'000'000);
  EXPECT_EQ(decoder.U64(), ~std::uint64_t{0});
  EXPECT_EQ(decoder.I64(), -5);
  EXPECT_EQ(decoder.Varint(), 300u);
  EXPECT_EQ(decoder.Varint(), ~std::uint64_t{0});
  EXPECT_EQ(decoder.Text(), "mail");
  EXPECT_TRUE(decoder.AtEnd());
}

TEST(Codec, TurnsEveryCutInputIntoAnErrorNotAnOverrun) {
  std::string out;
  Encoder encoder(out);
  encoder.Text("a long enough text");
  encoder.U64(1);
  for (std::size_t cut = 0; cut < out.size(); ++cut) {
    Decoder decoder(std::string_view(out).substr(0, cut));
    decoder.Text();
    decoder.U64();
    EXPECT_FALSE(decoder.ok()) << cut;
  }
}

TEST(Codec, RefusesAVarintThatNeverEnds) {
  Decoder decoder(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12));
  decoder.Varint();
  EXPECT_FALSE(decoder.ok());
}

}  // namespace
}  // namespace base
