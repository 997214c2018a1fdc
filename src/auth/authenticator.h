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

// What the authenticator needs of the accounts; implemented above (src/app) over store::MailStore.
// Thread: any shard. Fault model: may be slow, may fail (kIo: the client gets a temporary failure, never "wrong
// password").
class Directory {
 public:
  virtual ~Directory() = default;
  // The crypt(5) hash of the account with this address. Errors: kNotFound, kIo, kBusy.
  virtual async::Task<base::Result<std::string>> PasswordHash(std::string address) = 0;
};

struct AuthenticatorOptions {
  std::uint32_t hashing_threads = 1;
  std::uint32_t hashing_jobs_max = 256;       // Past it: kBusy, a temporary failure to the client.
  std::uint32_t cache_entries_max = 100'000;  // Verified passwords, as keyed hashes in memory only.
  std::chrono::seconds cache_ttl{600};
  std::uint32_t failures_free = 3;               // By client network and by account, before answers are slowed.
  std::chrono::milliseconds delay_min{500};      // Doubles with each failure ...
  std::chrono::milliseconds delay_max{15'000};   // ... up to this.
  std::chrono::seconds failures_ttl{900};        // Forgiven after so long without another one.
  std::chrono::hours known_ttl{24 * 30};         // A network that an account logged in from is known for so long.
  std::uint32_t failures_tracked_max = 100'000;  // Networks and accounts remembered; the oldest are forgotten first.
  // How an answer is made late; empty: async::Sleep. Tests record instead of sleeping.
  std::function<async::Task<void>(std::chrono::milliseconds)> wait = nullptr;
};

// Who fails is slowed before the password is even looked at, so that a fast answer never says "wrong" early: an attempt
// waits for the failures of its network (IPv4 /24, IPv6 /64) and of its account, doubling. A client that logged in
// lately to this account from this network is judged by its own failures alone: guessing by others does not lock it
// out.
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
  // Errors: kDenied (wrong), kBusy (also: too many guesses wait from this network), kIo: try again later.
  async::Task<base::Result<std::string>> Verify(std::string address, std::string password, std::string client_ip);

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
