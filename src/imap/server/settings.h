// What an IMAP session is told: limits, policy, and whom it works with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "imap/proto/command.h"
#include "imap/proto/command_reader.h"
#include "imap/server/recent_tracker.h"
#include "net/tls_context.h"
#include "replog/log.h"
#include "store/mail_store.h"

namespace imap {

struct Settings {
  std::string hostname = "localhost";
  std::uint64_t message_bytes_max = 50u << 20;  // Of an APPEND.
  std::uint32_t bad_commands_max = 20;          // In a row; then BYE.
  std::uint32_t login_failures_max = 5;         // On one connection; then BYE. The authenticator slows guessing down.
  std::chrono::seconds login_timeout{60};       // From the greeting to the login.
  std::chrono::seconds idle_timeout{1800};      // Between commands, and in IDLE (RFC 3501 §5.4: at least 30 minutes).
  std::chrono::seconds transfer_timeout{300};   // For a piece of a command that has begun, or of a response.
  std::uint32_t unseen_scan_max = 10'000;  // Messages looked at for SELECT's [UNSEEN]; past it the code is left out.
  bool plaintext_auth_on_loopback = false;
  // Before the login: a stranger needs no more than a long name and password, and there may be many strangers.
  ReaderLimits stranger{.line_bytes_max = 8 * 1024, .literal_bytes_max = 4 * 1024, .command_bytes_max = 16 * 1024};
  ReaderLimits reader;
  ParseLimits parser;
};

// Counters of all sessions of one listener; null where nobody counts.
struct SessionMetrics {
  base::Counter* logins = nullptr;
  base::Counter* login_failures = nullptr;
  base::Counter* commands = nullptr;
  base::Counter* appended = nullptr;
  // APPENDs that the store could not take, by why.
  base::Counter* refused_no_space = nullptr;
  base::Counter* refused_read_only = nullptr;
  base::Counter* refused_busy = nullptr;
  base::Counter* refused_over_quota = nullptr;
  base::Counter* refused_failed = nullptr;
};

// All borrowed; they outlive every session.
struct Services {
  store::MailStore* store = nullptr;
  replog::Log* log = nullptr;  // Asked whether there is room before an APPEND begins.
  auth::Authenticator* authenticator = nullptr;
  net::TlsContext* tls = nullptr;  // Null: no STARTTLS.
  const base::Clock* clock = nullptr;
  RecentTracker* recent = nullptr;
  SessionMetrics metrics{};
};

}  // namespace imap
