#include "auth/authenticator.h"

#include <array>
#include <memory>
#include <span>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "async/deadline.h"
#include "auth/guessing_limit.h"
#include "auth/hashing_queue.h"
#include "auth/password_hash.h"
#include "auth/scram_exchange.h"
#include "auth/scram_keys.h"
#include "base/bounded_table.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/guarded.h"
#include "base/log.h"
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

constexpr std::size_t kSaltBytes = 16;

std::string RandomBytes(std::size_t size) {
  std::string bytes(size, '\0');
  base::SecureRandom(std::as_writable_bytes(std::span(bytes)));
  return bytes;
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
    if (options.scram_secret.empty()) secret = RandomBytes(kScramHashBytes);
  }

  std::string CacheKey(const std::string& account, const std::string& password, const std::string& hash) const;
  bool IsCached(const std::string& cache_key);
  // Waits for as long as the attempt has to.
  Task<Result<>> WaitForTurn(const GuessingLimit::Attempt* attempt);
  void Count(const GuessingLimit::Attempt& attempt, bool is_right);
  // Empty: no such account.
  Task<Result<std::optional<Credentials>>> Find(std::string account);
  Task<Result<bool>> Matches(const GuessingLimit::Attempt* attempt, std::string password,
                             std::optional<Credentials> credentials);
  Task<void> AddScramKeys(std::string account, Credentials credentials);
  // Those of the account, or made up ones that nobody can prove a password of.
  ScramKeys KeysOf(const std::string& account, const std::optional<Credentials>& credentials) const;

  Directory* directory;
  const base::Clock* clock;
  const AuthenticatorOptions options;
  std::string secret = options.scram_secret;
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
  CO_RETURN_IF_ERROR(co_await state.WaitForTurn(&attempt));
  ASSIGN_OR_CO_RETURN(std::optional<Credentials> credentials, co_await state.Find(account));
  ASSIGN_OR_CO_RETURN(const bool matches,
                      co_await state.Matches(&attempt, std::move(password), std::move(credentials)));
  state.Count(attempt, matches);
  if (!matches) co_return Wrong();
  co_return account;
}

bool Authenticator::OffersScram() const {
  switch (state_->options.scram) {
    case ScramOffer::kOff:
      return false;
    case ScramOffer::kOn:
      return true;
    case ScramOffer::kAuto:
      break;
  }
  return state_->directory->AllHaveScramKeys();
}

Task<Result<std::string>> Authenticator::BeginScram(ScramExchange* exchange) {
  const std::string account = Canonical(exchange->username());
  ASSIGN_OR_CO_RETURN(const std::optional<Credentials> credentials, co_await state_->Find(account));
  co_return exchange->Challenge(state_->KeysOf(account, credentials));
}

Task<Result<Authenticator::ScramOutcome>> Authenticator::FinishScram(const ScramExchange* exchange,
                                                                     std::string client_final, std::string client_ip) {
  State& state = *state_;
  const std::string account = Canonical(exchange->username());
  const GuessingLimit::Attempt attempt = GuessingLimit::MakeAttempt(account, client_ip);
  CO_RETURN_IF_ERROR(co_await state.WaitForTurn(&attempt));
  // Once more: the password may have been changed, or the account removed, since the challenge.
  ASSIGN_OR_CO_RETURN(const std::optional<Credentials> credentials, co_await state.Find(account));
  auto message = exchange->Finish(client_final, state.KeysOf(account, credentials));
  if (!message.has_value() && message.error().code() == Errc::kInvalid) co_return std::move(message).error();
  state.Count(attempt, message.has_value());
  if (!message.has_value()) co_return Wrong();
  co_return ScramOutcome{.account = account, .message = *std::move(message)};
}

Result<Credentials> Authenticator::MakeCredentials(const std::string& password) const {
  Credentials credentials;
  ASSIGN_OR_RETURN(credentials.password_hash, HashPassword(password));
  if (state_->options.scram != ScramOffer::kOff) {
    credentials.scram_keys =
        DeriveScramKeys(password, RandomBytes(kSaltBytes), state_->options.scram_iterations).ToText();
  }
  return credentials;
}

