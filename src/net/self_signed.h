// A certificate of our own making, so that a first start has TLS without asking for anything.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "net/tls_context.h"

namespace net {

inline constexpr std::chrono::days kSelfSignedLifetime{3650};

// Makes an EC P-256 key and a self-signed certificate for `hostname`, and writes them into the existing folder `dir` as
// tls-key.pem (0600) and tls-cert.pem. Each file appears whole or not at all, the key first. Blocks: for start-up.
// Errors: kInvalid (no host name), or the errno's code with the path.
base::Result<TlsFiles> MakeSelfSigned(const std::string& dir, const std::string& hostname,
                                      std::chrono::days lifetime = kSelfSignedLifetime);

// The pair in `dir`, made if the certificate is not there yet.
base::Result<TlsFiles> EnsureSelfSigned(const std::string& dir, const std::string& hostname);

}  // namespace net
