#include "auth/guessing_limit.h"

#include <algorithm>

#include "net/network.h"

namespace auth {

namespace {
constexpr std::size_t kNameBytesMax = 256;
}  // namespace

using std::chrono::milliseconds;

GuessingLimit::GuessingLimit(const AuthenticatorOptions& options)
    : failures_free_(options.failures_free),
      delay_min_(options.delay_min),
      delay_max_(options.delay_max),
      ttl_(options.failures_ttl),
      known_ttl_(options.known_ttl),
      networks_(options.failures_tracked_max),
      accounts_(options.failures_tracked_max),
      pairs_(options.failures_tracked_max),
      known_(options.failures_tracked_max) {}

GuessingLimit::Attempt GuessingLimit::MakeAttempt(std::string account, const std::string& client_ip) {
  // No account has a longer name, so what is remembered of one is enough; else strangers would choose how much memory
  // each of their failures takes.
  account.resize(std::min(account.size(), kNameBytesMax));
  return {.account = std::move(account), .network = net::ClientNetwork(client_ip, {.v4 = 24, .v6 = 64})};
}

base::Result<milliseconds> GuessingLimit::Reserve(const Attempt& attempt, base::SteadyTime now) {
  Failures* const known = Known(attempt, now);
  Failures* const row = known != nullptr ? known : Live(pairs_, PairKey(attempt), now);
  milliseconds delay{0};
  if (row != nullptr && row->count >= failures_free_) {
    if (row->next_start > now + delay_max_) {
      return base::Error(base::Errc::kBusy,
                         "too many failed logins to this account from your network, try again later");
    }
    delay = NextPlace(*row, now);
  }
  if (known != nullptr) return delay;
  return std::max({delay, DelayFrom(networks_, attempt.network, now), DelayFrom(accounts_, attempt.account, now)});
}

void GuessingLimit::Failed(const Attempt& attempt, base::SteadyTime now) {
  if (Failures* const known = Known(attempt, now)) {
    known->count += 1;
    known->last = now;
    return;
  }
  Count(pairs_, PairKey(attempt), now);
  Count(networks_, attempt.network, now);
  Count(accounts_, attempt.account, now);
}

void GuessingLimit::Succeeded(const Attempt& attempt, base::SteadyTime now) {
  // The network's and the account's failures stay: else a guesser who owns one account would wipe them with it.
  known_.Touch(PairKey(attempt)) = {.last = now};
}

void GuessingLimit::Forget(const std::string& account) {
  accounts_.EraseIf([&](const std::string& key, const Failures&) { return key == account; });
  const std::string prefix = PairKey({.account = account, .network = ""});
  for (base::BoundedTable<Failures>* const table : {&pairs_, &known_}) {
    table->EraseIf([&](const std::string& key, const Failures&) { return key.starts_with(prefix); });
  }
}

std::string GuessingLimit::PairKey(const Attempt& attempt) {
  return attempt.account + '\0' + attempt.network;
}

GuessingLimit::Failures* GuessingLimit::Live(base::BoundedTable<Failures>& table, const std::string& key,
                                             base::SteadyTime now) {
  Failures* const failures = table.Find(key);
  return failures != nullptr && now - failures->last < ttl_ ? failures : nullptr;
}

GuessingLimit::Failures* GuessingLimit::Known(const Attempt& attempt, base::SteadyTime now) {
  Failures* const known = known_.Find(PairKey(attempt));
  if (known == nullptr || now - known->last >= known_ttl_) return nullptr;
  if (now - known->last >= ttl_) known->count = 0;
  return known;
}

milliseconds GuessingLimit::DelayFrom(base::BoundedTable<Failures>& table, const std::string& key,
                                      base::SteadyTime now) {
  const Failures* const failures = Live(table, key, now);
  return failures != nullptr && failures->count >= failures_free_ ? DelayOf(failures->count) : milliseconds(0);
}

void GuessingLimit::Count(base::BoundedTable<Failures>& table, const std::string& key, base::SteadyTime now) {
  const bool is_forgiven = Live(table, key, now) == nullptr;
  Failures& failures = table.Touch(key);
  if (is_forgiven) failures = {};
  failures.count += 1;
  failures.last = now;
}

milliseconds GuessingLimit::DelayOf(std::uint32_t failures) const {
  const std::uint32_t doublings = std::min(failures - failures_free_, 20u);
  return std::min(delay_max_, delay_min_ * (1u << doublings));
}

milliseconds GuessingLimit::NextPlace(Failures& failures, base::SteadyTime now) const {
  failures.next_start = std::max(failures.next_start, now) + DelayOf(failures.count);
  return std::chrono::ceil<milliseconds>(failures.next_start - now);
}

}  // namespace auth
