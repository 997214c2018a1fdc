// What a POP3 session is told: limits, policy, and whom it works with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "auth/authenticator.h"
#include "base/metrics.h"
#include "net/tls_context.h"
#include "pop3/proto/uidl_format.h"
#include "pop3/server/maildrop_locks.h"
#include "store/mail_store.h"

namespace pop3::server {

struct Settings {
  std::string hostname = "localhost";
  std::chrono::seconds idle_max{600};  // RFC 1939 §3: at least ten minutes.
  std::uint32_t bad_commands_max = 20;
  std::uint32_t login_failures_max = 3;  // Then the connection is closed.
  std::uint32_t messages_max = 200'000;  // Of a maildrop that one session shows: the oldest.
  proto::UidlFormat uidl_format;
  bool plaintext_auth_on_loopback = false;
};

// Counters of all sessions of one listener; null: not counted.
struct SessionMetrics {
  base::Counter* logins = nullptr;
  base::Counter* login_failures = nullptr;
  base::Counter* retrieved = nullptr;
  base::Counter* deleted = nullptr;
};

// All borrowed; they outlive every session.
struct Services {
  store::MailStore* store = nullptr;
  auth::Authenticator* authenticator = nullptr;
  net::TlsContext* tls = nullptr;  // Null: no STLS.
  MaildropLocks* locks = nullptr;
  SessionMetrics metrics;
};

}  // namespace pop3::server
