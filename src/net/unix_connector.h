// ConnectUnix: an outgoing connection to a Unix socket.
#pragma once

#include <memory>
#include <string>

#include "net/tcp_connection.h"

namespace net {

// Never waits. The connection is as one over TCP, since nothing that TcpConnection does needs more than a stream
// socket; its peer's `ip` is the path. Errors, each with the path: kClosed (nobody listens there), kNotFound (no such
// socket), kDenied (no permission), kBusy (more connections wait than the server takes), kInvalid (a path that is too
// long), kIo.
base::Result<std::unique_ptr<TcpConnection>> ConnectUnix(async::Executor executor, const std::string& path,
                                                         DeadlineSweep* sweep);

}  // namespace net
