#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace base {
namespace {

using namespace std::string_literals;

TEST(Base64, EncodesAndDecodesTheVectorsOfTheRfc) {
  const struct {
    std::string plain;
    std::string encoded;
  } rows[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\0alice@example.test\0posthorn"s, "AGFsaWNlQGV4YW1wbGUudGVzdABwb3N0aG9ybg=="},
      {"\xff\xfe\xfd"s, "//79"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(EncodeBase64(row.plain), row.encoded);
    const auto decoded = DecodeBase64(row.encoded);
    ASSERT_TRUE(decoded.has_value()) << row.encoded;
    EXPECT_EQ(*decoded, row.plain);
  }
}

TEST(Base64, RefusesWhatIsNotExactlyBase64) {
  const std::string rows[] = {
      "Z",
      "Zg",
      "Zg=",
      "Zg===",
      "=",
      "==",
      "===",
      "====",
      "Z===",
      "Zg==Zg==",
      "Zm9v\r\n",
      "Zm 9v",
      " Zm9v",
      "Zm9-",
      "Zm9_",
      "Zm9v\0"s,
      "Zh==" /* unused bits set */,
      "Zm9=" /* the same */,
      "\xc3\xa9\xc3\xa9",
      "Zm=v",
      "*",
  };
  for (const std::string& row : rows) {
    EXPECT_FALSE(DecodeBase64(row).has_value()) << row;
  }
}

TEST(Base64, RandomBytesComeBackAsTheyWere) {
  const std::uint64_t seed = SecureRandom64();
  SCOPED_TRACE("seed=" + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(random.Below(100), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    const auto back = DecodeBase64(EncodeBase64(bytes));
    ASSERT_TRUE(back.has_value());
    ASSERT_EQ(*back, bytes);
  }
}

TEST(Base64, WhatDecodesIsTheOneEncodingOfItsBytes) {
  const std::uint64_t seed = SecureRandom64();
  SCOPED_TRACE("seed=" + std::to_string(seed));
  Random random(seed);
  constexpr std::string_view kLetters = "AQgwZ0+/=9a";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random.Below(13), '\0');
    for (char& c : text) c = kLetters[random.Below(kLetters.size())];
    const auto bytes = DecodeBase64(text);
    if (bytes.has_value()) ASSERT_EQ(EncodeBase64(*bytes), text);
  }
}

}  // namespace
}  // namespace base
