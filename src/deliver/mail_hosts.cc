#include "deliver/mail_hosts.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <fmt/format.h>

#include "async/deadline.h"
#include "mail/address.h"
#include "mail/ascii.h"
#include "net/dns_rdata.h"

namespace deliver {
namespace {

using base::Result;
using net::DnsAnswer;
using net::DnsType;
using std::chrono::steady_clock;

// A host that the DNS names for the domain.
struct Candidate {
  std::uint16_t preference = 0;
  std::string name;
};

// What the DNS says of the hosts of one preference.
struct Pool {
  std::vector<MailHost> addresses;
  bool is_own = false;      // One of them is this node.
  bool is_missing = false;  // An answer that would pass did not come.
};

// One search. Lives in the frame of FindMailHosts.
class Search {
 public:
  Search(net::Resolver* resolver, std::string domain, const MailHostOptions* options, base::Random* random)
      : resolver_(resolver),
        domain_(std::move(domain)),
        options_(options),
        random_(random),
        end_(steady_clock::now() + options->deadline) {}

  async::Task<MailHosts> Run();

 private:
  async::Task<Result<DnsAnswer>> Ask(std::string name, DnsType type);
  std::optional<MailHosts> TakeMx(const DnsAnswer& answer);
  void DropOwnNames();
  async::Task<void> FindAddresses();
  async::Task<Pool> AskPool(std::span<const Candidate> candidates);
  void TakeHost(const std::string& name, std::span<const Result<DnsAnswer>> answers, Pool* pool);
  void PassOver(std::string why);
  void AddPool(std::vector<MailHost> pool);
  MailHosts NoHost() const;
  template <class T>
  void Shuffle(std::vector<T>* values);

  net::Resolver* resolver_;
  const std::string domain_;
  const MailHostOptions* options_;
  base::Random* random_;
  steady_clock::time_point end_;

