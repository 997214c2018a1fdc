// ScramKeys: what a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace auth {

inline constexpr std::size_t kScramHashBytes = 32;  // SHA-256.
inline constexpr std::uint32_t kScramIterationsMax = 10'000'000;
using ScramHash = std::array<char, kScramHashBytes>;

// From these nobody can log in, but whoever has them can try passwords against them, at `iterations` hashes each.
struct ScramKeys {
  std::uint32_t iterations = 0;
  std::string salt;
  ScramHash stored_key{};
  ScramHash server_key{};

  // "SCRAM-SHA-256$15000:SALT$STOREDKEY:SERVERKEY", the last three in base64: docs/format/store.md.
  std::string ToText() const;
  // Empty: it is not of this form.
  static std::optional<ScramKeys> Parse(std::string_view text);
};

// Slow by `iterations`: call it on a worker. The password is prepared with SASLprep (RFC 4013). One that SASLprep
// refuses (a control character, no UTF-8) is taken as its bytes, which is what clients do that take it at all.
ScramKeys DeriveScramKeys(std::string_view password, std::string salt, std::uint32_t iterations);

// HMAC-SHA-256 and SHA-256.
ScramHash ScramHmac(std::string_view key, std::string_view text);
ScramHash ScramDigest(std::string_view bytes);
inline std::string_view View(const ScramHash& hash) {
  return {hash.data(), hash.size()};
}

}  // namespace auth
