// TcpConnection: the Connection over a TCP socket, plain or, after StartTls, encrypted.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "net/connection.h"
#include "net/deadline_sweep.h"
#include "net/tls_session.h"

namespace net {

using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, async::Executor>;

// The plain path is that of the whole system's throughput. Read is one async_read_some: Asio skips its speculative recv
// after a short read, so a dialogue costs one recv an answer. TryWrite is one send.
//
// Thread: the socket's shard. Owned by its session. Borrows the sweep, which outlives it.
class TcpConnection final : public Connection, private DeadlineSweep::Entry {
 public:
  TcpConnection(TcpSocket socket, PeerAddress peer, DeadlineSweep* sweep);
  ~TcpConnection() override;

  async::Task<base::Result<std::size_t>> Read(std::span<char> into) override;
  async::Task<base::Result<>> Write(std::string_view text) override;
  std::size_t TryWrite(std::string_view text) override;
  async::Task<base::Result<>> StartTls(TlsContext* context) override;
  void AcknowledgeAtOnce() override;
  void SetDeadline(std::chrono::seconds from_now) override { Arm(from_now); }
  void Close() override;
  async::Task<void> Shutdown() override;
  const TlsFacts& tls() const override;
  const PeerAddress& peer() const override { return peer_; }

 private:
  using Wait = asio::socket_base::wait_type;

  void OnExpired() override;
  bool HasEnded() const { return closed_ || expired(); }
  base::Error EndedError() const;
  // The Result error of a failed operation; throws when it is the task that was cancelled.
  base::Error Failure(const boost::system::error_code& code) const;
  async::Task<base::Result<>> WaitFor(Wait what);
  async::Task<base::Result<>> WaitFor(TlsState state);
  async::Task<base::Result<std::size_t>> ReadTls(std::span<char> into);
  async::Task<base::Result<>> WriteTls(std::string_view text);
  async::Task<base::Result<>> FlushTls();
  async::Task<base::Result<>> Handshake();
  async::Task<void> DrainUntilClosed();

  TcpSocket socket_;
  PeerAddress peer_;
  std::unique_ptr<TlsSession> tls_;
  std::uint8_t reads_at_once_ = 0;
  bool closed_ = false;
};

}  // namespace net
