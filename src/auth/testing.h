// For tests of auth and of the sessions that use it: accounts in memory, and a client that speaks SCRAM.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "auth/authenticator.h"
#include "auth/scram_keys.h"
#include "base/base64.h"

namespace auth {

// Thread: the test's.
class MapDirectory final : public Directory {
 public:
  async::Task<base::Result<Credentials>> Find(std::string address) override {
    lookups += 1;
    if (failure.has_value()) co_return base::Error(*failure, "the directory is down");
    const auto found = accounts.find(address);
    if (found == accounts.end()) co_return base::Error(base::Errc::kNotFound, "no such account");
    co_return found->second;
  }
  async::Task<base::Result<>> AddScramKeys(std::string address, Credentials credentials) override {
    keys_added += 1;
    if (failure_to_add.has_value()) co_return base::Error(*failure_to_add, "nothing can be written");
    accounts[address] = std::move(credentials);
    co_return base::Result<>();
  }
  bool AllHaveScramKeys() const override {
    return std::ranges::none_of(accounts, [](const auto& account) { return account.second.scram_keys.empty(); });
  }

  void Add(const std::string& address, const std::string& password, bool with_keys = false) {
    Credentials& account = accounts[address];
    account.password_hash = HashPassword(password).value();
    account.scram_keys = with_keys ? DeriveScramKeys(password, "0123456789abcdef", 4096).ToText() : "";
  }

  std::map<std::string, Credentials> accounts;
  std::optional<base::Errc> failure;
  std::optional<base::Errc> failure_to_add;
  int lookups = 0;
  int keys_added = 0;
};

// The client's side of RFC 5802.
class ScramClient {
 public:
  ScramClient(std::string username, std::string password, std::string nonce = "rOprNGfwEbeRWgbNEkqO")
      : password_(std::move(password)), first_bare_("n=" + std::move(username) + ",r=" + std::move(nonce)) {}

  std::string First() const { return "n,," + first_bare_; }
  std::string Final(const std::string& server_first) {
    const std::size_t salt = server_first.find(",s=");
    const std::size_t iterations = server_first.find(",i=", salt);
    const std::string without_proof = "c=biws," + server_first.substr(0, salt);
    authenticated_ = first_bare_ + ',' + server_first + ',' + without_proof;
    const std::string decoded = base::DecodeBase64(server_first.substr(salt + 3, iterations - salt - 3)).value();
    const auto rounds = static_cast<std::uint32_t>(std::stoul(server_first.substr(iterations + 3)));
    // The client key is nothing that a server knows; here it is made the same way as the server's.
    keys_ = DeriveScramKeys(password_, decoded, rounds);
    ScramHash proof = ClientKey(decoded, rounds);
    const ScramHash signature = ScramHmac(View(keys_.stored_key), authenticated_);
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    return without_proof + ",p=" + base::EncodeBase64(View(proof));
  }
  // Whether the server has shown that it knows the password's keys too.
  bool Believes(const std::string& server_final) const {
    return server_final == "v=" + base::EncodeBase64(View(ScramHmac(View(keys_.server_key), authenticated_)));
  }

 private:
  // RFC 5802 §3, Hi() written out. For passwords of ASCII.
  ScramHash ClientKey(const std::string& salt, std::uint32_t rounds) const {
    ScramHash block = ScramHmac(password_, salt + std::string("\0\0\0\1", 4));
    ScramHash salted = block;
    for (std::uint32_t i = 1; i < rounds; ++i) {
      block = ScramHmac(password_, View(block));
      for (std::size_t k = 0; k < salted.size(); ++k) salted[k] = static_cast<char>(salted[k] ^ block[k]);
    }
    return ScramHmac(View(salted), "Client Key");
  }

  std::string password_;
  std::string first_bare_;
  std::string authenticated_;
  ScramKeys keys_;
};

}  // namespace auth
