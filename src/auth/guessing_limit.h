// GuessingLimit: how long each attempt to log in has to wait, from what failed before.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "auth/authenticator.h"
#include "base/bounded_table.h"
#include "base/clock.h"
#include "base/result.h"

namespace auth {

// A pure state machine: time comes in with each call. Failures are counted for the client's network, for the account,
// and for the two together (a pair).
//
// Attempts of one pair are put in a row once it is over the free failures, so that opening many connections guesses at
// an account no faster than one. Those of a network or an account only wait (capped): neither a neighbour nor a botnet
// must be able to lock somebody out. From a success on, the pair is known and its own failures alone are judged.
//
// Thread: the owner's. Memory: 4 x failures_tracked_max entries of about 200 bytes.
class GuessingLimit {
 public:
  explicit GuessingLimit(const AuthenticatorOptions& options);

  struct Attempt {
    std::string account;
    std::string network;
  };
  static Attempt MakeAttempt(std::string account, const std::string& client_ip);

  // What the attempt has to wait before it is verified: at most delay_max, and 2 x delay_max in the row of a pair.
  // Errors: kBusy (others of the pair wait for longer than delay_max already).
  base::Result<std::chrono::milliseconds> Reserve(const Attempt& attempt, base::SteadyTime now);
  void Failed(const Attempt& attempt, base::SteadyTime now);
  void Succeeded(const Attempt& attempt, base::SteadyTime now);

  // The account's known networks and its failures; those of the networks stay.
  void Forget(const std::string& account);

 private:
  struct Failures {
    std::uint32_t count = 0;
    base::SteadyTime last{};
    base::SteadyTime next_start{};
  };

  static std::string PairKey(const Attempt& attempt);
  // Null when nothing is to be counted against: no entry, or one that is forgiven by now.
  Failures* Live(base::BoundedTable<Failures>& table, const std::string& key, base::SteadyTime now);
  // Null unless the account has logged in from this network lately.
  Failures* Known(const Attempt& attempt, base::SteadyTime now);
  // What the failures of `key` make an attempt wait, whoever else waits.
  std::chrono::milliseconds DelayFrom(base::BoundedTable<Failures>& table, const std::string& key,
                                      base::SteadyTime now);
  void Count(base::BoundedTable<Failures>& table, const std::string& key, base::SteadyTime now);
  std::chrono::milliseconds DelayOf(std::uint32_t failures) const;
  // Takes the next place in the row of `failures` and returns the time until it.
  std::chrono::milliseconds NextPlace(Failures& failures, base::SteadyTime now) const;

  const std::uint32_t failures_free_;
  const std::chrono::milliseconds delay_min_;
  const std::chrono::milliseconds delay_max_;
  const std::chrono::seconds ttl_;
  const std::chrono::seconds known_ttl_;
  base::BoundedTable<Failures> networks_;
  base::BoundedTable<Failures> accounts_;
  base::BoundedTable<Failures>
      pairs_;  // Without a success. Apart from `known_`, so that guesses cannot push those out.
  base::BoundedTable<Failures> known_;  // Pairs that logged in; `last` is then the success or a failure since.
};

}  // namespace auth
