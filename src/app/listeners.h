// Listeners: all addresses a node listens on, and the sessions behind them.
#pragma once

#include <map>
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

// All addresses that the configuration has to listen on: the lists of its keys `*.listen` and `*.listen_tls`.
std::vector<std::string> ListenAddressesOf(const NodeConfig& config);

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

  // Takes all addresses of the configuration, without listening yet: before root's rights are given up, and before
  // anything that takes long. Errors: one sentence that names the address.
  base::Result<> Bind(const NodeConfig& config);
  // Opens the sockets of a service: all are open before any session starts. Errors: one sentence that names the
  // address.
  base::Result<> Open(const Service& service);
  void Start();
  async::Task<void> Stop();

  // "smtp 127.0.0.1:2525", in the order of opening; with the port that the kernel chose where 0 was asked for.
  std::vector<std::pair<std::string, net::ListenAddress>> addresses() const;
  std::size_t sessions(std::string_view protocol) const;

 private:
  base::Result<net::ListenSocket> TakeBound(const std::string& text);

  struct OpenListener {
    std::string protocol;
    std::unique_ptr<net::Listener> listener;
  };
  async::Executor executor_;
  net::ConnectionLimit limit_;
  net::DeadlineSweep sweep_;
  std::multimap<std::string, net::ListenSocket> bound_;  // By the text of the configuration, until a service takes it.
  std::vector<OpenListener> open_;
};

}  // namespace app
