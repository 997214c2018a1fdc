#include "auth/scram_keys.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace auth {
namespace {

using namespace std::string_literals;

// Of RFC 7677 §3, whose proof and signature scram_exchange_test.cc checks.
const std::string kSalt = base::DecodeBase64("W22ZaJ0SNY7soEsUEjb6gQ==").value();

TEST(ScramKeys, AreReadBackAsWritten) {
  const ScramKeys keys = DeriveScramKeys("pencil", kSalt, 4096);
  const std::string text = keys.ToText();
  EXPECT_TRUE(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")) << text;
  const auto read = ScramKeys::Parse(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->iterations, 4096u);
  EXPECT_EQ(read->salt, kSalt);
  EXPECT_EQ(read->stored_key, keys.stored_key);
  EXPECT_EQ(read->server_key, keys.server_key);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ScramKeys::Parse(text.substr(0, size)).has_value()) << "cut at " << size;
  }
}

TEST(ScramKeys, RefusesWhatTheyCannotBe) {
  const std::string hash = base::EncodeBase64(std::string(32, 'h'));
  const std::string rows[] = {
      "",
      "$y$j9T$abc",
      "SCRAM-SHA-1$4096:c2FsdA==$" + hash + ":" + hash,
      "SCRAM-SHA-256$0:c2FsdA==$" + hash + ":" + hash,
      "SCRAM-SHA-256$-1:c2FsdA==$" + hash + ":" + hash,
      "SCRAM-SHA-256$99999999999:c2FsdA==$" + hash + ":" + hash,
      "SCRAM-SHA-256$10000001:c2FsdA==$" + hash + ":" + hash,
      "SCRAM-SHA-256$4096:$" + hash + ":" + hash,
      "SCRAM-SHA-256$4096:c2FsdA=$" + hash + ":" + hash,
      "SCRAM-SHA-256$4096:c2FsdA==$" + hash + ":" + base::EncodeBase64("short"),
      "SCRAM-SHA-256$4096:c2FsdA==$" + hash + ":" + hash + "x",
      "SCRAM-SHA-256$4096:c2FsdA==$" + hash,
  };
  for (const std::string& text : rows) EXPECT_FALSE(ScramKeys::Parse(text).has_value()) << text;
}

// RFC 4013 §3: passwords that look the same are the same.
TEST(ScramKeys, AreOfThePreparedPassword) {
  const auto derive = [](std::string_view password) { return DeriveScramKeys(password, kSalt, 1).ToText(); };
  const struct {
    const char* label;
    std::string password;
    std::string same_as;
  } rows[] = {
      {"a soft hyphen is mapped to nothing", "I\xC2\xADX", "IX"},
      {"case stays", "USER", "USER"},
      {"compatibility forms are composed", "\xC2\xAA", "a"},
      {"a Roman numeral is letters", "\xE2\x85\xA8", "IX"},
      {"e and an accent are one letter", "caf\x65\xCC\x81", "caf\xC3\xA9"},
      {"a space that is none is one", "a\xC2\xA0"s + "b", "a b"},
  };
  for (const auto& row : rows) EXPECT_EQ(derive(row.password), derive(row.same_as)) << row.label;
  EXPECT_NE(derive("user"), derive("USER"));
}

TEST(ScramKeys, OfAPasswordThatCannotBePreparedAreOfItsBytes) {
  const auto derive = [](std::string_view password) { return DeriveScramKeys(password, kSalt, 1).ToText(); };
  const std::string rows[] = {
      "\xD8\xA7"
      "1",  // Arabic, then a digit: RFC 4013 refuses the direction.
      "bell\a",
      "no utf-8 \xFF\xC2",
      "\xC2\xAD",          // Nothing would be left.
      "\xF0\x9F\xA6\x8A",  // Younger than Unicode 3.2.
  };
  for (const std::string& password : rows) {
    EXPECT_NE(derive(password), derive(password + "x"));
    EXPECT_EQ(derive(password), derive(password));
  }
  EXPECT_NE(derive("no utf-8 \xFF"), derive("no utf-8 \xFE"));
}

}  // namespace
}  // namespace auth