void Authenticator::Forget(const std::string& address) {
  const std::string account = Canonical(address);
  state_->memory.With([&](State::Memory& memory) {
    memory.guessing.Forget(account);
    memory.verified.EraseIf([&](const std::string&, const State::Verified& v) { return v.account == account; });
  });
}

Task<Result<>> Authenticator::State::WaitForTurn(const GuessingLimit::Attempt* attempt) {
  ASSIGN_OR_CO_RETURN(const std::chrono::milliseconds delay,
                      memory.With([&](Memory& m) { return m.guessing.Reserve(*attempt, clock->SteadyNow()); }));
  if (delay <= std::chrono::milliseconds(0)) co_return Result<>();
  if (options.wait) {
    co_await options.wait(delay);
  } else {
    co_await async::Sleep(delay);
  }
  co_return Result<>();
}

void Authenticator::State::Count(const GuessingLimit::Attempt& attempt, bool is_right) {
  memory.With([&](Memory& m) {
    if (is_right) {
      m.guessing.Succeeded(attempt, clock->SteadyNow());
    } else {
      m.guessing.Failed(attempt, clock->SteadyNow());
    }
  });
}

Task<Result<std::optional<Credentials>>> Authenticator::State::Find(std::string account) {
  auto found = co_await directory->Find(std::move(account));
  if (found.has_value()) co_return std::optional(*std::move(found));
  if (found.error().code() == Errc::kNotFound) co_return std::optional<Credentials>();
  co_return std::move(found).error().In("look up the account");
}

Task<Result<bool>> Authenticator::State::Matches(const GuessingLimit::Attempt* attempt, std::string password,
                                                 std::optional<Credentials> credentials) {
  if (!credentials.has_value()) {
    co_return co_await hashing.Run(attempt->network, [password] {
      PretendToMatch(password);
      return false;
    });
  }
  const std::string& hash = credentials->password_hash;
  // The hash is part of the key: after a change of password the old entry matches nothing, whoever forgot to say
  // Forget().
  const std::string cache_key = CacheKey(attempt->account, password, hash);
  if (IsCached(cache_key)) co_return true;
  const bool wants_keys = credentials->scram_keys.empty() && options.scram_upgrade && options.scram != ScramOffer::kOff;
  // Shared with the job, which goes on if this task is given up.
  const auto keys = std::make_shared<std::string>();
  ASSIGN_OR_CO_RETURN(const bool matches,
                      co_await hashing.Run(attempt->network, [password, hash, keys, this, wants_keys] {
                        if (!MatchesHash(password, hash)) return false;
                        if (wants_keys) {
                          *keys = DeriveScramKeys(password, RandomBytes(kSaltBytes), options.scram_iterations).ToText();
                        }
                        return true;
                      }));
  if (!matches) co_return false;
  memory.With([&](Memory& m) {
    m.verified.Touch(cache_key) = {.account = attempt->account, .until = clock->SteadyNow() + options.cache_ttl};
  });
  if (wants_keys) {
    credentials->scram_keys = std::move(*keys);
    co_await AddScramKeys(attempt->account, *std::move(credentials));
  }
  co_return true;
}

// Nobody is kept from logging in by it: it is tried again when the password is no longer cached.
Task<void> Authenticator::State::AddScramKeys(std::string account, Credentials credentials) {
  const auto added = co_await directory->AddScramKeys(account, std::move(credentials));
  if (added.has_value()) {
    base::LogInfo("scram_keys_added", {{"account", account}});
  } else {
    base::LogWarning("scram_keys_not_added", {{"account", account}, {"error", added.error().message()}});
  }
}

ScramKeys Authenticator::State::KeysOf(const std::string& account,
                                       const std::optional<Credentials>& credentials) const {
  // Made up in any case, so that it takes its time in any case. The salt stays: a name that has another one each time
  // would be known to have no account (RFC 5802 §9).
  ScramKeys keys{.iterations = options.scram_iterations,
                 .salt = std::string(View(ScramHmac(secret, "salt " + account)).substr(0, kSaltBytes)),
                 .stored_key = ScramHmac(View(ScramDigest(secret)), "stored key " + account),
                 .server_key = ScramHmac(View(ScramDigest(secret)), "server key " + account)};
  const auto own = ScramKeys::Parse(credentials.has_value() ? credentials->scram_keys : std::string());
  return own.value_or(std::move(keys));
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
