#include "net/connection_limit.h"

#include <optional>

#include "base/check.h"
#include "net/network.h"

namespace net {

std::expected<ConnectionLimit::Slot, Refusal> ConnectionLimit::Admit(const PeerAddress& peer) {
  std::string client = ClientNetwork(peer.ip, NetworkBits{});
  const auto refusal = counts_.With([&](Counts& counts) -> std::optional<Refusal> {
    if (counts.total >= options_.connections_max) return Refusal::kTooManyConnections;
    const auto [entry, is_new] = counts.by_client.try_emplace(client, 0);
    if (entry->second >= options_.connections_per_client_max) {
      if (is_new) counts.by_client.erase(entry);
      return Refusal::kTooManyFromClient;
    }
    entry->second += 1;
    counts.total += 1;
    return std::nullopt;
  });
  if (refusal.has_value()) return std::unexpected(*refusal);
  return Slot(this, std::move(client));
}

void ConnectionLimit::Release(const std::string& client) {
  counts_.With([&](Counts& counts) {
    const auto entry = counts.by_client.find(client);
    CHECK(entry != counts.by_client.end());
    CHECK(counts.total > 0);
    counts.total -= 1;
    entry->second -= 1;
    if (entry->second == 0) counts.by_client.erase(entry);
  });
}

}  // namespace net
