// TlsSession: the TLS layer of one socket: OpenSSL's state machine over non-blocking send and recv.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "net/connection.h"

namespace net {

// What a step of TLS came to. After kReadable or kWritable the caller waits for the socket to be so and tries again.
enum class TlsState { kDone, kReadable, kWritable, kClosed, kFailed };

struct TlsStep {
  TlsState state = TlsState::kDone;
  std::size_t size = 0;  // Bytes of plaintext moved.
};

// Never waits. Records that the socket does not take are kept here (64 KiB at most), so a piece of plaintext once
// accepted is never offered to OpenSSL again, which would demand the very same bytes.
//
// Thread: the connection's. Borrows the descriptor, which outlives it. Why not asio::ssl::stream: that one keeps two
// 17 KiB buffers a connection beside OpenSSL's own, idle or not, and copies every record once more.
class TlsSession {
 public:
  TlsSession(TlsContext* context, int descriptor);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  TlsStep Handshake();
  TlsStep Read(std::span<char> into);
  // Takes up to one record (16 KiB) of `text`. kWritable: nothing was taken, older records are still here.
  TlsStep Write(std::string_view text);
  // Sends what is kept: kDone, kWritable or kClosed.
  TlsState Flush();
  // Says close_notify, as far as the socket takes it at once.
  void SayGoodbye();

  // Of the finished handshake; empty before.
  const TlsFacts& facts() const { return facts_; }
  // Why the last step was kFailed.
  const std::string& failure() const { return failure_; }

 private:
  friend struct SocketBio;
  TlsStep StepOf(int outcome, std::size_t size);

  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  int descriptor_;
  std::string unsent_;
  bool socket_failed_ = false;
  TlsFacts facts_;
  std::string failure_;
};

}  // namespace net
