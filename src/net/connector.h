// Connect: an outgoing TCP connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "net/tcp_connection.h"

namespace net {

struct ConnectOptions {
  std::string ip;  // Numeric: "192.0.2.1" or "2001:db8::1".
  std::uint16_t port = 0;
  std::string source_ip{};  // Where the connection comes from; empty: as the routes say.
  std::chrono::seconds timeout{30};
};

// Connects on the caller's shard. The time-out is that of the sweep (one second late at most, no timer of its own).
// Errors, each with address and port: kClosed (nobody listens there), kTimeout, kInvalid (no numeric address, or a
// source of the other family), kIo (no route, no descriptors, a source address that is not ours).
async::Task<base::Result<std::unique_ptr<TcpConnection>>> Connect(ConnectOptions options, DeadlineSweep* sweep);

}  // namespace net
