#include "auth/scram_exchange.h"

#include <gtest/gtest.h>

#include "auth/testing.h"

namespace auth {
namespace {

using namespace std::string_literals;
using base::Errc;

// RFC 7677 §3.
const std::string kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const std::string kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const std::string kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const std::string kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramKeys PencilKeys() {
  return DeriveScramKeys("pencil", base::DecodeBase64("W22ZaJ0SNY7soEsUEjb6gQ==").value(), 4096);
}

std::string CodeOf(const base::Result<std::string>& result) {
  return result.has_value() ? *result : std::string(base::ToString(result.error().code()));
}

class ScramExchangeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(exchange_.Challenge(keys_), kServerFirst); }

  const ScramKeys keys_ = PencilKeys();
  ScramExchange exchange_ = ScramExchange::Begin(kClientFirst, kServerNonce).value();
};

TEST_F(ScramExchangeTest, SpeaksTheExampleOfRfc7677) {
  EXPECT_EQ(exchange_.username(), "user");
  EXPECT_EQ(CodeOf(exchange_.Finish(kClientFinal, keys_)), kServerFinal);
}

TEST_F(ScramExchangeTest, AnotherPasswordOrAnotherProofIsWrong) {
  EXPECT_EQ(CodeOf(exchange_.Finish(kClientFinal, DeriveScramKeys("Pencil", keys_.salt, 4096))), "denied");
  std::string other = kClientFinal;
  other[other.size() - 5] = 'A';
  EXPECT_EQ(CodeOf(exchange_.Finish(other, keys_)), "denied");
  // The keys that a server keeps are no password: they prove nothing.
  const std::string without_proof = kClientFinal.substr(0, kClientFinal.find(",p="));
  for (const ScramHash& key : {keys_.stored_key, keys_.server_key}) {
    EXPECT_EQ(CodeOf(exchange_.Finish(without_proof + ",p=" + base::EncodeBase64(View(key)), keys_)), "denied");
  }
}

TEST_F(ScramExchangeTest, EachByteOfTheFinalMessageCounts) {
  for (std::size_t i = 0; i < kClientFinal.size(); ++i) {
    std::string other = kClientFinal;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(exchange_.Finish(other, keys_).has_value()) << "byte " << i;
    EXPECT_FALSE(exchange_.Finish(kClientFinal.substr(0, i), keys_).has_value()) << "cut at " << i;
  }
}

TEST_F(ScramExchangeTest, MalformedFinalMessagesAreRefused) {
  const std::string nonce = "rOprNGfwEbeRWgbNEkqO" + kServerNonce;
  const std::string proof = kClientFinal.substr(kClientFinal.find(",p="));
  const struct {
    const char* label;
    std::string message;
  } rows[] = {
      {"nothing", ""},
      {"another nonce", "c=biws,r=rOprNGfwEbeRWgbNEkqO" + proof},
      {"more nonce", "c=biws,r=" + nonce + "x" + proof},
      {"no channel binding", "r=" + nonce + proof},
      {"that of y,,", "c=eSws,r=" + nonce + proof},
      {"no proof", "c=biws,r=" + nonce},
      {"something behind the proof", kClientFinal + ",x=y"},
      {"a short proof", "c=biws,r=" + nonce + ",p=dHzb"},
      {"a proof that is no base64", "c=biws,r=" + nonce + ",p=%%%%"},
      {"too long", "c=biws,r=" + nonce + ",x=" + std::string(5000, 'x') + proof},
  };
  for (const auto& row : rows) EXPECT_EQ(CodeOf(exchange_.Finish(row.message, keys_)), "invalid") << row.label;
}

TEST(ScramExchange, FirstMessages) {
  const struct {
    const char* label;
    std::string message;
    std::string expected;  // The user name, or the error's code.
  } rows[] = {
      {"plain", "n,,n=user,r=abc", "user"},
      {"could bind channels", "y,,n=user,r=abc", "user"},
      {"asks for channel binding", "p=tls-unique,,n=user,r=abc", "invalid"},
      {"acts as itself", "n,a=user,n=user,r=abc", "user"},
      {"acts as another", "n,a=root,n=user,r=abc", "invalid"},
      {"quoted", "n,,n=a=2Cb=3Dc,r=abc", "a,b=c"},
      {"acts as itself, quoted", "n,a=a=3Db,n=a=3Db,r=abc", "a=b"},
      {"quoted in small letters", "n,,n=a=2cb,r=abc", "invalid"},
      {"a bare equals sign", "n,,n=a=b,r=abc", "invalid"},
      {"cut within a quote", "n,,n=a=2,r=abc", "invalid"},
      {"an address", "n,,n=alice@example.test,r=abc", "alice@example.test"},
      {"an extension", "n,,n=user,r=abc,x=whatever", "user"},
      {"an extension that must be known", "n,,m=x,n=user,r=abc", "invalid"},
      {"no name", "n,,r=abc", "invalid"},
      {"an empty name", "n,,n=,r=abc", "invalid"},
      {"no nonce", "n,,n=user", "invalid"},
      {"an empty nonce", "n,,n=user,r=", "invalid"},
      {"a nonce with a space", "n,,n=user,r=a b", "invalid"},
      {"a nonce with a high byte", "n,,n=user,r=a\xC3\xA9", "invalid"},
      {"a long nonce", "n,,n=user,r=" + std::string(513, 'r'), "invalid"},
      {"a NUL", "n,,n=us\0er,r=abc"s, "invalid"},
      {"no header", "n=user,r=abc", "invalid"},
      {"half a header", "n,n=user,r=abc", "invalid"},
      {"a header that does not end", "n,a=user", "invalid"},
      {"another flag", "x,,n=user,r=abc", "invalid"},
      {"nothing", "", "invalid"},
      {"too long", "n,,n=" + std::string(5000, 'u') + ",r=abc", "invalid"},
  };
  for (const auto& row : rows) {
    const auto exchange = ScramExchange::Begin(row.message, kServerNonce);
    EXPECT_EQ(exchange.has_value() ? exchange->username() : std::string(base::ToString(exchange.error().code())),
              row.expected)
        << row.label;
  }
}

// What was said of channels at first must be said again at the end (RFC 5802 §6): nobody between took it away.
TEST(ScramExchange, TheHeaderIsPartOfTheProof) {
  const ScramKeys keys = PencilKeys();
  ScramExchange exchange = ScramExchange::Begin("y,a=user,n=user,r=abc", "def").value();
  const std::string server_first = exchange.Challenge(keys);
  ScramClient client("user", "pencil", "abc");
  const std::string final_message = client.Final(server_first);
  EXPECT_EQ(CodeOf(exchange.Finish(final_message, keys)), "invalid");
  const std::string same_header = "c=" + base::EncodeBase64("y,a=user,") + final_message.substr(6);
  EXPECT_EQ(CodeOf(exchange.Finish(same_header, keys)), "denied");
}

}  // namespace
}  // namespace auth
