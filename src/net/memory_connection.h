// MemoryConnection: the Connection without a network, for tests of sessions.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "net/connection.h"
#include "net/deadline_sweep.h"

namespace net {

struct MemoryOptions {
  std::size_t buffer_bytes_max = 64 * 1024;  // What one side may write before the other reads: a socket's buffer.
  std::size_t piece_bytes_max = 1u << 30;    // The most one Read returns: 1 makes the worst of all networks.
  PeerAddress client{.ip = "127.0.0.1", .port = 50'000, .is_loopback = true};  // The server end's peer().
};

// One end of a pair of byte queues. There is nothing to encrypt: StartTls is a rendezvous, done when both ends have
// called it (the context may be null). Bytes that lie unread then make it fail, as plaintext in a TLS handshake does.
//
// Thread: one shard for both ends. The ends share the queues and die in any order. The sweep outlives both.
class MemoryConnection final : public Connection, private DeadlineSweep::Entry {
 public:
  struct Pair {
    std::unique_ptr<MemoryConnection> server;
    std::unique_ptr<MemoryConnection> client;
  };
  static Pair MakePair(async::Executor executor, DeadlineSweep* sweep, MemoryOptions options = {});
  ~MemoryConnection() override;

  async::Task<base::Result<std::size_t>> Read(std::span<char> into) override;
  async::Task<base::Result<>> Write(std::string_view text) override;
  std::size_t TryWrite(std::string_view text) override;
  async::Task<base::Result<>> StartTls(TlsContext* context) override;
  void SetDeadline(std::chrono::seconds from_now) override { Arm(from_now); }
  void Close() override;
  async::Task<void> Shutdown() override;
  const TlsFacts& tls() const override { return tls_; }
  const PeerAddress& peer() const override { return peer_; }

 private:
  struct Wire;
  struct End;
  MemoryConnection(std::shared_ptr<Wire> wire, int side, DeadlineSweep* sweep, PeerAddress peer);

  End& mine() const;
  End& theirs() const;
  void OnExpired() override;
  bool HasEnded() const;
  base::Error EndedError() const;

  std::shared_ptr<Wire> wire_;  // Owned by both ends of the pair.
  const int side_;
  PeerAddress peer_;
  TlsFacts tls_;
};

}  // namespace net