  std::vector<Candidate> candidates_;  // By preference, each preference shuffled.
  bool is_implicit_ = false;           // No MX: the domain is its own host.
  bool mx_is_secure_ = false;
  bool is_own_ = false;      // A candidate was this node.
  bool is_missing_ = false;  // Of a candidate that counts.
  std::string passed_over_;  // Why the first host that was passed over was.
  std::vector<MailHost> hosts_;
};

MailHosts Never(std::string status, std::string reason);
MailHosts OfLiteral(const std::string& literal, const MailHostOptions& options);
bool IsOwn(const std::string& ip, const MailHostOptions& options);
bool IsInDigits(std::string_view name);

}  // namespace

async::Task<MailHosts> FindMailHosts(net::Resolver* resolver, std::string domain, const MailHostOptions* options,
                                     base::Random* random) {
  auto canonical = mail::CanonicalDomain(domain, {.utf8 = true, .underscores = true});
  if (!canonical.has_value()) co_return Never("5.1.3", canonical.error().message());
  if (canonical->starts_with('[')) co_return OfLiteral(*canonical, *options);
  Search search(resolver, *std::move(canonical), options, random);
  co_return co_await search.Run();
}

namespace {

async::Task<MailHosts> Search::Run() {
  auto mx = co_await Ask(domain_, DnsType::kMx);
  if (!mx.has_value()) {
    co_return MailHosts{
        .status = "4.4.3",
        .reason = fmt::format("the mail hosts of {} could not be looked up: {}", domain_, mx.error().message())};
  }
  if (auto end = TakeMx(*mx); end.has_value()) co_return *std::move(end);
  DropOwnNames();
  co_await FindAddresses();
  if (hosts_.empty()) co_return NoHost();
  co_return MailHosts{.kind = MailHosts::Kind::kHosts, .hosts = std::move(hosts_)};
}

// Within what is left of the search's time.
async::Task<Result<DnsAnswer>> Search::Ask(std::string name, DnsType type) {
  auto answer = co_await async::WithDeadline(resolver_->LookUp(std::move(name), type), end_ - steady_clock::now());
  if (!answer.has_value()) co_return std::move(answer).error();
  co_return *std::move(answer);
}

// The candidates, or the end of the search.
std::optional<MailHosts> Search::TakeMx(const DnsAnswer& answer) {
  mx_is_secure_ = answer.is_secure;
  if (answer.kind == DnsAnswer::Kind::kNoName) return Never("5.1.2", fmt::format("there is no domain {}", domain_));
  if (answer.kind == DnsAnswer::Kind::kNoRecords) {
    is_implicit_ = true;  // RFC 5321 §5.1: as if an MX of preference 0 named the domain itself.
    candidates_.push_back({.preference = 0, .name = domain_});
    return std::nullopt;
  }
  for (const std::string& rdata : answer.records) {
    auto record = net::ParseMx(rdata);
    if (record.has_value()) candidates_.push_back({record->preference, std::move(record->exchange)});
  }
  // RFC 7505 §3: alone, or it means nothing.
  if (answer.records.size() == 1 && candidates_.size() == 1 && candidates_.front().name.empty()) {
    return Never("5.1.10", fmt::format("{} takes no mail (null MX)", domain_));
  }
  std::erase_if(candidates_,
                [](const Candidate& candidate) { return candidate.name.empty() || IsInDigits(candidate.name); });
  if (candidates_.size() < answer.records.size()) PassOver("an MX of it names no host");
  Shuffle(&candidates_);
  std::ranges::sort(candidates_, {}, &Candidate::preference);
  candidates_.resize(std::min(candidates_.size(), options_->mx_max));
  return std::nullopt;
}

// RFC 5321 §5.1: hosts of the preference of this node and lesser ones are no way forward.
void Search::DropOwnNames() {
  const auto is_own_name = [this](const Candidate& c) {
    return std::ranges::find(options_->own_names, c.name) != options_->own_names.end();
  };
  const auto own = std::ranges::find_if(candidates_, is_own_name);
  if (own == candidates_.end()) return;
  is_own_ = true;
  const std::uint16_t preference = own->preference;
  std::erase_if(candidates_, [preference](const Candidate& c) { return c.preference >= preference; });
}

// One preference after the other, until there are enough.
async::Task<void> Search::FindAddresses() {
  std::span<const Candidate> rest = candidates_;
  while (!rest.empty() && hosts_.size() < options_->addresses_max) {
    if (steady_clock::now() >= end_) {
      is_missing_ = true;
      co_return;
    }
    const auto same = [&](const Candidate& c) { return c.preference == rest.front().preference; };
    const auto lesser = std::ranges::find_if_not(rest, same);
    const auto count = static_cast<std::size_t>(lesser - rest.begin());
    Pool pool = co_await AskPool(rest.first(count));
    if (pool.is_own) {
      is_own_ = true;
      co_return;
    }
    is_missing_ = is_missing_ || pool.is_missing;
    AddPool(std::move(pool.addresses));
    rest = rest.subspan(count);
    if (!hosts_.empty()) end_ = std::min(end_, steady_clock::now() + options_->lesser_hosts_wait);
  }
}

// A few hosts at a time, both families of each.
async::Task<Pool> Search::AskPool(std::span<const Candidate> candidates) {
  const async::Executor executor = co_await asio::this_coro::executor;
  Pool pool;
  while (!candidates.empty() && pool.addresses.size() < options_->addresses_max) {
    const auto some = candidates.first(std::min(candidates.size(), options_->hosts_at_once));
    candidates = candidates.subspan(some.size());
    using Question = decltype(asio::co_spawn(executor, Ask("", DnsType::kA), asio::deferred));
    std::vector<Question> questions;
    for (const Candidate& candidate : some) {
      questions.push_back(asio::co_spawn(executor, Ask(candidate.name, DnsType::kAaaa), asio::deferred));
      questions.push_back(asio::co_spawn(executor, Ask(candidate.name, DnsType::kA), asio::deferred));
    }
    auto group = asio::experimental::make_parallel_group(std::move(questions));
    auto [order, exceptions, answers] = co_await group.async_wait(asio::experimental::wait_for_all(), async::use_task);
    for (const std::exception_ptr& exception : exceptions) {
      if (exception) std::rethrow_exception(exception);
    }
    for (std::size_t i = 0; i < some.size(); ++i) TakeHost(some[i].name, std::span(answers).subspan(2 * i, 2), &pool);
  }
  co_return pool;
}

// `answers`: AAAA and A of the host.
void Search::TakeHost(const std::string& name, std::span<const Result<DnsAnswer>> answers, Pool* pool) {
  constexpr DnsType kTypes[] = {DnsType::kAaaa, DnsType::kA};
  std::vector<MailHost> found;
  bool is_alias = false;
  bool is_missing = false;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].has_value()) {
      is_missing = true;
      continue;
    }
    is_alias = is_alias || answers[i]->is_alias;
    for (const std::string& rdata : answers[i]->records) {
      auto ip = net::ParseIp(kTypes[i], rdata);
      if (!ip.has_value()) continue;
      pool->is_own = pool->is_own || IsOwn(*ip, *options_);
      found.push_back({.name = name,
                       .ip = *std::move(ip),
                       .port = options_->port,
                       .is_secure = mx_is_secure_ && answers[i]->is_secure});
    }
  }
  if (is_alias && !is_implicit_ && !options_->takes_aliases) {
    PassOver(name + " is an alias (CNAME), which RFC 2181 forbids for an MX");
  } else if (!found.empty()) {
    std::ranges::move(found, std::back_inserter(pool->addresses));
  } else if (is_missing) {
    pool->is_missing = true;
  } else {
    PassOver(name + " has no address");
  }
}

