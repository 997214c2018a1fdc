#include "deliver/dial.h"

#include <utility>

#include "net/connector.h"
#include "net/unix_connector.h"

namespace deliver {
namespace {

using Connected = base::Result<std::unique_ptr<net::Connection>>;

async::Task<Connected> DialOnce(Endpoint endpoint, net::DeadlineSweep* sweep, DialOptions options) {
  if (endpoint.ip.empty()) {
    const async::Executor executor = co_await asio::this_coro::executor;
    ASSIGN_OR_CO_RETURN(std::unique_ptr<net::Connection> local, net::ConnectUnix(executor, endpoint.name, sweep));
    co_return local;
  }
  const bool is_v6 = endpoint.ip.find(':') != std::string::npos;
  net::ConnectOptions connect{.ip = std::move(endpoint.ip),
                              .port = endpoint.port,
                              .source_ip = is_v6 ? std::move(options.source_v6) : std::move(options.source_v4),
                              .timeout = options.timeout};
  ASSIGN_OR_CO_RETURN(std::unique_ptr<net::Connection> connection, co_await net::Connect(std::move(connect), sweep));
  co_return connection;
}

}  // namespace

Dial DialNetwork(net::DeadlineSweep* sweep, DialOptions options) {
  return [sweep, options = std::move(options)](Endpoint endpoint) {
    return DialOnce(std::move(endpoint), sweep, options);
  };
}

}  // namespace deliver
