#include "mail/digest.h"

#include <algorithm>

#include <openssl/evp.h>

#include "base/check.h"

namespace mail {
namespace {

// Fetched once: EVP_sha256() looks the algorithm up anew at each use (OpenSSL 3).
const EVP_MD* Sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(digest != nullptr);
  return digest;
}

}  // namespace

struct Digest::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() { Begin(); }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  void Begin() { CHECK(evp != nullptr && EVP_DigestInit_ex2(evp, Sha256(), nullptr) == 1); }
};

Digest::Digest() : context_(std::make_unique<Context>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::Begin() {
  context_->Begin();
}

void Digest::Update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::array<std::uint8_t, 16> Digest::Finish() {
  std::array<std::uint8_t, 32> whole{};
  CHECK(EVP_DigestFinal_ex(context_->evp, whole.data(), nullptr) == 1);
  context_->Begin();
  std::array<std::uint8_t, 16> half{};
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

}  // namespace mail
