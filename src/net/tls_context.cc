#include "net/tls_context.h"

#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "base/check.h"

namespace net {
namespace {

using base::Errc;
using base::Error;
using base::Result;

std::shared_ptr<SSL_CTX> NewSettings(const SSL_METHOD* method) {
  SSL_CTX* settings = SSL_CTX_new(method);
  CHECK(settings != nullptr);
  CHECK(SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) == 1);
  // TLS 1.2 with forward secrecy and authenticated encryption only; 1.3 has nothing else.
  CHECK(SSL_CTX_set_cipher_list(settings, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
  SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(settings, 1);
  // An idle session gives its 34 KiB of record buffers back.
  SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);
  return {settings, SSL_CTX_free};
}

// OpenSSL's own message for a file that cannot be opened names neither the file nor the cause.
Result<> CheckReadable(const std::string& what, const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return base::ErrnoError("cannot read the " + what + " " + path, errno);
  ::close(fd);
  return {};
}

std::string DayOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

Result<> CheckValidity(const X509* certificate, const std::string& path) {
  const ASN1_TIME* last = X509_get0_notAfter(certificate);
  if (X509_cmp_current_time(last) < 0) {
    return Error(Errc::kInvalid, "the certificate " + path + " expired on " + DayOf(last) + ": renew it");
  }
  const ASN1_TIME* first = X509_get0_notBefore(certificate);
  if (X509_cmp_current_time(first) > 0) {
    return Error(Errc::kInvalid,
                 "the certificate " + path + " is not valid before " + DayOf(first) + ": check the machine's clock");
  }
  return {};
}

// Answers OpenSSL's question for a pass phrase with none, where its default would ask on the terminal.
int NoPassphrase(char*, int, int, void*) {
  return 0;
}

// What OpenSSL would refuse when it is too late for an error.
Result<> CheckServerName(const std::string& name) {
  const bool is_usable = !name.empty() && name.size() <= 253 && name.find('\0') == std::string::npos;
  if (!is_usable) return Error(Errc::kInvalid, "TLS cannot verify a server without a host name of 1 to 253 bytes");
  return {};
}

// RFC 6125, RFC 6066 §3: the certificate must name the server, and the server is told which name is meant.
void ExpectServer(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1) return;  // An address; it has no SNI.
  ERR_clear_error();
  CHECK(X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  CHECK(SSL_set_tlsext_host_name(ssl, name.c_str()) == 1);
}

Result<std::shared_ptr<SSL_CTX>> LoadSettings(const TlsFiles& files) {
  RETURN_IF_ERROR(CheckReadable("certificate", files.certificate));
  RETURN_IF_ERROR(CheckReadable("private key", files.key));
  std::shared_ptr<SSL_CTX> settings = NewSettings(TLS_server_method());
  SSL_CTX_set_default_passwd_cb(settings.get(), NoPassphrase);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(settings.get(), files.certificate.c_str()) != 1) {
    return Error(Errc::kInvalid, files.certificate + " is not a usable PEM certificate (" + TlsErrorText() +
                                     "): give the leaf, then its chain");
  }
  if (SSL_CTX_use_PrivateKey_file(settings.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    const std::string reason = TlsErrorText();
    if (mismatch) {
      return Error(Errc::kInvalid, "the private key " + files.key + " does not belong to the certificate " +
                                       files.certificate + ": name the two files of one pair");
    }
    return Error(Errc::kInvalid,
                 files.key + " is not a usable PEM private key (" + reason + "): give an unencrypted one");
  }
  if (SSL_CTX_check_private_key(settings.get()) != 1) {
    ERR_clear_error();
    return Error(Errc::kInvalid, "the private key " + files.key + " does not belong to the certificate " +
                                     files.certificate + ": name the two files of one pair");
  }
  RETURN_IF_ERROR(CheckValidity(SSL_CTX_get0_certificate(settings.get()), files.certificate));
  return settings;
}

}  // namespace

std::string TlsErrorText() {
  const unsigned long code = ERR_peek_error();  // The first is the cause, the later ones say who met it.
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "no reason given";
}

TlsContext::TlsContext(bool is_client, std::shared_ptr<SSL_CTX> settings, std::string server_name)
    : is_client_(is_client), server_name_(std::move(server_name)), settings_(std::move(settings)) {}

Result<std::unique_ptr<TlsContext>> TlsContext::Load(const TlsFiles& files) {
  ASSIGN_OR_RETURN(std::shared_ptr<SSL_CTX> settings, LoadSettings(files));
  return std::unique_ptr<TlsContext>(new TlsContext(false, std::move(settings)));
}

std::unique_ptr<TlsContext> TlsContext::ForClient(TlsVersion highest) {
  std::shared_ptr<SSL_CTX> settings = NewSettings(TLS_client_method());
  if (highest == TlsVersion::kTls12) CHECK(SSL_CTX_set_max_proto_version(settings.get(), TLS1_2_VERSION) == 1);
  SSL_CTX_set_verify(settings.get(), SSL_VERIFY_NONE, nullptr);
  return std::unique_ptr<TlsContext>(new TlsContext(true, std::move(settings)));
}

Result<std::unique_ptr<TlsContext>> TlsContext::ForVerifyingClient(std::string server_name,
                                                                   const std::string& ca_file) {
  RETURN_IF_ERROR(CheckServerName(server_name));
  std::shared_ptr<SSL_CTX> settings = NewSettings(TLS_client_method());
  ERR_clear_error();
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(settings.get()) != 1) {
      return Error(Errc::kIo, "cannot read the system's certificate authorities: " + TlsErrorText());
    }
  } else {
    RETURN_IF_ERROR(CheckReadable("file of certificate authorities", ca_file));
    if (SSL_CTX_load_verify_locations(settings.get(), ca_file.c_str(), nullptr) != 1) {
      return Error(Errc::kInvalid, ca_file + " has no usable PEM certificate of an authority (" + TlsErrorText() + ")");
    }
  }
  SSL_CTX_set_verify(settings.get(), SSL_VERIFY_PEER, nullptr);
  return std::unique_ptr<TlsContext>(new TlsContext(true, std::move(settings), std::move(server_name)));
}

Result<std::unique_ptr<TlsContext>> TlsContext::ForServer(std::string server_name) {
  CHECK(!server_name_.empty());
  RETURN_IF_ERROR(CheckServerName(server_name));
  std::shared_ptr<SSL_CTX> settings = settings_.With([](auto& current) { return current; });
  return std::unique_ptr<TlsContext>(new TlsContext(true, std::move(settings), std::move(server_name)));
}

void TlsContext::Adopt(TlsContext* next) {
  CHECK(!is_client_ && !next->is_client_);
  std::shared_ptr<SSL_CTX> settings = next->settings_.With([](auto& current) { return current; });
  settings_.With([&](auto& current) { current.swap(settings); });
}

SSL* TlsContext::NewSession() {
  const std::shared_ptr<SSL_CTX> settings = settings_.With([](auto& current) { return current; });
  SSL* ssl = SSL_new(settings.get());
  CHECK(ssl != nullptr);
  if (is_client_) {
    SSL_set_connect_state(ssl);
    if (!server_name_.empty()) ExpectServer(ssl, server_name_);
  } else {
    SSL_set_accept_state(ssl);
  }
  return ssl;
}

}  // namespace net
