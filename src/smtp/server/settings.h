// What an SMTP session is told: limits, policy, and whom it works with.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "net/tls_context.h"
#include "queue/mail_queue.h"
#include "replog/log.h"
#include "routing/address_book.h"
#include "smtp/server/judge.h"
#include "smtp/server/recipient_check.h"
#include "smtp/server/submission_limit.h"
#include "store/mail_store.h"

namespace smtp {

enum class LineEnds : std::uint8_t { kRefuse, kNormalize };
enum class Path : std::uint8_t { kAuto, kQueue };  // kQueue: always through the queue (for the benchmark of that path).

struct Settings {
  std::string hostname = "localhost";
  std::set<std::string, std::less<>>
      auto_create_domains;  // Accounts are made at their first RCPT; only with dev = true.
  std::uint64_t message_bytes_max = 50u << 20;
  std::uint32_t recipients_max = 1000;  // RFC 5321 §4.5.3.1.8: at least 100. Aliases count with all they lead to.
  std::uint32_t bad_commands_max = 20;
  std::uint32_t hops_max = 100;               // RFC 5321 §6.3.
  std::chrono::seconds command_timeout{300};  // RFC 5321 §4.5.3.2.
  std::chrono::seconds data_timeout{180};
  LineEnds line_ends = LineEnds::kRefuse;
  std::set<std::string, std::less<>>
      normalize_clients;  // IPs whose bare CR and LF are normalised whatever line_ends says.
  bool plaintext_auth_on_loopback = false;
  bool submission = false;  // RFC 6409: nothing without AUTH.
  // Of clients that have logged in, wherever they did:
  bool check_sender = true;                 // MAIL FROM must be an address that the account may send as.
  bool check_from = false;                  // So must the addresses in the From field.
  SubmissionLimit::Rates submission_rates;  // An account's.
  Path path = Path::kAuto;
  bool takes_unchecked = false;  // Recipients whose server cannot be asked (RecipientCheck); else they get 451.
};

// Counters of all sessions of one listener.
struct SessionMetrics {
  base::Counter* mails_direct = nullptr;  // Accepted straight into a mailbox partition.
  base::Counter* mails_queued = nullptr;  // Accepted through the queue.
  base::Counter* bytes = nullptr;
  base::Counter* refused_temporary = nullptr;  // 4xx after DATA.
  base::Counter* refused_permanent = nullptr;  // 5xx to RCPT or after DATA.
  // Of the refusals above and those of MAIL, those that the store is the reason for.
  base::Counter* refused_no_space = nullptr;
  base::Counter* refused_read_only = nullptr;
  base::Counter* refused_busy = nullptr;
  base::Counter* refused_failed = nullptr;
  base::Histogram* commit_seconds = nullptr;  // From the last byte of a mail to its 250.
};

// All borrowed; they outlive every session. `random` makes mail ids.
struct Services {
  // Never null. A reload puts another one here, on the sessions' shard; whoever waits in between keeps the one it began
  // with.
  std::shared_ptr<const routing::AddressBook> addresses;
  store::MailStore* store = nullptr;
  queue::MailQueue* queue = nullptr;
  replog::Log* log = nullptr;
  Judge* judge = nullptr;
  RecipientCheck* recipient_check = nullptr;  // Null: the recipients of relay domains are not asked for.
  auth::Authenticator* authenticator = nullptr;
  SubmissionLimit* submission_limit = nullptr;
  net::TlsContext* tls = nullptr;  // Null: no STARTTLS.
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  SessionMetrics metrics;
};

}  // namespace smtp
