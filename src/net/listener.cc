#include "net/listener.h"

#include <cerrno>
#include <cstring>

#include <boost/system/system_error.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "async/deadline.h"
#include "base/check.h"
#include "base/log.h"
#include "net/network.h"
#include "net/tcp_connection.h"

namespace net {
namespace {

using async::Task;
using base::LogField;

// Of the one connection that was being accepted, not of the listener: the next one may be fine (accept(2), "Error
// handling").
bool ConcernsOneConnection(int code) {
  switch (code) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

std::string_view ToText(Refusal refusal) {
  return refusal == Refusal::kTooManyConnections ? "too_many_connections" : "too_many_from_client";
}

asio::ip::tcp FamilyOf(const ListenAddress& address) {
  return address.ip.find(':') != std::string::npos ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

}  // namespace

Listener::Listener(async::Executor executor, ListenSocket socket, ConnectionLimit* limit, DeadlineSweep* sweep,
                   ListenerOptions options)
    : executor_(executor),
      address_(socket.address()),
      family_(FamilyOf(address_)),
      acceptor_(executor),
      limit_(limit),
      sweep_(sweep),
      options_(std::move(options)),
      accepting_(executor, options_.protocol + " listener"),
      sessions_(executor, options_.protocol + " sessions") {
  acceptor_.assign(family_, socket.Release());
}

Listener::~Listener() = default;

void Listener::Start() {
  accepting_.Spawn(AcceptLoop());
}

void Listener::StopAccepting() {
  boost::system::error_code ignored;  // The descriptor is gone whatever close(2) says.
  acceptor_.close(ignored);
}

Task<void> Listener::Stop() {
  StopAccepting();
  co_await accepting_.Stop();
  co_await sessions_.Stop();
}

Task<void> Listener::AcceptLoop() {
  while (acceptor_.is_open()) {
    const auto [code] = co_await acceptor_.async_wait(asio::socket_base::wait_read, async::as_result);
    if (code) co_return;
    Accepted last = Accepted::kOne;
    for (std::uint32_t i = 0; i < options_.accepts_per_turn && last == Accepted::kOne; ++i) last = AcceptOne();
    if (last == Accepted::kError) {
      co_await async::Sleep(options_.accept_error_delay);
    } else {
      in_error_spell_ = false;
    }
  }
}

Listener::Accepted Listener::AcceptOne() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int descriptor =
      ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor >= 0) {
    Admit(descriptor, ToPeerAddress(address));
    return Accepted::kOne;
  }
  const int code = errno;
  if (code == EAGAIN) return Accepted::kNoneLeft;
  if (ConcernsOneConnection(code)) return Accepted::kOne;
  if (!in_error_spell_) {
    const bool no_descriptors = code == EMFILE || code == ENFILE;
    base::LogError("accept_failed", {LogField("protocol", options_.protocol), LogField("port", address_.port),
                                     LogField("error", std::strerror(code)),
                                     LogField("do", no_descriptors ? "raise LimitNOFILE or lower connections_max"
                                                                   : "new connections wait until this passes")});
  }
  in_error_spell_ = true;
  return Accepted::kError;
}

void Listener::Admit(int descriptor, PeerAddress peer) {
  auto slot = limit_->Admit(peer);
  if (!slot.has_value()) {
    Refuse(descriptor, peer, slot.error());
    return;
  }
  TcpSocket socket(executor_);
  boost::system::error_code code;
  socket.assign(family_, descriptor, code);
  if (code) {
    // The reactor could not take it (epoll is out of memory): as if it had never come.
    ::close(descriptor);
    return;
  }
  auto connection = std::make_unique<TcpConnection>(std::move(socket), std::move(peer), sweep_);
  sessions_.Spawn(RunSession(std::move(connection), *std::move(slot)));
}

void Listener::Refuse(int descriptor, const PeerAddress& peer, Refusal refusal) {
  if (options_.implicit_tls == nullptr && options_.refusal_line) {
    const std::string line = options_.refusal_line(refusal);
    // A new socket's buffer has room for a line; a client that is gone already does not need it.
    (void)::send(descriptor, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  ::close(descriptor);
  base::LogWarning("connection_refused", {LogField("protocol", options_.protocol), LogField("client", peer.ip),
                                          LogField("reason", ToText(refusal))});
}

Task<void> Listener::RunSession(std::unique_ptr<Connection> connection, ConnectionLimit::Slot slot) {
  if (options_.implicit_tls != nullptr) {
    connection->SetDeadline(options_.handshake_max);
    const auto done = co_await connection->StartTls(options_.implicit_tls);
    if (!done.has_value()) {
      base::LogInfo("tls_failed", {LogField("protocol", options_.protocol), LogField("client", connection->peer().ip),
                                   LogField("error", done.error().message())});
      co_return;
    }
  }
  co_await options_.session(std::move(connection));
}

}  // namespace net
