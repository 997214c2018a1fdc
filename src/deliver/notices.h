// Notices: tells senders what became of their mail (RFC 3461), and records it in the same breath.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/clock.h"
#include "deliver/delivery_metrics.h"
#include "mail/delivery_status.h"
#include "queue/mail_queue.h"

namespace deliver {

struct NoticesOptions {
  std::string hostname = "localhost";                 // Ours.
  std::string postmaster = "postmaster";              // Told of mail that failed and has no sender.
  std::chrono::seconds delay_notice_after{4 * 3600};  // 0: no sender is told of a delay.
  std::uint64_t whole_mail_bytes_max = 64u << 10;     // A larger mail is returned as its header.
  std::uint64_t header_bytes_max = 64u << 10;         // The rest of a header is left out.
  NoticeMetrics metrics{};
};

// Who is told what (docs/decisions/0020-notices.md):
// - A failure: the sender, unless NOTIFY forbids it: then the mail goes for this recipient with a line in the log. Mail
//   without a sender: the postmaster. A notice to the postmaster that fails is held, and so is mail of class suspect or
//   held: its sender is most often forged.
// - A delay: once, whoever asked for it, and authenticated senders who asked for nothing.
// - A delivery: whoever asked for it, unless a next hop tells it.
//
// Thread: the queue's shard. Borrows queue and clock. Memory: one notice, and what it returns of the mail.
// Durability: outcome and notice are one entry of the log, so that no crash loses the one or doubles the other.
class Notices {
 public:
  Notices(queue::MailQueue* queue, const base::Clock* clock, NoticesOptions options);

  // As MailQueue::Record, with the notice that the outcomes ask for. To be called where cancellation waits.
  async::Task<base::Result<>> Record(queue::Claim claim, std::vector<queue::RecipientOutcome> outcomes);

 private:
  // Settles what is told of one recipient, if anything, and notes it in the decision.
  std::optional<mail::DsnAction> Settle(const queue::Claim& claim, const queue::RecipientOutcome& outcome,
                                        queue::Decision* decision) const;
  std::optional<mail::DsnAction> SettleFailure(const queue::Claim& claim, queue::Decision* decision) const;
  bool IsPostmaster(const std::string& address) const;
  // Nothing: there was no room for it. `claim` outlives the task.
  async::Task<std::optional<queue::Notice>> Write(const queue::Claim* claim,
                                                  std::vector<mail::DsnRecipient> recipients);
  // What of the mail is returned; nothing when it cannot be read.
  async::Task<std::string> ReadOriginal(const queue::Claim* claim, bool whole);

  queue::MailQueue* queue_;
  const base::Clock* clock_;
  NoticesOptions options_;
  std::string postmaster_key_;
};

}  // namespace deliver
