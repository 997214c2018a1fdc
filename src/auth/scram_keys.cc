#include "auth/scram_keys.h"

#include <charconv>
#include <memory>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unicode/unistr.h>
#include <unicode/usprep.h>

#include "base/base64.h"
#include "base/check.h"

namespace auth {
namespace {

constexpr std::string_view kMechanism = "SCRAM-SHA-256$";
constexpr std::size_t kSaltBytesMax = 64;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

struct CloseProfile {
  void operator()(UStringPrepProfile* profile) const { ::usprep_close(profile); }
};

// What SASLprep makes of a password; empty: it refuses it.
std::string Prepare(std::string_view password) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UStringPrepProfile, CloseProfile> profile(::usprep_openByType(USPREP_RFC4013_SASLPREP, &error));
  if (U_FAILURE(error) != 0) return {};
  const auto text = icu::UnicodeString::fromUTF8({password.data(), static_cast<std::int32_t>(password.size())});
  // NFKC makes at most 18 code units of one.
  std::vector<char16_t> prepared(static_cast<std::size_t>(text.length()) * 18 + 1);
  const std::int32_t length =
      ::usprep_prepare(profile.get(), text.getBuffer(), text.length(), prepared.data(),
                       static_cast<std::int32_t>(prepared.size()), USPREP_DEFAULT, nullptr, &error);
  if (U_FAILURE(error) != 0) return {};
  std::string utf8;
  icu::UnicodeString(prepared.data(), length).toUTF8String(utf8);
  return utf8;
}

bool IsUtf8(std::string_view text) {
  std::string again;
  icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())}).toUTF8String(again);
  return again == text;
}

bool ReadHash(std::string_view text, ScramHash& hash) {
  const auto decoded = base::DecodeBase64(text);
  if (!decoded.has_value() || decoded->size() != hash.size()) return false;
  decoded->copy(hash.data(), hash.size());
  return true;
}

// Cuts off what stands before `mark`, and the mark. False: there is none.
bool TakeUntil(std::string_view& text, char mark, std::string_view& part) {
  const std::size_t end = text.find(mark);
  if (end == std::string_view::npos) return false;
  part = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

}  // namespace

std::string ScramKeys::ToText() const {
  std::string text(kMechanism);
  text += std::to_string(iterations) + ':' + base::EncodeBase64(salt);
  text += '$' + base::EncodeBase64(View(stored_key)) + ':' + base::EncodeBase64(View(server_key));
  return text;
}

std::optional<ScramKeys> ScramKeys::Parse(std::string_view text) {
  if (!text.starts_with(kMechanism)) return std::nullopt;
  text.remove_prefix(kMechanism.size());
  std::string_view iterations, salt, stored_key;
  if (!TakeUntil(text, ':', iterations) || !TakeUntil(text, '$', salt) || !TakeUntil(text, ':', stored_key)) {
    return std::nullopt;
  }
  ScramKeys keys;
  const auto [end, error] = std::from_chars(iterations.data(), iterations.data() + iterations.size(), keys.iterations);
  if (error != std::errc() || end != iterations.data() + iterations.size()) return std::nullopt;
  if (keys.iterations == 0 || keys.iterations > kScramIterationsMax) return std::nullopt;
  auto decoded = base::DecodeBase64(salt);
  if (!decoded.has_value() || decoded->empty() || decoded->size() > kSaltBytesMax) return std::nullopt;
  keys.salt = *std::move(decoded);
  if (!ReadHash(stored_key, keys.stored_key) || !ReadHash(text, keys.server_key)) return std::nullopt;
  return keys;
}

ScramKeys DeriveScramKeys(std::string_view password, std::string salt, std::uint32_t iterations) {
  CHECK(iterations > 0 && iterations <= kScramIterationsMax);
  std::string prepared = IsUtf8(password) ? Prepare(password) : std::string();
  if (prepared.empty()) prepared = password;
  ScramHash salted{};
  CHECK(::PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), Bytes(salt),
                            static_cast<int>(salt.size()), static_cast<int>(iterations), ::EVP_sha256(),
                            static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data())) == 1);
  ScramKeys keys{.iterations = iterations, .salt = std::move(salt)};
  const ScramHash client_key = ScramHmac(View(salted), "Client Key");
  keys.stored_key = ScramDigest(View(client_key));
  keys.server_key = ScramHmac(View(salted), "Server Key");
  ::OPENSSL_cleanse(prepared.data(), prepared.size());
  ::OPENSSL_cleanse(salted.data(), salted.size());
  return keys;
}

ScramHash ScramHmac(std::string_view key, std::string_view text) {
  ScramHash hash{};
  unsigned int size = 0;
  CHECK(::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
               reinterpret_cast<unsigned char*>(hash.data()), &size) != nullptr);
  CHECK(size == hash.size());
  return hash;
}

ScramHash ScramDigest(std::string_view bytes) {
  ScramHash hash{};
  unsigned int size = 0;
  CHECK(::EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()), &size, ::EVP_sha256(),
                     nullptr) == 1);
  CHECK(size == hash.size());
  return hash;
}

}  // namespace auth
