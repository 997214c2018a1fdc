#include "net/memory_connection.h"

#include <algorithm>
#include <array>

#include "async/notifier.h"
#include "base/check.h"

namespace net {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

// What one end has: what it may read, and how far it is in its life.
struct MemoryConnection::End {
  std::string inbox;
  bool closed = false;
  bool wants_tls = false;
  bool has_tls = false;
};

struct MemoryConnection::Wire {
  Wire(async::Executor executor, MemoryOptions with) : options(std::move(with)), changed(executor) {}

  MemoryOptions options;
  std::array<End, 2> ends;
  async::Notifier changed;
};

MemoryConnection::Pair MemoryConnection::MakePair(async::Executor executor, DeadlineSweep* sweep,
                                                  MemoryOptions options) {
  const PeerAddress client = options.client;
  auto wire = std::make_shared<Wire>(executor, std::move(options));
  const PeerAddress server{.ip = "127.0.0.1", .port = 25, .is_loopback = true};
  return {.server = std::unique_ptr<MemoryConnection>(new MemoryConnection(wire, 0, sweep, client)),
          .client = std::unique_ptr<MemoryConnection>(new MemoryConnection(wire, 1, sweep, server))};
}

MemoryConnection::MemoryConnection(std::shared_ptr<Wire> wire, int side, DeadlineSweep* sweep, PeerAddress peer)
    : Entry(sweep), wire_(std::move(wire)), side_(side), peer_(std::move(peer)) {}

MemoryConnection::~MemoryConnection() {
  MemoryConnection::Close();
}

MemoryConnection::End& MemoryConnection::mine() const {
  return wire_->ends[static_cast<std::size_t>(side_)];
}
MemoryConnection::End& MemoryConnection::theirs() const {
  return wire_->ends[static_cast<std::size_t>(1 - side_)];
}

bool MemoryConnection::HasEnded() const {
  return mine().closed || expired();
}

Error MemoryConnection::EndedError() const {
  if (mine().closed) return Error(Errc::kClosed, "the connection was closed");
  return Error(Errc::kTimeout, "the peer did not answer in time");
}

Task<Result<std::size_t>> MemoryConnection::Read(std::span<char> into) {
  CHECK(!into.empty());
  for (;;) {
    if (HasEnded()) co_return EndedError();
    std::string& inbox = mine().inbox;
    if (!inbox.empty()) {
      const std::size_t size = std::min({into.size(), inbox.size(), wire_->options.piece_bytes_max});
      std::copy_n(inbox.begin(), size, into.begin());
      inbox.erase(0, size);
      wire_->changed.NotifyAll();
      co_return size;
    }
    if (theirs().closed) co_return Error(Errc::kClosed, "the peer closed the connection");
    co_await wire_->changed.Wait();
  }
}

Task<Result<>> MemoryConnection::Write(std::string_view text) {
  for (;;) {
    if (HasEnded()) co_return EndedError();
    if (theirs().closed) co_return Error(Errc::kClosed, "the peer closed the connection");
    text.remove_prefix(TryWrite(text));
    if (text.empty()) co_return Result<>();
    co_await wire_->changed.Wait();
  }
}

std::size_t MemoryConnection::TryWrite(std::string_view text) {
  if (HasEnded() || theirs().closed) return 0;
  std::string& inbox = theirs().inbox;
  const std::size_t room = wire_->options.buffer_bytes_max - inbox.size();
  const std::size_t size = std::min(room, text.size());
  inbox.append(text.substr(0, size));
  if (size > 0) wire_->changed.NotifyAll();
  return size;
}

Task<Result<>> MemoryConnection::StartTls(TlsContext*) {
  CHECK(!mine().wants_tls);
  mine().wants_tls = true;
  wire_->changed.NotifyAll();
  for (;;) {
    if (HasEnded()) co_return EndedError();
    // The other end may have written over TLS before this one resumed.
    if (mine().has_tls) break;
    if (!mine().inbox.empty()) {
      Close();
      co_return Error(Errc::kIo, "TLS handshake failed: plaintext where the handshake belongs");
    }
    // Where plaintext of ours lies unread, it is their task to fail.
    if (theirs().wants_tls && theirs().inbox.empty()) {
      mine().has_tls = theirs().has_tls = true;
      wire_->changed.NotifyAll();
      break;
    }
    if (theirs().closed) co_return Error(Errc::kIo, "TLS handshake failed: the peer closed the connection");
    co_await wire_->changed.Wait();
  }
  tls_ = {.version = "TLSv1.3", .cipher = "MEMORY"};
  co_return Result<>();
}

void MemoryConnection::Close() {
  mine().closed = true;
  wire_->changed.NotifyAll();
}

Task<void> MemoryConnection::Shutdown() {
  Close();
  co_return;
}

void MemoryConnection::OnExpired() {
  wire_->changed.NotifyAll();
}

}  // namespace net
