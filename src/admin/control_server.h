// ControlServer: the control protocol on its Unix socket. docs/cli.md, "The control socket".
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "admin/command_table.h"
#include "admin/control_socket.h"
#include "async/asio.h"
#include "async/task_group.h"
#include "base/result.h"

namespace admin {

struct ControlServerOptions {
  std::size_t request_bytes_max = 64u << 10;  // One line, its end included.
  std::uint32_t connections_max = 64;
  std::chrono::milliseconds idle_max{30'000};         // For a whole request to come, and for an answer to be taken.
  std::chrono::milliseconds accept_error_delay{100};  // After an error that another accept at once would meet again.
};

// Answers the requests of a connection one after the other, in their order. A command is not cut short by a deadline or
// by a client that goes; Stop() leaves it to what it had proposed by then.
//
// Thread: one shard, the node's. Borrows the table, which outlives it. Stop() is awaited before destruction.
class ControlServer {
 public:
  ControlServer(async::Executor executor, ControlSocket socket, const CommandTable* table,
                ControlServerOptions options);

  void Start() { tasks_.Spawn(AcceptLoop()); }
  async::Task<void> Stop();

 private:
  using Protocol = asio::local::stream_protocol;
  using Socket = asio::basic_stream_socket<Protocol, async::Executor>;

  async::Task<void> AcceptLoop();
  void Admit(Socket socket);
  async::Task<void> Serve(Socket socket, Caller caller);

  ControlSocket file_;
  asio::basic_socket_acceptor<Protocol, async::Executor> acceptor_;
  const CommandTable* table_;
  ControlServerOptions options_;
  async::TaskGroup tasks_;  // The accept loop.
  async::TaskGroup sessions_;
};

}  // namespace admin
