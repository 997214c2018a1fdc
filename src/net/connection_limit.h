// ConnectionLimit: how many connections there may be, in all and from one client.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "net/connection.h"

namespace net {

struct ConnectionLimitOptions {
  std::uint32_t connections_max = 20'000;
  std::uint32_t connections_per_client_max = 200;  // A client is an IPv4 address or an IPv6 /64.
};

enum class Refusal { kTooManyConnections, kTooManyFromClient };

// Counts connections across all listeners that share it.
//
// Thread: any. Outlives its slots.
class ConnectionLimit {
 public:
  // A place among the connections, given back when it dies.
  class Slot {
   public:
    Slot(ConnectionLimit* limit, std::string client) : limit_(limit), client_(std::move(client)) {}
    Slot(Slot&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)), client_(std::move(other.client_)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (limit_ != nullptr) limit_->Release(client_);
    }

   private:
    ConnectionLimit* limit_;
    std::string client_;
  };

  explicit ConnectionLimit(ConnectionLimitOptions options) : options_(options) {}

  std::expected<Slot, Refusal> Admit(const PeerAddress& peer);
  std::uint32_t connections() {
    return counts_.With([](const Counts& counts) { return counts.total; });
  }

 private:
  struct Counts {
    std::uint32_t total = 0;
    std::unordered_map<std::string, std::uint32_t> by_client;  // No client without a connection has an entry.
  };

  void Release(const std::string& client);

  const ConnectionLimitOptions options_;
  base::Guarded<Counts> counts_;
};

}  // namespace net
