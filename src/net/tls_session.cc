#include "net/tls_session.h"

#include <algorithm>
#include <cerrno>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/check.h"
#include "net/tls_context.h"

namespace net {

namespace {
constexpr std::size_t kUnsentMax = 64 * 1024;
constexpr std::size_t kRecordMax = 16 * 1024;  // RFC 8446 §5.1.
}  // namespace

// OpenSSL's own socket BIO calls write(), which raises SIGPIPE, and has nowhere to keep what the socket does not take.
struct SocketBio {
  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = Make();
    return method;
  }

  static BIO_METHOD* Make() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "posthorn socket");
    CHECK(method != nullptr);
    BIO_meth_set_read(method, Read);
    BIO_meth_set_write(method, Write);
    BIO_meth_set_ctrl(method, Control);
    return method;
  }

  static int Read(BIO* bio, char* into, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    ssize_t n = 0;
    do {
      n = ::recv(session->descriptor_, into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) return static_cast<int>(n);
    if (n < 0 && errno == EAGAIN) {
      BIO_set_retry_read(bio);
    } else {
      session->socket_failed_ = true;
    }
    return -1;
  }

  static int Write(BIO* bio, const char* from, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const TlsState flushed = session->Flush();
    if (flushed == TlsState::kClosed) return -1;
    if (session->unsent_.size() >= kUnsentMax) {
      BIO_set_retry_write(bio);
      return -1;
    }
    session->unsent_.append(from, static_cast<std::size_t>(size));
    if (flushed == TlsState::kDone && session->Flush() == TlsState::kClosed) return -1;
    return size;
  }

  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

TlsSession::TlsSession(TlsContext* context, int descriptor)
    : ssl_(context->NewSession(), SSL_free), descriptor_(descriptor) {
  BIO* bio = BIO_new(SocketBio::Method());
  CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsSession::~TlsSession() = default;

TlsStep TlsSession::Handshake() {
  ERR_clear_error();
  const TlsStep step = StepOf(SSL_do_handshake(ssl_.get()), 0);
  if (step.state == TlsState::kDone) {
    facts_.version = SSL_get_version(ssl_.get());
    facts_.cipher = SSL_get_cipher_name(ssl_.get());
  }
  return step;
}

TlsStep TlsSession::Read(std::span<char> into) {
  ERR_clear_error();
  std::size_t size = 0;
  const int outcome = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
  return StepOf(outcome, size);
}

TlsStep TlsSession::Write(std::string_view text) {
  const TlsState flushed = Flush();
  if (flushed != TlsState::kDone) return {.state = flushed};
  ERR_clear_error();
  std::size_t size = 0;
  const int outcome = SSL_write_ex(ssl_.get(), text.data(), std::min(text.size(), kRecordMax), &size);
  return StepOf(outcome, size);
}

TlsState TlsSession::Flush() {
  if (socket_failed_) return TlsState::kClosed;
  std::size_t sent = 0;
  while (sent < unsent_.size()) {
    const ssize_t n = ::send(descriptor_, unsent_.data() + sent, unsent_.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) socket_failed_ = true;
    break;
  }
  unsent_.erase(0, sent);
  if (socket_failed_) return TlsState::kClosed;
  if (!unsent_.empty()) return TlsState::kWritable;
  // What an idle connection keeps, it keeps five thousand times.
  if (unsent_.capacity() > kUnsentMax / 4) unsent_ = {};
  return TlsState::kDone;
}

void TlsSession::SayGoodbye() {
  if (facts_.version.empty() || socket_failed_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  Flush();
}

TlsStep TlsSession::StepOf(int outcome, std::size_t size) {
  if (outcome == 1) return {.state = TlsState::kDone, .size = size};
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
      // The peer may be waiting for records of ours that are still here.
      return {.state = unsent_.empty() ? TlsState::kReadable : TlsState::kWritable};
    case SSL_ERROR_WANT_WRITE:
      return {.state = TlsState::kWritable};
    case SSL_ERROR_ZERO_RETURN:
      return {.state = TlsState::kClosed};
    default:
      break;
  }
  failure_ = socket_failed_ ? "the peer closed the connection" : TlsErrorText();
  // Which of the many things that can be wrong with a certificate.
  const long verified = SSL_get_verify_result(ssl_.get());
  const bool is_distrusted = !socket_failed_ && facts_.version.empty() && verified != X509_V_OK;
  if (is_distrusted && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE) {
    failure_ += std::string(": ") + X509_verify_cert_error_string(verified);
  }
  ERR_clear_error();
  return {.state = socket_failed_ ? TlsState::kClosed : TlsState::kFailed};
}

}  // namespace net
