// Listeners: all addresses a node listens on, and the sessions behind them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "async/asio.h"
#include "base/metrics.h"
#include "net/connection_limit.h"
#include "net/deadline_sweep.h"
#include "net/listener.h"

namespace app {

// "192.0.2.1:25", "[::]:25". Errors: kInvalid.
base::Result<net::ListenAddress> ParseListenAddress(std::string_view text);

// What is served at some addresses.
struct Service {
  std::string protocol;  // For logs, metrics and the start-up message: "smtp".
  std::vector<std::string> addresses;
  net::TlsContext* implicit_tls = nullptr;
  std::function<async::Task<void>(std::unique_ptr<net::Connection>)> session;
  std::function<std::string(net::Refusal)> refusal_line;
};

// Thread: the node's shard. Borrows the clock and TLS contexts. Stop() before destruction.
class Listeners {
 public:
  Listeners(async::Executor executor, const base::Clock* clock, const NodeConfig& config);

  // Opens the sockets of a service: all are open before any session starts. Errors: one sentence that names the
  // address.
  base::Result<> Open(const Service& service);
  void Start();
  async::Task<void> Stop();

  // "smtp 127.0.0.1:2525", in the order of opening; with the port that the kernel chose where 0 was asked for.
  std::vector<std::pair<std::string, net::ListenAddress>> addresses() const;
  std::size_t sessions(std::string_view protocol) const;

 private:
  struct OpenListener {
    std::string protocol;
    std::unique_ptr<net::Listener> listener;
  };
  async::Executor executor_;
  net::ConnectionLimit limit_;
  net::DeadlineSweep sweep_;
  std::vector<OpenListener> open_;
};

}  // namespace app
