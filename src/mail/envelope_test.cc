#include "mail/envelope.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace mail {
namespace {

Envelope FullEnvelope() {
  return Envelope{
      .id = "0123456789abcdef",
      .sender = "alice@example.test",
      .recipients = {{.address = "bob@example.test", .notify = kNotifySuccess | kNotifyDelay, .original = ""},
                     {.address = "j\xc3\xb6rg@example.test", .original = "rfc822;joerg@example.test"}},
      .smtputf8 = true,
      .body = BodyType::kBinary,
      .cls = Class::kUnjudged,
      .dsn_return = DsnReturn::kHeaders,
      .envelope_id = "QQ314159",
      .client_ip = "2001:db8::1",
      .helo = "client.example",
      .auth_account = "alice@example.test",
      .protocol = "UTF8SMTPSA",
      .received = base::WallTime(std::chrono::microseconds(1'700'000'000'123'456))};
}

TEST(Envelope, ReadsBackWhatWasWritten) {
  for (const Envelope& envelope : {Envelope{}, FullEnvelope()}) {
    std::string bytes;
    Encode(envelope, bytes);
    const auto decoded = DecodeEnvelope(bytes);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
    EXPECT_EQ(*decoded, envelope);
  }
}

TEST(Envelope, TurnsEveryCutIntoAnError) {
  std::string bytes;
  Encode(FullEnvelope(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto decoded = DecodeEnvelope(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(decoded.has_value()) << size;
    EXPECT_EQ(decoded.error().code(), base::Errc::kCorrupt) << size;
  }
}

TEST(Envelope, RefusesBytesAfterItsEnd) {
  std::string bytes;
  Encode(FullEnvelope(), bytes);
  bytes.push_back('\0');
  EXPECT_FALSE(DecodeEnvelope(bytes).has_value());
}

TEST(Envelope, RefusesAVersionOfTheFuture) {
  std::string bytes;
  Encode(FullEnvelope(), bytes);
  bytes[0] = 2;
  EXPECT_EQ(DecodeEnvelope(bytes).error().code(), base::Errc::kUnsupported);
}

TEST(Envelope, RefusesValuesThatDoNotExist) {
  std::string bytes;
  Encode(FullEnvelope(), bytes);
  for (std::size_t at = 1; at <= 4; ++at) {
    std::string rotten = bytes;
    rotten[at] = '\x40';
    EXPECT_EQ(DecodeEnvelope(rotten).error().code(), base::Errc::kCorrupt) << at;
  }
}

TEST(Envelope, TakesNoMemoryForACountItCannotHold) {
  std::string bytes;
  Encode(Envelope{}, bytes);
  bytes.pop_back();
  base::Encoder(bytes).Varint(~std::uint64_t{0} / 2);
  EXPECT_EQ(DecodeEnvelope(bytes).error().code(), base::Errc::kCorrupt);
}

}  // namespace
}  // namespace mail
