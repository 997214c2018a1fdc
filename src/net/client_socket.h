// ClientSocket: a blocking connection to a server, plain or TLS with the server verified, for commands without a loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace net {

struct ClientSocketOptions {
  std::string host;  // A name or an address.
  std::uint16_t port = 0;
  std::chrono::seconds wait_max{120};  // For each read and write, and for the connection.
  bool verifies_tls = true;            // The certificate must be for `host`, by the system's certificate authorities.
  std::string ca_file;                 // PEM; empty: those of the system.
};

// Thread: one; calls block. Owns the descriptor. Movable.
class ClientSocket {
 public:
  // Errors: kNotFound (no such host), kClosed (nobody listens there), kTimeout, kIo.
  static base::Result<ClientSocket> Connect(ClientSocketOptions options);
  ClientSocket(ClientSocket&& other) noexcept;
  ClientSocket& operator=(ClientSocket&&) = delete;
  ~ClientSocket();

  // From here on all is encrypted. Errors: kDenied (the server cannot prove who it is; says what to do), kIo, kTimeout.
  base::Result<> StartTls();
  bool is_tls() const { return tls_ != nullptr; }
  bool is_loopback() const { return is_loopback_; }

  // At least one byte. Errors: kClosed, kTimeout, kIo.
  base::Result<std::size_t> Read(std::span<char> into);
  base::Result<> Write(std::string_view text);

 private:
  struct FreeTls {
    void operator()(ssl_st* tls) const;
    void operator()(ssl_ctx_st* settings) const;
  };
  ClientSocket(ClientSocketOptions options, int descriptor, bool is_loopback)
      : options_(std::move(options)), descriptor_(descriptor), is_loopback_(is_loopback) {}
  base::Error TlsFailure(std::string_view doing, int returned) const;

  ClientSocketOptions options_;
  int descriptor_;
  bool is_loopback_;
  std::unique_ptr<ssl_ctx_st, FreeTls> settings_;
  std::unique_ptr<ssl_st, FreeTls> tls_;
};

}  // namespace net
