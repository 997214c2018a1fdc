#include "net/tcp_connection.h"

#include <array>
#include <cerrno>

#include <boost/system/system_error.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/check.h"
#include "net/tls_context.h"

namespace net {
namespace {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

constexpr std::chrono::seconds kGoodbyeMax{2};
// After so many reads that never waited, others on the shard get a turn.
constexpr std::uint8_t kReadsAtOnceMax = 16;
const TlsFacts kNoTls;

// How a socket says that the peer is gone, whatever its manner.
bool MeansClosed(int code) {
  switch (code) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EBADF:
      return true;
    default:
      return false;
  }
}

Error SocketError(int code) {
  if (MeansClosed(code)) return Error(Errc::kClosed, "the peer closed the connection");
  return Error(Errc::kIo, base::ErrnoError("the socket failed", code).message());
}

}  // namespace

TcpConnection::TcpConnection(TcpSocket socket, PeerAddress peer, DeadlineSweep* sweep)
    : Entry(sweep), socket_(std::move(socket)), peer_(std::move(peer)) {}

TcpConnection::~TcpConnection() = default;

const TlsFacts& TcpConnection::tls() const {
  return tls_ != nullptr ? tls_->facts() : kNoTls;
}

Task<Result<std::size_t>> TcpConnection::Read(std::span<char> into) {
  CHECK(!into.empty());
  if (HasEnded()) co_return EndedError();
  if (tls_ != nullptr) co_return co_await ReadTls(into);
  const auto [code, size] = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), async::as_result);
  if (code) co_return Failure(code);
  co_return size;
}

Task<Result<>> TcpConnection::Write(std::string_view text) {
  if (HasEnded()) co_return EndedError();
  if (tls_ != nullptr) co_return co_await WriteTls(text);
  while (!text.empty()) {
    const ssize_t n = ::send(socket_.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      CO_RETURN_IF_ERROR(co_await WaitFor(Wait::wait_write));
    } else if (errno != EINTR) {
      co_return SocketError(errno);
    }
  }
  co_return Result<>();
}

std::size_t TcpConnection::TryWrite(std::string_view text) {
  if (HasEnded()) return 0;
  if (tls_ == nullptr) {
    const ssize_t n = ::send(socket_.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  std::size_t written = 0;
  while (written < text.size()) {
    const TlsStep step = tls_->Write(text.substr(written));
    if (step.state != TlsState::kDone) break;
    written += step.size;
  }
  return written;
}

void TcpConnection::AcknowledgeAtOnce() {
  if (HasEnded()) return;
  // Linux sends the acknowledgement that is due when the option is set; the option itself does not stay.
  const int on = 1;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

Task<Result<>> TcpConnection::StartTls(TlsContext* context) {
  CHECK(tls_ == nullptr);
  if (HasEnded()) co_return EndedError();
  tls_ = std::make_unique<TlsSession>(context, socket_.native_handle());
  Result<> done = co_await Handshake();
  if (!done.has_value()) Close();
  co_return done;
}

Task<Result<>> TcpConnection::Handshake() {
  for (;;) {
    const TlsStep step = tls_->Handshake();
    if (step.state == TlsState::kDone) {
      tls_->Flush();
      co_return Result<>();
    }
    if (step.state == TlsState::kFailed || step.state == TlsState::kClosed) {
      tls_->Flush();  // The alert that tells the client why.
      co_return Error(Errc::kIo, "TLS handshake failed: " + tls_->failure());
    }
    CO_RETURN_IF_ERROR(co_await WaitFor(step.state));
  }
}

void TcpConnection::Close() {
  closed_ = true;
  boost::system::error_code ignored;  // The descriptor is gone whatever close(2) says.
  socket_.close(ignored);
}

Task<void> TcpConnection::Shutdown() {
  if (closed_) co_return;
  Arm(kGoodbyeMax);
  if (tls_ != nullptr) {
    const Result<> flushed = co_await FlushTls();
    if (flushed.has_value()) tls_->SayGoodbye();
    if (closed_) co_return;
  }
  // With nothing unread, close sends FIN after what was written. With something unread it would send RST, which may
  // destroy our last reply on its way: then the peer gets the FIN first and the time to close.
  char byte = 0;
  const ssize_t unread = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (unread > 0) {
    ::shutdown(socket_.native_handle(), SHUT_WR);
    co_await DrainUntilClosed();
  }
  Close();
}

Task<void> TcpConnection::DrainUntilClosed() {
  std::array<char, 4096> unread;
  while (!HasEnded()) {
    const auto [code, size] = co_await socket_.async_read_some(asio::buffer(unread), async::as_result);
    if (code) co_return;
  }
}

void TcpConnection::OnExpired() {
  boost::system::error_code ignored;  // Nothing is under way on a socket that is closed already.
  socket_.cancel(ignored);
}

Error TcpConnection::EndedError() const {
  if (closed_) return Error(Errc::kClosed, "the connection was closed");
  return Error(Errc::kTimeout, "the peer did not answer in time");
}

Error TcpConnection::Failure(const boost::system::error_code& code) const {
  if (HasEnded()) return EndedError();
  if (code == asio::error::operation_aborted) throw boost::system::system_error(code);
  if (code == asio::error::eof) return Error(Errc::kClosed, "the peer closed the connection");
  return SocketError(code.value());
}

Task<Result<>> TcpConnection::WaitFor(Wait what) {
  const auto [code] = co_await socket_.async_wait(what, async::as_result);
  if (code) co_return Failure(code);
  if (HasEnded()) co_return EndedError();
  co_return Result<>();
}

Task<Result<>> TcpConnection::WaitFor(TlsState state) {
  switch (state) {
    case TlsState::kDone:
      break;
    case TlsState::kReadable:
      co_return co_await WaitFor(Wait::wait_read);
    case TlsState::kWritable: {
      CO_RETURN_IF_ERROR(co_await WaitFor(Wait::wait_write));
      tls_->Flush();
      break;
    }
    case TlsState::kClosed:
      co_return Error(Errc::kClosed, "the peer closed the connection");
    case TlsState::kFailed:
      co_return Error(Errc::kIo, "TLS failed: " + tls_->failure());
  }
  co_return Result<>();
}

Task<Result<std::size_t>> TcpConnection::ReadTls(std::span<char> into) {
  for (;;) {
    const TlsStep step = tls_->Read(into);
    if (step.state == TlsState::kDone) {
      // What an earlier write left must not wait for the peer's next words. An error shows at the next operation.
      tls_->Flush();
      if (++reads_at_once_ >= kReadsAtOnceMax) {
        reads_at_once_ = 0;
        co_await asio::post(socket_.get_executor(), async::use_task);
      }
      co_return step.size;
    }
    CO_RETURN_IF_ERROR(co_await WaitFor(step.state));
    reads_at_once_ = 0;
  }
}

Task<Result<>> TcpConnection::WriteTls(std::string_view text) {
  while (!text.empty()) {
    const TlsStep step = tls_->Write(text);
    if (step.state == TlsState::kDone) {
      text.remove_prefix(step.size);
    } else {
      CO_RETURN_IF_ERROR(co_await WaitFor(step.state));
    }
  }
  // Done means that the kernel has it: the caller may not touch this connection again for a long time.
  co_return co_await FlushTls();
}

Task<Result<>> TcpConnection::FlushTls() {
  for (;;) {
    const TlsState state = tls_->Flush();
    if (state == TlsState::kDone) co_return Result<>();
    CO_RETURN_IF_ERROR(co_await WaitFor(state));
  }
}

}  // namespace net
