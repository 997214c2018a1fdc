// Listener: accepts the connections of one address on one shard and owns their sessions.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "async/asio.h"
#include "async/task_group.h"
#include "net/connection.h"
#include "net/connection_limit.h"
#include "net/deadline_sweep.h"
#include "net/listen_socket.h"

namespace net {

struct ListenerOptions {
  std::function<async::Task<void>(std::unique_ptr<Connection>)> session;
  // The line, with its CRLF, that a connection over the limit gets before it is closed. Unused with implicit TLS.
  std::function<std::string(Refusal)> refusal_line = nullptr;

  std::string protocol;                               // For log lines: "smtp".
  TlsContext* implicit_tls = nullptr;                 // TLS from the first byte (RFC 8314); null: plain. Borrowed.
  std::chrono::seconds handshake_max{30};             // Of implicit TLS.
  std::uint32_t accepts_per_turn = 64;                // Then sessions get their turn.
  std::chrono::milliseconds accept_error_delay{100};  // After an error that another accept at once would meet again.
};

// A session ends by returning; its connection closes when it is destroyed. Each is a task of the listener's.
//
// Thread: the shard of the executor. Borrows limit, sweep and TLS context, which outlive it. Stop() is awaited before
// destruction. Errors of accept (no descriptors, no memory) are logged once a spell, waited out and never fatal.
class Listener {
 public:
  Listener(async::Executor executor, ListenSocket socket, ConnectionLimit* limit, DeadlineSweep* sweep,
           ListenerOptions options);
  ~Listener();

  void Start();
  // Accepts no more; sessions go on.
  void StopAccepting();
  // Accepts no more, cancels all sessions and returns when the last has ended.
  async::Task<void> Stop();

  const ListenAddress& address() const { return address_; }
  std::size_t sessions() const { return sessions_.size(); }

 private:
  enum class Accepted { kOne, kNoneLeft, kError };

  async::Task<void> AcceptLoop();
  Accepted AcceptOne();
  void Admit(int descriptor, PeerAddress peer);
  void Refuse(int descriptor, const PeerAddress& peer, Refusal refusal);
  async::Task<void> RunSession(std::unique_ptr<Connection> connection, ConnectionLimit::Slot slot);

  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, async::Executor>;

  async::Executor executor_;
  ListenAddress address_;
  asio::ip::tcp family_;
  Acceptor acceptor_;
  ConnectionLimit* limit_;
  DeadlineSweep* sweep_;
  ListenerOptions options_;
  bool in_error_spell_ = false;
  async::TaskGroup accepting_;
  async::TaskGroup sessions_;
};

}  // namespace net
