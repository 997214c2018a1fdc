// Connection: the seam to a client. Plain TCP, TLS, and in memory (tests).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/result.h"

namespace net {

class TlsContext;

// What is known of the TLS layer; `version` is empty without TLS.
struct TlsFacts {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
};

struct PeerAddress {
  std::string ip;  // Textual, without a port: "127.0.0.1", "::1".
  std::uint16_t port = 0;
  bool is_loopback = false;
};

// A byte stream to one client.
//
// Thread: the shard it was accepted on. One Read and one Write may be under way at a time.
// Time-outs: SetDeadline arms a coarse sweep (accuracy: one second late at most), which costs nothing an operation.
// Past the deadline the operation under way, and every later one, answers kTimeout until the deadline is set anew.
// Fault model: bytes may arrive in any pieces; the peer may vanish (kClosed), stall (kTimeout), or stop reading.
class Connection {
 public:
  virtual ~Connection() = default;

  // Reads what is there, at least one byte. Errors: kClosed (end of stream or reset), kTimeout, kIo.
  // `into` must live until the task ends.
  virtual async::Task<base::Result<std::size_t>> Read(std::span<char> into) = 0;

  // Writes all of `text`, which must live until the task ends. Errors: kClosed, kTimeout, kIo.
  virtual async::Task<base::Result<>> Write(std::string_view text) = 0;

  // Writes what fits without waiting and returns the count: 0 when the peer is slow, or after an error, which the next
  // Read or Write reports. The hot path tries this first, since it needs no coroutine.
  virtual std::size_t TryWrite(std::string_view text) = 0;

  // Upgrades in place, in the role of the context (server, or client for what we connect to). Nothing read before may
  // be used after: the session drops its buffered plaintext. Errors: kIo (handshake failed), kTimeout; the connection
  // is useless then.
  virtual async::Task<base::Result<>> StartTls(TlsContext* context) = 0;

  // Has what arrived acknowledged at once, and not only with our next words or after 40 ms: for a session that has read
  // a part of a command and waits for the rest, which Nagle's algorithm keeps at a client that wrote it in two pieces
  // until then (RFC 1122 §4.2.3.2, §4.2.3.4). Costs a system call.
  virtual void AcknowledgeAtOnce() {}

  // From now on operations fail when they are not done within `from_now`.
  virtual void SetDeadline(std::chrono::seconds from_now) = 0;

  // Closes at once; operations under way end with kClosed. Idempotent.
  virtual void Close() = 0;
  // Ends politely: TLS close_notify where there is TLS, then FIN; waits for the peer at most two seconds.
  virtual async::Task<void> Shutdown() = 0;

  virtual const TlsFacts& tls() const = 0;
  virtual const PeerAddress& peer() const = 0;
  bool is_tls() const { return !tls().version.empty(); }
};

}  // namespace net
