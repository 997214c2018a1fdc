#include "app/reloader.h"

#include <algorithm>
#include <tuple>

namespace app {
namespace {

// Whether a key has the same value in two configurations; and takes it over.
struct Same {
  const NodeConfig& a;
  const NodeConfig& b;
  bool operator()(auto member) const { return a.*member == b.*member; }
};
struct Take {
  NodeConfig& into;
  const NodeConfig& from;
  void operator()(auto member) const { into.*member = from.*member; }
};

bool operator==(const DevAccount& a, const DevAccount& b) {
  return a.address == b.address && a.password == b.password;
}

bool operator==(const NextHopConfig& a, const NextHopConfig& b) {
  return std::tie(a.hop, a.tls, a.ca_file, a.username, a.password) ==
         std::tie(b.hop, b.tls, b.ca_file, b.username, b.password);
}

}  // namespace

ConfigChanges CompareConfigs(const NodeConfig& in_force, const NodeConfig& next) {
  ConfigChanges changes{.effective = in_force, .applied = {}, .need_restart = {}};
  for (const ConfigKey& key : ConfigKeys()) {
    if (std::visit(Same{in_force, next}, key.member)) continue;
    if (key.takes_effect == ConfigKey::TakesEffect::kReload) {
      std::visit(Take{changes.effective, next}, key.member);
      changes.applied.push_back(key.name);
    } else {
      changes.need_restart.push_back(key.name);
    }
  }
  const auto same = [](const auto& a, const auto& b) { return a == b; };
  if (!std::ranges::equal(in_force.next_hops, next.next_hops, same)) {
    changes.effective.next_hops = next.next_hops;
    changes.applied.emplace_back("next_hop");
  }
  if (!std::ranges::equal(in_force.dev_accounts, next.dev_accounts, same)) changes.need_restart.emplace_back("account");
  return changes;
}

async::Task<base::Result<>> Reloader::Run(NodeConfig effective) {
  auto prepared = co_await worker_->Run([this, effective = std::move(effective)] { return PrepareAll(effective); });
  CO_RETURN_IF_ERROR(prepared);
  CO_RETURN_IF_ERROR(*prepared);
  for (const Apply& apply : **prepared) apply();
  co_return base::Result<>();
}

base::Result<std::vector<Reloader::Apply>> Reloader::PrepareAll(const NodeConfig& effective) const {
  std::vector<Apply> prepared;
  for (const Part& part : parts_) {
    auto apply = part.prepare(effective);
    if (!apply) return std::move(apply).error().In(part.name);
    prepared.push_back(*std::move(apply));
  }
  return prepared;
}

}  // namespace app
