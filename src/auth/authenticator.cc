#include "auth/authenticator.h"

#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "async/deadline.h"
#include "auth/guessing_limit.h"
#include "auth/hashing_queue.h"
#include "auth/password_hash.h"
#include "base/bounded_table.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/guarded.h"
#include "base/random.h"
#include "mail/address.h"

namespace auth {
namespace {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

// The form that the directory knows. A name that is no address stays as it is: no account has it.
std::string Canonical(const std::string& name) {
  const auto address = mail::Address::Parse(name, {.utf8 = true});
  return address.has_value() ? address->CanonicalKey() : name;
}

Error Wrong() {
  return Error(Errc::kDenied, "the address or the password is wrong");
}

}  // namespace

struct Authenticator::State {
  struct Verified {
    std::string account;
    base::SteadyTime until;
  };
  struct Memory {
    explicit Memory(const AuthenticatorOptions& options) : guessing(options), verified(options.cache_entries_max) {}
    GuessingLimit guessing;
    base::BoundedTable<Verified> verified;  // By the keyed hash of account, password and password hash.
  };

  State(Directory* from, const base::Clock* with, AuthenticatorOptions by)
      : directory(from),
        clock(with),
        options(std::move(by)),
        memory(options),
        hashing({.threads = options.hashing_threads,
                 .jobs_max = options.hashing_jobs_max,
                 .jobs_per_network_max = options.hashing_jobs_per_network_max}) {
    base::SecureRandom(key);
  }

  std::string CacheKey(const std::string& account, const std::string& password, const std::string& hash) const;
  bool IsCached(const std::string& cache_key);
  Task<Result<bool>> Matches(GuessingLimit::Attempt attempt, std::string password, std::optional<std::string> hash);

  Directory* directory;
  const base::Clock* clock;
  const AuthenticatorOptions options;
  std::array<std::byte, 32> key;  // Of this process only: what a core dump shows of the cache cannot be looked up.
  base::Guarded<Memory> memory;
  HashingQueue hashing;
};

Authenticator::Authenticator(Directory* directory, const base::Clock* clock, AuthenticatorOptions options)
    : state_(std::make_unique<State>(directory, clock, std::move(options))) {}

Authenticator::~Authenticator() = default;

Task<Result<std::string>> Authenticator::Verify(std::string address, std::string password, std::string client_ip) {
  State& state = *state_;
  const std::string account = Canonical(address);
  const GuessingLimit::Attempt attempt = GuessingLimit::MakeAttempt(account, client_ip);
  ASSIGN_OR_CO_RETURN(const std::chrono::milliseconds delay, state.memory.With([&](State::Memory& memory) {
    return memory.guessing.Reserve(attempt, state.clock->SteadyNow());
  }));
  if (delay > std::chrono::milliseconds(0)) {
    if (state.options.wait) {
      co_await state.options.wait(delay);
    } else {
      co_await async::Sleep(delay);
    }
  }

  auto hash = co_await state.directory->PasswordHash(account);
  std::optional<std::string> known_hash;
  if (hash.has_value()) {
    known_hash = *std::move(hash);
  } else if (hash.error().code() != Errc::kNotFound) {
    co_return std::move(hash).error().In("look up the account");
  }
  ASSIGN_OR_CO_RETURN(const bool matches, co_await state.Matches(attempt, std::move(password), std::move(known_hash)));
  state.memory.With([&](State::Memory& memory) {
    if (matches) {
      memory.guessing.Succeeded(attempt, state.clock->SteadyNow());
    } else {
      memory.guessing.Failed(attempt, state.clock->SteadyNow());
    }
  });
  if (!matches) co_return Wrong();
  co_return account;
}

void Authenticator::Forget(const std::string& address) {
  const std::string account = Canonical(address);
  state_->memory.With([&](State::Memory& memory) {
    memory.guessing.Forget(account);
    memory.verified.EraseIf([&](const std::string&, const State::Verified& v) { return v.account == account; });
  });
}

Task<Result<bool>> Authenticator::State::Matches(GuessingLimit::Attempt attempt, std::string password,
                                                 std::optional<std::string> hash) {
  if (!hash.has_value()) {
    co_return co_await hashing.Run(attempt.network, [password] {
      PretendToMatch(password);
      return false;
    });
  }
  // The hash is part of the key: after a change of password the old entry matches nothing, whoever forgot to say
  // Forget().
  const std::string cache_key = CacheKey(attempt.account, password, *hash);
  if (IsCached(cache_key)) co_return true;
  ASSIGN_OR_CO_RETURN(const bool matches,
                      co_await hashing.Run(attempt.network, [password, hash] { return MatchesHash(password, *hash); }));
  if (matches) {
    memory.With([&](Memory& m) {
      m.verified.Touch(cache_key) = {.account = attempt.account, .until = clock->SteadyNow() + options.cache_ttl};
    });
  }
  co_return matches;
}

std::string Authenticator::State::CacheKey(const std::string& account, const std::string& password,
                                           const std::string& hash) const {
  std::string fields;
  base::Encoder encoder(fields);
  encoder.Text(account);
  encoder.Text(password);
  encoder.Text(hash);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(fields.data());
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, fields.size(), digest, &size) != nullptr);
  OPENSSL_cleanse(fields.data(), fields.size());
  return {reinterpret_cast<const char*>(digest), size};
}

bool Authenticator::State::IsCached(const std::string& cache_key) {
  return memory.With([&](Memory& m) {
    const Verified* const verified = m.verified.Find(cache_key);
    return verified != nullptr && clock->SteadyNow() < verified->until;
  });
}

Result<PlainCredentials> ParsePlain(std::string_view message) {
  const Error malformed(Errc::kInvalid, "the PLAIN message is not authzid NUL authcid NUL password");
  const std::size_t first = message.find('\0');
  if (first == std::string_view::npos) return Error(malformed);
  const std::size_t second = message.find('\0', first + 1);
  if (second == std::string_view::npos) return Error(malformed);
  const std::string_view authzid = message.substr(0, first);
  const std::string_view authcid = message.substr(first + 1, second - first - 1);
  const std::string_view password = message.substr(second + 1);
  if (authcid.empty() || password.empty() || password.find('\0') != std::string_view::npos) return Error(malformed);
  if (!authzid.empty() && authzid != authcid) {
    return Error(Errc::kInvalid, "logging in as one user on behalf of another is not supported");
  }
  return PlainCredentials{.address = std::string(authcid), .password = std::string(password)};
}

}  // namespace auth
