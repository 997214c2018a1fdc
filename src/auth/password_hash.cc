#include "auth/password_hash.h"

#include <memory>
#include <optional>

#include <crypt.h>
#include <openssl/crypto.h>

#include "auth/authenticator.h"

namespace auth {
namespace {

constexpr const char* kYescrypt = "$y$";

// The hash of `password` with the method and salt of `setting`; none if libcrypt refuses either.
std::optional<std::string> Crypt(const std::string& password, const std::string& setting) {
  // libcrypt would stop at the first NUL and call "secret\0anything" right.
  if (password.find('\0') != std::string::npos) return std::nullopt;
  const auto scratch = std::make_unique<crypt_data>();
  const char* const hash = ::crypt_r(password.c_str(), setting.c_str(), scratch.get());
  std::optional<std::string> result;
  if (hash != nullptr && hash[0] != '*') result = hash;
  OPENSSL_cleanse(scratch.get(), sizeof *scratch);
  return result;
}

std::optional<std::string> NewSetting() {
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (::crypt_gensalt_rn(kYescrypt, 0, nullptr, 0, setting, sizeof setting) == nullptr) return std::nullopt;
  return setting;
}

}  // namespace

bool MatchesHash(const std::string& password, const std::string& hash) {
  const std::optional<std::string> computed = Crypt(password, hash);
  if (!computed.has_value()) {
    PretendToMatch(password);
    return false;
  }
  return computed->size() == hash.size() && CRYPTO_memcmp(computed->data(), hash.data(), hash.size()) == 0;
}

void PretendToMatch(const std::string& password) {
  const std::optional<std::string> setting = NewSetting();
  if (!setting.has_value()) return;
  // What libcrypt refuses (too long, a NUL) it refuses at once: hash something of its own then.
  if (!Crypt(password, *setting).has_value()) Crypt("", *setting);
}

base::Result<std::string> HashPassword(const std::string& password) {
  if (password.empty()) return base::Error(base::Errc::kInvalid, "the password is empty");
  if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE || password.find('\0') != std::string::npos) {
    return base::Error(base::Errc::kInvalid, "the password is longer than 511 bytes or has a NUL in it");
  }
  const std::optional<std::string> setting = NewSetting();
  std::optional<std::string> hash;
  if (setting.has_value()) hash = Crypt(password, *setting);
  if (!hash.has_value())
    return base::Error(base::Errc::kUnsupported, "libcrypt has no yescrypt: install libcrypt1 4.4");
  return *std::move(hash);
}

}  // namespace auth
