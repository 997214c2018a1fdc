#include "net/self_signed.h"

#include <cerrno>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/random.h"

namespace net {
namespace {

using base::ErrnoError;
using base::Result;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

TlsFiles FilesIn(const std::string& dir) {
  return {.certificate = dir + "/tls-cert.pem", .key = dir + "/tls-key.pem"};
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr);
  CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// The name goes into OpenSSL's extension language, where a comma would begin another entry.
bool IsHostname(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return !name.empty() && name.size() <= 255 && name.find_first_not_of(kLetters) == std::string_view::npos;
}

Certificate Sign(EVP_PKEY* key, const std::string& hostname, std::chrono::days lifetime) {
  Certificate certificate(X509_new(), X509_free);
  CHECK(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  // Positive and unique, as RFC 5280 §4.1.2.2 asks.
  CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), base::SecureRandom64() >> 1 | 1) == 1);
  // A day back, for clients whose clock is slow.
  constexpr long kDay = 24 * 60 * 60;
  const bool expired = lifetime < std::chrono::days(0);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), kDay * (expired ? lifetime.count() - 1 : -1));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDay * lifetime.count());
  CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  // The common name holds 64 bytes at most; clients look at the subject alternative name.
  const std::string common = hostname.substr(0, 64);
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()),
                                   -1, -1, 0) == 1);
  CHECK(X509_set_issuer_name(certificate.get(), name) == 1);
  AddExtension(certificate.get(), NID_subject_alt_name, "DNS:" + hostname);
  AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) != 0);
  return certificate;
}

std::string Contents(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<> WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0) return ErrnoError("cannot write " + path, errno);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return ErrnoError("cannot write " + path, errno);
  return {};
}

Result<> WriteAtomically(const std::string& path, std::string_view text, ::mode_t mode) {
  const std::string draft = path + ".new";
  ::unlink(draft.c_str());  // Left by a start that was cut off; its mode may be another.
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return ErrnoError("cannot create " + draft, errno);
  const Result<> written = WriteAll(fd, text, draft);
  ::close(fd);
  RETURN_IF_ERROR(written);
  if (::rename(draft.c_str(), path.c_str()) != 0) return ErrnoError("cannot rename " + draft, errno);
  return {};
}

Result<> SyncFolder(const std::string& dir) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoError("cannot open " + dir, errno);
  const int outcome = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (outcome != 0) return ErrnoError("cannot sync " + dir, error);
  return {};
}

}  // namespace

Result<TlsFiles> MakeSelfSigned(const std::string& dir, const std::string& hostname, std::chrono::days lifetime) {
  if (!IsHostname(hostname)) {
    return base::Error(base::Errc::kInvalid,
                       "cannot make a certificate for \"" + hostname + "\": it is not a host name");
  }
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  CHECK(key != nullptr);
  const Certificate certificate = Sign(key.get(), hostname, lifetime);
  const Memory key_text(BIO_new(BIO_s_mem()), BIO_free);
  const Memory certificate_text(BIO_new(BIO_s_mem()), BIO_free);
  CHECK(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  CHECK(PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1);

  const TlsFiles files = FilesIn(dir);
  // The certificate last: a start cut off between the two makes both anew.
  RETURN_IF_ERROR(WriteAtomically(files.key, Contents(key_text.get()), 0600));
  RETURN_IF_ERROR(WriteAtomically(files.certificate, Contents(certificate_text.get()), 0644));
  RETURN_IF_ERROR(SyncFolder(dir));
  return files;
}

Result<TlsFiles> EnsureSelfSigned(const std::string& dir, const std::string& hostname) {
  const TlsFiles files = FilesIn(dir);
  if (::access(files.certificate.c_str(), F_OK) == 0) return files;
  return MakeSelfSigned(dir, hostname);
}

}  // namespace net
