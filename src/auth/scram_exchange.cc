#include "auth/scram_exchange.h"

#include <algorithm>
#include <optional>

#include <openssl/crypto.h>

#include "base/base64.h"

namespace auth {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr std::size_t kNonceBytesMax = 512;  // Of the client; they send 18 to 64.

Error Malformed(std::string_view what) {
  return Error(Errc::kInvalid, "the SCRAM message is malformed: " + std::string(what));
}

// Takes "x=value" off the front, up to a comma or the end. Empty: another attribute stands there.
std::optional<std::string_view> TakeAttribute(std::string_view& text, char name) {
  if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
  const std::string_view value =
      text.substr(2, text.find(',') == std::string_view::npos ? text.npos : text.find(',') - 2);
  text.remove_prefix(std::min(text.size(), value.size() + 3));
  return value;
}

// RFC 5802 §5.1: "=2C" is a comma, "=3D" an equals sign, and nothing else begins with one.
std::optional<std::string> Unquote(std::string_view saslname) {
  std::string name;
  for (std::size_t i = 0; i < saslname.size(); ++i) {
    if (saslname[i] == '\0') return std::nullopt;
    if (saslname[i] != '=') {
      name += saslname[i];
      continue;
    }
    const std::string_view code = saslname.substr(i, 3);
    if (code != "=2C" && code != "=3D") return std::nullopt;
    name += code == "=2C" ? ',' : '=';
    i += 2;
  }
  if (name.empty()) return std::nullopt;
  return name;
}

bool IsNonce(std::string_view text) {
  const auto is_printable = [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; };
  return !text.empty() && text.size() <= kNonceBytesMax && std::ranges::all_of(text, is_printable);
}

// "n,," or "y,a=name,": takes it off the front and returns the name that the client wants to act as (may be empty).
Result<std::string> TakeGs2Header(std::string_view& text) {
  if (text.starts_with("p=")) return Error(Errc::kInvalid, "channel binding is not offered: use SCRAM-SHA-256");
  if (!text.starts_with("n,") && !text.starts_with("y,")) return Malformed("it does not begin with n, or y,");
  text.remove_prefix(2);
  if (text.starts_with(',')) {
    text.remove_prefix(1);
    return std::string();
  }
  const bool has_end = text.find(',') != std::string_view::npos;
  const auto quoted = TakeAttribute(text, 'a');
  if (!quoted.has_value() || !has_end) return Malformed("the name to act as");
  auto name = Unquote(*quoted);
  if (!name.has_value()) return Malformed("the name to act as");
  return *std::move(name);
}

}  // namespace

Result<ScramExchange> ScramExchange::Begin(std::string_view client_first, std::string_view server_nonce) {
  if (client_first.size() > kMessageBytesMax) return Malformed("it is too long");
  ScramExchange exchange;
  std::string_view rest = client_first;
  ASSIGN_OR_RETURN(const std::string acts_as, TakeGs2Header(rest));
  exchange.gs2_header_ = client_first.substr(0, client_first.size() - rest.size());
  exchange.client_first_bare_ = rest;
  if (rest.starts_with("m=")) return Error(Errc::kInvalid, "the SCRAM message needs an extension that is not known");
  const auto quoted = TakeAttribute(rest, 'n');
  if (!quoted.has_value()) return Malformed("the user name");
  auto username = Unquote(*quoted);
  if (!username.has_value()) return Malformed("the user name");
  if (!acts_as.empty() && acts_as != *username) {
    return Error(Errc::kInvalid, "logging in as one user on behalf of another is not supported");
  }
  // What follows the nonce are extensions, which may be ignored (RFC 5802 §5.1).
  const auto nonce = TakeAttribute(rest, 'r');
  if (!nonce.has_value() || !IsNonce(*nonce)) return Malformed("the nonce");
  exchange.username_ = *std::move(username);
  exchange.nonce_.append(*nonce).append(server_nonce);
  return exchange;
}

std::string ScramExchange::Challenge(const ScramKeys& keys) {
  server_first_ = "r=" + nonce_ + ",s=" + base::EncodeBase64(keys.salt) + ",i=" + std::to_string(keys.iterations);
  return server_first_;
}

Result<std::string> ScramExchange::Finish(std::string_view client_final, const ScramKeys& keys) const {
  if (client_final.size() > kMessageBytesMax) return Malformed("it is too long");
  std::string_view rest = client_final;
  const auto binding = TakeAttribute(rest, 'c');
  // Not what was said at first: somebody stands between (RFC 5802 §6).
  if (!binding.has_value() || *binding != base::EncodeBase64(gs2_header_)) return Malformed("the channel binding");
  const auto nonce = TakeAttribute(rest, 'r');
  if (!nonce.has_value() || *nonce != nonce_) return Malformed("the nonce is not that of this exchange");
  const std::size_t proof_at = client_final.rfind(",p=");
  if (proof_at == std::string_view::npos) return Malformed("there is no proof");
  const auto proof = base::DecodeBase64(client_final.substr(proof_at + 3));
  if (!proof.has_value() || proof->size() != kScramHashBytes) return Malformed("the proof");

  const std::string authenticated =
      client_first_bare_ + ',' + server_first_ + ',' + std::string(client_final.substr(0, proof_at));
  const ScramHash signature = ScramHmac(View(keys.stored_key), authenticated);
  ScramHash client_key{};
  for (std::size_t i = 0; i < client_key.size(); ++i) {
    client_key[i] = static_cast<char>(proof->at(i) ^ signature[i]);
  }
  const ScramHash shown = ScramDigest(View(client_key));
  if (::CRYPTO_memcmp(shown.data(), keys.stored_key.data(), shown.size()) != 0) {
    return Error(Errc::kDenied, "the address or the password is wrong");
  }
  return "v=" + base::EncodeBase64(View(ScramHmac(View(keys.server_key), authenticated)));
}

}  // namespace auth
