#include "net/connector.h"

#include <boost/system/system_error.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace net {
namespace {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

// Ends an attempt that takes too long. Thread: the socket's shard, as the sweep's. Borrows the socket.
class Patience final : private DeadlineSweep::Entry {
 public:
  Patience(TcpSocket* socket, DeadlineSweep* sweep, std::chrono::seconds timeout) : Entry(sweep), socket_(socket) {
    Arm(timeout);
  }
  bool is_over() const { return expired(); }

 private:
  void OnExpired() override {
    boost::system::error_code ignored;  // Nothing is under way when the attempt has just ended.
    socket_->cancel(ignored);
  }

  TcpSocket* socket_;
};

Result<asio::ip::address> ReadAddress(const std::string& ip) {
  boost::system::error_code invalid;
  const auto address = asio::ip::make_address(ip, invalid);
  if (invalid) return Error(Errc::kInvalid, ip + " is not a numeric address");
  return address;
}

// The port of the source is chosen at connect() and not here (IP_BIND_ADDRESS_NO_PORT): else one source address could
// have 28,000 connections in all and not to each destination.
Result<> BindTo(TcpSocket& socket, const asio::ip::address& source, const asio::ip::address& target) {
  if (source.is_v4() != target.is_v4()) {
    return Error(Errc::kInvalid, fmt::format("{} cannot be reached from {}: one is IPv4, the other IPv6",
                                             target.to_string(), source.to_string()));
  }
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  boost::system::error_code code;
  socket.bind({source, 0}, code);
  if (code)
    return Error(Errc::kIo, fmt::format("cannot use the source address {}: {}", source.to_string(), code.message()));
  return {};
}

Errc CodeOf(const boost::system::error_code& code) {
  if (code == asio::error::connection_refused || code == asio::error::connection_reset) return Errc::kClosed;
  if (code == asio::error::timed_out) return Errc::kTimeout;
  return Errc::kIo;
}

}  // namespace

Task<Result<std::unique_ptr<TcpConnection>>> Connect(ConnectOptions options, DeadlineSweep* sweep) {
  ASSIGN_OR_CO_RETURN(const asio::ip::address address, ReadAddress(options.ip));
  const std::string doing = fmt::format("connect to {} port {}", options.ip, options.port);
  TcpSocket socket(co_await asio::this_coro::executor);
  boost::system::error_code failed;
  socket.open(address.is_v4() ? asio::ip::tcp::v4() : asio::ip::tcp::v6(), failed);
  if (failed) co_return Error(Errc::kIo, doing + ": " + failed.message());
  if (!options.source_ip.empty()) {
    ASSIGN_OR_CO_RETURN(const asio::ip::address source, ReadAddress(options.source_ip));
    CO_RETURN_IF_ERROR(BindTo(socket, source, address));
  }
  {
    const Patience patience(&socket, sweep, options.timeout);
    const auto [code] = co_await socket.async_connect({address, options.port}, async::as_result);
    if (code && patience.is_over()) co_return Error(Errc::kTimeout, doing + ": no answer in time");
    if (code == asio::error::operation_aborted) throw boost::system::system_error(code);
    if (code) co_return Error(CodeOf(code), doing + ": " + code.message());
  }
  boost::system::error_code ignored;  // Without it the connection is slower, not wrong.
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  PeerAddress peer{.ip = options.ip, .port = options.port, .is_loopback = address.is_loopback()};
  co_return std::make_unique<TcpConnection>(std::move(socket), std::move(peer), sweep);
}

}  // namespace net
