#include "net/client_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/network.h"
#include "net/tls_context.h"

namespace net {

using base::Errc;
using base::Error;
using base::Result;

namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> Resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) return Error(Errc::kNotFound, fmt::format("find the host {}: {}", host, ::gai_strerror(failed)));
  return Addresses(list);
}

Error SocketFailure(std::string_view doing, const std::string& host, int code) {
  if (code == EAGAIN || code == EINPROGRESS) {
    return Error(Errc::kTimeout, fmt::format("{} {}: no answer in time", doing, host));
  }
  if (code == ECONNREFUSED) return Error(Errc::kClosed, fmt::format("{} {}: nobody listens there", doing, host));
  if (code == ECONNRESET || code == EPIPE) return Error(Errc::kClosed, host + " closed the connection");
  return base::ErrnoError(fmt::format("{} {}", doing, host), code);
}

bool IsAddress(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace

void ClientSocket::FreeTls::operator()(ssl_st* tls) const {
  ::SSL_free(tls);
}
void ClientSocket::FreeTls::operator()(ssl_ctx_st* settings) const {
  ::SSL_CTX_free(settings);
}

Result<ClientSocket> ClientSocket::Connect(ClientSocketOptions options) {
  ASSIGN_OR_RETURN(const Addresses addresses, Resolve(options.host, options.port));
  const std::string where = fmt::format("{}:{}", options.host, options.port);
  Error last(Errc::kNotFound, where + " has no address");
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const int descriptor = ::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (descriptor < 0) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, address->ai_addr, std::min<std::size_t>(address->ai_addrlen, sizeof storage));
    ClientSocket socket(options, descriptor, ToPeerAddress(storage).is_loopback);
    const timeval wait{.tv_sec = options.wait_max.count(), .tv_usec = 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (::connect(descriptor, address->ai_addr, address->ai_addrlen) == 0) return socket;
    last = SocketFailure("connect to", where, errno);
  }
  return last;
}

ClientSocket::ClientSocket(ClientSocket&& other) noexcept
    : options_(std::move(other.options_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      is_loopback_(other.is_loopback_),
      settings_(std::move(other.settings_)),
      tls_(std::move(other.tls_)) {}

ClientSocket::~ClientSocket() {
  if (tls_ != nullptr) ::SSL_shutdown(tls_.get());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<> ClientSocket::StartTls() {
  settings_.reset(::SSL_CTX_new(::TLS_client_method()));
  if (settings_ == nullptr) return Error(Errc::kIo, "start TLS: " + TlsErrorText());
  ::SSL_CTX_set_min_proto_version(settings_.get(), TLS1_2_VERSION);
  if (options_.verifies_tls) {
    const bool has_authorities =
        options_.ca_file.empty()
            ? ::SSL_CTX_set_default_verify_paths(settings_.get()) == 1
            : ::SSL_CTX_load_verify_locations(settings_.get(), options_.ca_file.c_str(), nullptr) == 1;
    if (!has_authorities) return Error(Errc::kIo, "read the certificate authorities: " + TlsErrorText());
    ::SSL_CTX_set_verify(settings_.get(), SSL_VERIFY_PEER, nullptr);
  }
  tls_.reset(::SSL_new(settings_.get()));
  if (tls_ == nullptr || ::SSL_set_fd(tls_.get(), descriptor_) != 1) {
    return Error(Errc::kIo, "start TLS: " + TlsErrorText());
  }
  if (IsAddress(options_.host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls_.get()), options_.host.c_str());
  } else {
    ::SSL_set1_host(tls_.get(), options_.host.c_str());
    ::SSL_set_tlsext_host_name(tls_.get(), options_.host.c_str());
  }
  const int done = ::SSL_connect(tls_.get());
  if (done == 1) return {};
  const long verified = ::SSL_get_verify_result(tls_.get());
  if (options_.verifies_tls && verified != X509_V_OK) {
    return Error(Errc::kDenied,
                 fmt::format("{} cannot prove who it is ({}); give --ca-file with its certificate authority, or "
                             "--no-verify-tls if nobody can be in between",
                             options_.host, ::X509_verify_cert_error_string(verified)));
  }
  return TlsFailure("start TLS with", done);
}

Result<std::size_t> ClientSocket::Read(std::span<char> into) {
  for (;;) {
    errno = 0;
    const auto size = tls_ != nullptr ? ::SSL_read(tls_.get(), into.data(), static_cast<int>(into.size()))
                                      : static_cast<int>(::recv(descriptor_, into.data(), into.size(), 0));
    if (size > 0) return static_cast<std::size_t>(size);
    if (size < 0 && errno == EINTR) continue;
    if (tls_ != nullptr) return TlsFailure("read from", size);
    if (size == 0) return Error(Errc::kClosed, options_.host + " closed the connection");
    return SocketFailure("read from", options_.host, errno);
  }
}

Result<> ClientSocket::Write(std::string_view text) {
  while (!text.empty()) {
    errno = 0;
    const auto size = tls_ != nullptr ? ::SSL_write(tls_.get(), text.data(),
                                                    static_cast<int>(std::min(text.size(), std::size_t{1} << 20)))
                                      : static_cast<int>(::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL));
    if (size <= 0 && errno == EINTR) continue;
    if (size <= 0 && tls_ != nullptr) return TlsFailure("write to", size);
    if (size <= 0) return SocketFailure("write to", options_.host, errno);
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

Error ClientSocket::TlsFailure(std::string_view doing, int returned) const {
  const int code = errno;
  switch (::SSL_get_error(tls_.get(), returned)) {
    case SSL_ERROR_ZERO_RETURN:
      return Error(Errc::kClosed, options_.host + " closed the connection");
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Error(Errc::kTimeout, fmt::format("{} {}: no answer in time", doing, options_.host));
    case SSL_ERROR_SYSCALL:
      return code != 0 ? SocketFailure(doing, options_.host, code)
                       : Error(Errc::kClosed, options_.host + " closed the connection");
    default:
      return Error(Errc::kIo, fmt::format("{} {}: {}", doing, options_.host, TlsErrorText()));
  }
}

}  // namespace net