void Search::PassOver(std::string why) {
  if (passed_over_.empty()) passed_over_ = std::move(why);
}

// Appends the addresses in the order to try them: shuffled, then of each family in turn.
void Search::AddPool(std::vector<MailHost> pool) {
  Shuffle(&pool);
  const auto is_v6 = [](const MailHost& host) { return host.ip.contains(':'); };
  bool wants_v6 = !pool.empty() && is_v6(pool.front());
  while (!pool.empty() && hosts_.size() < options_->addresses_max) {
    auto next = std::ranges::find(pool, wants_v6, is_v6);
    if (next == pool.end()) next = pool.begin();
    hosts_.push_back(std::move(*next));
    pool.erase(next);
    wants_v6 = !wants_v6;
  }
}

MailHosts Search::NoHost() const {
  if (is_missing_) {
    return {.status = "4.4.3", .reason = fmt::format("no mail host of {} could be looked up in time", domain_)};
  }
  if (is_own_) {
    return Never("5.4.6", fmt::format("the mail for {} comes back: this server is a mail host of it in the DNS, and "
                                      "the domain is not configured here",
                                      domain_));
  }
  if (is_implicit_) return Never("5.1.2", fmt::format("{} has neither a mail host (MX) nor an address", domain_));
  return Never("5.4.4", fmt::format("{} has no mail host that can be used: {}", domain_, passed_over_));
}

template <class T>
void Search::Shuffle(std::vector<T>* values) {
  for (std::size_t left = values->size(); left > 1; --left) {
    std::swap((*values)[left - 1], (*values)[random_->Below(left)]);
  }
}

MailHosts Never(std::string status, std::string reason) {
  return {.kind = MailHosts::Kind::kNever, .status = std::move(status), .reason = std::move(reason)};
}

// RFC 5321 §4.1.3; `literal` is canonical.
MailHosts OfLiteral(const std::string& literal, const MailHostOptions& options) {
  constexpr std::string_view kIpv6Tag = "IPv6:";
  std::string_view ip(literal);
  ip = ip.substr(1, ip.size() - 2);
  if (mail::StartsWithIgnoreCase(ip, kIpv6Tag)) ip.remove_prefix(kIpv6Tag.size());
  MailHost host{.name = literal, .ip = std::string(ip), .port = options.port};
  if (IsOwn(host.ip, options)) return Never("5.4.6", literal + " is this server, which takes no mail for it");
  return {.kind = MailHosts::Kind::kHosts, .hosts = {std::move(host)}};
}

bool IsOwn(const std::string& ip, const MailHostOptions& options) {
  if (std::ranges::find(options.own_addresses, ip) != options.own_addresses.end()) return true;
  if (!options.loopback_is_own) return false;
  // A literal's IPv4 address in IPv6 clothes reaches what the plain one does.
  const std::string_view plain = ip.starts_with("::ffff:") ? std::string_view(ip).substr(7) : std::string_view(ip);
  return plain == "::1" || plain == "::" || plain.starts_with("127.") || plain.starts_with("0.");
}

// "192.0.2.1" is a name by its syntax, and no top-level domain is a number (RFC 3696 §2).
bool IsInDigits(std::string_view name) {
  return std::ranges::all_of(name.substr(name.rfind('.') + 1), mail::IsAsciiDigit);
}

}  // namespace
}  // namespace deliver
