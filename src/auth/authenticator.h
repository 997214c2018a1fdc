// Authenticator: who a client is. Verifies passwords against crypt(5) hashes without ever blocking a shard.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/clock.h"
#include "base/result.h"

namespace auth {

class ScramExchange;

// What an account's password is checked against.
struct Credentials {
  std::string password_hash;  // crypt(5).
  std::string scram_keys;     // ScramKeys::ToText(); empty: none.
};

// What the authenticator needs of the accounts; implemented above (src/app) over store::MailStore.
// Thread: any shard. Fault model: may be slow, may fail (kIo: the client gets a temporary failure, never "wrong
// password").
class Directory {
 public:
  virtual ~Directory() = default;
  // What the account with this address has. Errors: kNotFound, kIo, kBusy.
  virtual async::Task<base::Result<Credentials>> Find(std::string address) = 0;
  // Keeps the keys if the account has this hash still, and no keys. Errors: kNotFound, kIo, kBusy.
  virtual async::Task<base::Result<>> AddScramKeys(std::string address, Credentials credentials) = 0;
  // Whether everybody who can log in with a password can with SCRAM too. Asked for at every greeting.
  virtual bool AllHaveScramKeys() const = 0;
};

enum class ScramOffer : std::uint8_t {
  kAuto,  // While all accounts have keys: a client that prefers SCRAM would be refused where an account has none.
  kOn,
  kOff,  // And no keys are made.
};

struct AuthenticatorOptions {
  std::uint32_t hashing_threads = 1;
  std::uint32_t hashing_jobs_max = 4096;             // Waiting to be verified. Past it: kBusy, a temporary failure.
  std::uint32_t hashing_jobs_per_network_max = 256;  // Those of one client network, past which it alone gets kBusy.
  std::uint32_t cache_entries_max = 100'000;         // Verified passwords, as keyed hashes in memory only.
  std::chrono::seconds cache_ttl{600};
  std::uint32_t failures_free = 3;               // By network, by account, by both: before answers are slowed.
  std::chrono::milliseconds delay_min{500};      // Doubles with each failure ...
  std::chrono::milliseconds delay_max{15'000};   // ... up to this.
  std::chrono::seconds failures_ttl{900};        // Forgiven after so long without another one.
  std::chrono::hours known_ttl{24 * 30};         // A network that an account logged in from is known for so long.
  std::uint32_t failures_tracked_max = 100'000;  // Networks and accounts remembered; the oldest are forgotten first.
  ScramOffer scram = ScramOffer::kAuto;
  std::uint32_t scram_iterations = 15'000;  // RFC 7677 §4. Of keys that are made from now on.
  bool scram_upgrade = true;                // An account without keys gets them when its password is verified.
  // Makes up the salts of names that no account has. Kept by the node, so that they stay as those of accounts do;
  // empty: of this process.
  std::string scram_secret;
  // How an answer is made late; empty: async::Sleep. Tests record instead of sleeping.
  std::function<async::Task<void>(std::chrono::milliseconds)> wait = nullptr;
};

// Who fails is slowed before the password is even looked at, so that a fast answer never says "wrong" early. How long
// an attempt waits is the longest of three, each doubling with the failures counted for it up to delay_max:
//   its network (IPv4 /24, IPv6 /64), its account: a wait, however many others wait as well;
//   its account from its network: a row. One attempt after the other, and kBusy when the row reaches past delay_max.
// A client that logged in lately to this account from this network is judged by the row of that alone: guessing by
// others does not hold it up. (Known in memory only: after a restart it is a stranger once.)
//
// So a right password is let in after delay_max at most (15 s), also from a network that guesses at other accounts;
// from one that guesses at this very account it takes its place in the row (at most 2 x delay_max) or gets kBusy. In
// return a network may guess at as many accounts side by side as it has connections (net::ConnectionLimitOptions), each
// account on its own at one guess per delay_max.
//
// SCRAM-SHA-256 (docs/decisions/0026-scram.md) costs no hash and waits in no row of hashes, only for its guesses.
//
// Passwords that are not cached are hashed in turns by network (HashingQueue): whoever floods one network's row, with
// guesses or with right passwords, holds up a login from another by the hash that is being computed.
//
// Thread: one instance a shard or shared by all; every call may come from any shard (state is behind a short lock,
// never held across a wait). Must outlive the tasks that called it.
class Authenticator {
 public:
  // `directory` and `clock` are borrowed and outlive this.
  Authenticator(Directory* directory, const base::Clock* clock, AuthenticatorOptions options);
  ~Authenticator();

  // Verifies, and returns the account's address in its canonical form (mail::Address::CanonicalKey, as the directory is
  // asked for it). A wrong password and an unknown account take the same time.
  // Errors: kDenied (wrong), kBusy (one of the limits above), kIo: both mean try again later.
  async::Task<base::Result<std::string>> Verify(std::string address, std::string password, std::string client_ip);

  bool OffersScram() const;
  // The two halves of a SCRAM-SHA-256 login, for ScramLogin. A name that no account has, and an account without keys,
  // are asked to prove a password all the same, and take the same time; guesses are counted and slowed as those of
  // Verify() are. No password is hashed here. Errors: as ScramLogin::Step.
  struct ScramOutcome {
    std::string account;  // Canonical, as from Verify().
    std::string message;  // The server-final-message.
  };
  async::Task<base::Result<std::string>> BeginScram(ScramExchange* exchange);
  async::Task<base::Result<ScramOutcome>> FinishScram(const ScramExchange* exchange, std::string client_final,
                                                      std::string client_ip);

  // A new password's hash, and its keys unless SCRAM is off. Slow: call it on a worker. Errors: as HashPassword.
  base::Result<Credentials> MakeCredentials(const std::string& password) const;

  // Forgets what is cached for an account whose password or existence changed.
  void Forget(const std::string& address);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A new yescrypt hash (crypt_gensalt of libcrypt, default cost). Slow: call it on a worker.
base::Result<std::string> HashPassword(const std::string& password);

// RFC 4616: "authzid NUL authcid NUL password", already base64-decoded. authzid must be empty or equal authcid.
struct PlainCredentials {
  std::string address;
  std::string password;
};
base::Result<PlainCredentials> ParsePlain(std::string_view message);

}  // namespace auth
