#include "net/tls_context.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "net/self_signed.h"

namespace net {
namespace {

using base::Errc;

class TlsContextTest : public testing::Test {
 protected:
  TlsContextTest() {
    char name[] = "/tmp/posthorn-tls-XXXXXX";
    dir_ = ::mkdtemp(name);
    std::filesystem::create_directory(dir_ + "/other");
  }
  ~TlsContextTest() override { std::filesystem::remove_all(dir_); }

  std::string LoadError(const TlsFiles& files, Errc code) {
    const auto context = TlsContext::Load(files);
    if (context.has_value()) return "loaded";
    EXPECT_EQ(context.error().code(), code);
    return context.error().message();
  }

  std::string CommonName(TlsContext& context) {
    SSL* ssl = context.NewSession();
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get_certificate(ssl)), NID_commonName, name, sizeof name);
    SSL_free(ssl);
    return name;
  }

  // A handshake in memory. What the client says of it: "verified", or why not.
  static std::string Handshake(TlsContext& server, TlsContext& client) {
    const std::unique_ptr<SSL, void (*)(SSL*)> ends[] = {{client.NewSession(), SSL_free},
                                                         {server.NewSession(), SSL_free}};
    BIO* wires[2];
    BIO_new_bio_pair(&wires[0], 0, &wires[1], 0);
    for (int i = 0; i < 2; ++i) SSL_set_bio(ends[i].get(), wires[i], wires[i]);
    for (int i = 0; i < 20; ++i) {
      if (SSL_do_handshake(ends[i % 2].get()) == 1 && i % 2 == 0) return "verified";
    }
    return X509_verify_cert_error_string(SSL_get_verify_result(ends[0].get()));
  }

  std::string dir_;
};

TEST_F(TlsContextTest, TheSelfSignedPairLoadsAndItsKeyIsPrivate) {
  const auto files = MakeSelfSigned(dir_, "mx.example.test");
  ASSERT_TRUE(files.has_value()) << files.error().message();
  struct stat status{};
  ASSERT_EQ(::stat(files->key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  auto context = TlsContext::Load(*files);
  ASSERT_TRUE(context.has_value()) << context.error().message();
  SSL* ssl = (*context)->NewSession();
  X509* certificate = SSL_get_certificate(ssl);
  EXPECT_EQ(X509_check_host(certificate, "mx.example.test", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(certificate, "other.example.test", 0, 0, nullptr), 0);
  EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)), EVP_PKEY_EC);
  int days = 0, seconds = 0;
  ASSERT_EQ(ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)), 1);
  EXPECT_GE(days, 3649);
  SSL_free(ssl);
}

TEST_F(TlsContextTest, EnsureKeepsThePairThatIsThere) {
  ASSERT_TRUE(EnsureSelfSigned(dir_, "first.example.test").has_value());
  const auto files = EnsureSelfSigned(dir_, "second.example.test");
  auto context = TlsContext::Load(*files);
  EXPECT_EQ(CommonName(**context), "first.example.test");
}

TEST_F(TlsContextTest, RefusesAHostNameThatIsNone) {
  for (const std::string name : {"", "a b", "mx.example.test,DNS:evil.example", "mx\n"}) {
    EXPECT_FALSE(MakeSelfSigned(dir_, name).has_value()) << name;
  }
}

