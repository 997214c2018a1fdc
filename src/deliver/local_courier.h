// LocalCourier: delivers into mailboxes of this node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "deliver/courier.h"
#include "mail/address.h"
#include "store/mail_store.h"

namespace deliver {

struct LocalCourierOptions {
  char recipient_delimiter = '+';
  std::string
      postmaster;  // Canonical address that mail to any postmaster goes to; empty: the account postmaster@DOMAIN.
};

// Recipients of one mailbox partition share one entry and its bytes; partitions are served one after the other, and
// none waits for another's success.
//
// Thread: the shard of queue and store, both borrowed. Memory: one piece of a body (256 KiB) at a time.
class LocalCourier final : public Courier {
 public:
  LocalCourier(queue::MailQueue* queue, store::MailStore* store, const base::Clock* clock, LocalCourierOptions options)
      : queue_(queue), store_(store), clock_(clock), options_(std::move(options)) {}

  async::Task<std::vector<queue::RecipientOutcome>> Deliver(queue::Claim claim) override;

 private:
  // One recipient whose account is known.
  struct Stop {
    std::uint32_t recipient = 0;
    std::string account;
  };

  std::string AccountOf(const std::string& recipient) const;
  async::Task<base::Result<>> DeliverToPartition(const queue::Claim* claim, std::vector<Stop> stops);
  async::Task<base::Result<replog::Body>> CopyBody(const queue::Claim* claim);

  queue::MailQueue* queue_;
  store::MailStore* store_;
  const base::Clock* clock_;
  LocalCourierOptions options_;
};

}  // namespace deliver
