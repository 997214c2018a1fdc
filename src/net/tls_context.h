// TlsContext: what TLS needs beside a connection: the certificate, its key and the protocol's settings.
#pragma once

#include <memory>
#include <string>

#include <openssl/types.h>

#include "base/guarded.h"
#include "base/result.h"

namespace net {

// PEM files: the certificate with its chain, leaf first, and the private key.
struct TlsFiles {
  std::string certificate;
  std::string key;
};

enum class TlsVersion { kTls12, kNewest };

// TLS 1.2 and 1.3, no renegotiation, no session cache (tickets resume without memory of ours).
//
// Thread: any. A connection keeps the certificate it began with; Adopt() changes what the next ones get.
// Outlives every StartTls() it is given to.
class TlsContext {
 public:
  // A server's. Errors are sentences for the operator: kIo (a file cannot be read), kInvalid (not PEM, the key does not
  // belong to the certificate, expired or not yet valid).
  static base::Result<std::unique_ptr<TlsContext>> Load(const TlsFiles& files);
  // A client's, which encrypts without verifying the server (opportunistic TLS, RFC 7435), up to version `highest`.
  static std::unique_ptr<TlsContext> ForClient(TlsVersion highest = TlsVersion::kNewest);
  // A client's, which goes on only with a server that proves to be `server_name` (a host name, or a numeric address):
  // its certificate names it and comes from an authority in `ca_file` (PEM; empty: the system's). The handshake fails
  // otherwise, and says why. Errors: kIo or the errno's code (a file cannot be read), kInvalid (not PEM, no name).
  static base::Result<std::unique_ptr<TlsContext>> ForVerifyingClient(std::string server_name,
                                                                      const std::string& ca_file = {});
  // Of a verifying client: the same for another server, with the same authorities. Costs next to nothing. Errors:
  // kInvalid (no name).
  base::Result<std::unique_ptr<TlsContext>> ForServer(std::string server_name);

  // Takes over the certificate of `next`, a server's just loaded. It cannot fail: for a reload of several things, which
  // loads all of them first and changes something only when all are there.
  void Adopt(TlsContext* next);

  bool is_client() const { return is_client_; }
  // A new SSL in the right role, for one connection.
  SSL* NewSession();

 private:
  TlsContext(bool is_client, std::shared_ptr<SSL_CTX> settings, std::string server_name = {});

  const bool is_client_;
  const std::string server_name_;                     // Who the other side has to be; empty: anybody.
  base::Guarded<std::shared_ptr<SSL_CTX>> settings_;  // Shared with readers that are just making a session.
};

// The reason OpenSSL gives for the failure of the last call on this thread; clears its error queue.
std::string TlsErrorText();

}  // namespace net