TEST_F(TlsContextTest, EachBadPairIsOneSentenceThatNamesTheFile) {
  const TlsFiles good = *MakeSelfSigned(dir_, "mx.example.test");
  const TlsFiles other = *MakeSelfSigned(dir_ + "/other", "mx.example.test");
  EXPECT_EQ(LoadError({.certificate = dir_ + "/none.pem", .key = good.key}, Errc::kNotFound),
            "cannot read the certificate " + dir_ + "/none.pem: No such file or directory");
  EXPECT_EQ(LoadError({.certificate = good.certificate, .key = dir_ + "/none.pem"}, Errc::kNotFound),
            "cannot read the private key " + dir_ + "/none.pem: No such file or directory");
  EXPECT_EQ(LoadError({.certificate = good.certificate, .key = other.key}, Errc::kInvalid),
            "the private key " + other.key + " does not belong to the certificate " + good.certificate +
                ": name the two files of one pair");
  const std::string junk = dir_ + "/junk.pem";
  std::ofstream(junk) << "hello\n";
  EXPECT_EQ(LoadError({.certificate = junk, .key = good.key}, Errc::kInvalid),
            junk + " is not a usable PEM certificate (no start line): give the leaf, then its chain");
  EXPECT_NE(LoadError({.certificate = good.certificate, .key = junk}, Errc::kInvalid).find("usable PEM private key"),
            std::string::npos);
  const TlsFiles expired = *MakeSelfSigned(dir_, "mx.example.test", std::chrono::days(-2));
  EXPECT_NE(LoadError(expired, Errc::kInvalid).find("the certificate " + expired.certificate + " expired on 20"),
            std::string::npos);
}

TEST_F(TlsContextTest, AdoptsTheCertificateOfAnotherWhichStays) {
  const TlsFiles files = *MakeSelfSigned(dir_, "old.example.test");
  auto context = *TlsContext::Load(files);
  ASSERT_TRUE(MakeSelfSigned(dir_, "new.example.test").has_value());
  EXPECT_EQ(CommonName(*context), "old.example.test") << "files are read once";
  auto next = *TlsContext::Load(files);
  context->Adopt(next.get());
  EXPECT_EQ(CommonName(*context), "new.example.test");
  next.reset();
  EXPECT_EQ(CommonName(*context), "new.example.test");
}

TEST_F(TlsContextTest, AVerifyingClientWantsTheNameAndTheAuthority) {
  const TlsFiles files = *MakeSelfSigned(dir_, "mx.example.test");
  const TlsFiles other = *MakeSelfSigned(dir_ + "/other", "mx.example.test");
  const auto server = *TlsContext::Load(files);
  const auto trusts = *TlsContext::ForVerifyingClient("mx.example.test", files.certificate);
  EXPECT_EQ(Handshake(*server, *trusts), "verified");
  EXPECT_EQ(Handshake(*server, **trusts->ForServer("MX.Example.TEST")), "verified");
  EXPECT_EQ(Handshake(*server, **trusts->ForServer("mx2.example.test")), "hostname mismatch");
  EXPECT_EQ(Handshake(*server, **trusts->ForServer("192.0.2.1")), "IP address mismatch");
  EXPECT_EQ(Handshake(*server, **TlsContext::ForVerifyingClient("mx.example.test", other.certificate)),
            "self-signed certificate");
  EXPECT_EQ(Handshake(*server, **TlsContext::ForVerifyingClient("mx.example.test")), "self-signed certificate");
  EXPECT_EQ(Handshake(*server, *TlsContext::ForClient()), "verified");  // Looks at nothing.
}

TEST_F(TlsContextTest, AVerifyingClientThatCannotVerifyIsNotMade) {
  const TlsFiles files = *MakeSelfSigned(dir_, "mx.example.test");
  EXPECT_EQ(TlsContext::ForVerifyingClient("mx.test", dir_ + "/none").error().code(), Errc::kNotFound);
  EXPECT_EQ(TlsContext::ForVerifyingClient("mx.test", files.key).error().code(), Errc::kInvalid);
  EXPECT_EQ(TlsContext::ForVerifyingClient("").error().code(), Errc::kInvalid);
  const auto client = *TlsContext::ForVerifyingClient("mx.test", files.certificate);
  EXPECT_EQ(client->ForServer(std::string(254, 'a')).error().code(), Errc::kInvalid);
}

TEST_F(TlsContextTest, TakesOverACertificateThatWasLoadedLater) {
  const TlsFiles files = *MakeSelfSigned(dir_, "old.example.test");
  auto context = *TlsContext::Load(files);
  ASSERT_TRUE(MakeSelfSigned(dir_, "new.example.test").has_value());
  auto next = *TlsContext::Load(files);
  EXPECT_EQ(CommonName(*context), "old.example.test");
  context->Adopt(next.get());
  next.reset();
  EXPECT_EQ(CommonName(*context), "new.example.test");
}

}  // namespace
}  // namespace net
