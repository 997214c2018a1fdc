// LocalCourier: delivers into mailboxes of this node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "deliver/courier.h"
#include "deliver/settled_marks.h"
#include "mail/address.h"
#include "store/mail_store.h"

namespace deliver {

struct LocalCourierOptions {
  char recipient_delimiter = '+';
  std::string
      postmaster;  // Canonical address that mail to any postmaster goes to; empty: the account postmaster@DOMAIN.
  store::WhenFull when_full = store::WhenFull::kTempfail;
  SettledMarksOptions settled{};
};

// Recipients of one mailbox partition share one entry and its bytes; partitions are served one after the other, and
// none waits for another's success. An account that does not exist, or has no room, refuses its own copy only.
//
// Thread: the shard of queue and store, both borrowed. Memory: one piece of a body (256 KiB) at a time.
class LocalCourier final : public Courier {
 public:
  LocalCourier(queue::MailQueue* queue, store::MailStore* store, const base::Clock* clock, LocalCourierOptions options)
      : queue_(queue), store_(store), clock_(clock), options_(std::move(options)), settled_(queue, options_.settled) {}

  async::Task<void> Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) override;

  // For attempts from now on.
  void SetWhenFull(store::WhenFull when_full) { options_.when_full = when_full; }

 private:
  // One recipient and the account it stands for.
  struct Stop {
    std::uint32_t recipient = 0;
    std::string account;
  };
  using Stops = std::vector<Stop>;

  std::string AccountOf(const std::string& recipient) const;
  async::Task<void> DeliverToPartition(const queue::Claim* claim, Stops stops,
                                       std::vector<queue::RecipientOutcome>* outcomes);
  queue::RecipientOutcome OutcomeOfFull(std::uint32_t recipient) const;
  // One entry for all of them. The positions of those whose mailbox has no room for it. Errors: kNotFound (nobody got
  // it: some account does not exist), and those that pass.
  async::Task<base::Result<std::vector<std::size_t>>> DeliverTogether(const queue::Claim* claim, Stops stops);
  // Takes those out of `stops` whose account does not exist.
  async::Task<void> RejectMissing(Stops* stops, std::vector<queue::RecipientOutcome>* outcomes);
  async::Task<base::Result<replog::Body>> CopyBody(const queue::Claim* claim, mffs::Stream stream);

  queue::MailQueue* queue_;
  store::MailStore* store_;
  const base::Clock* clock_;
  LocalCourierOptions options_;
  SettledMarks settled_;
};

}  // namespace deliver
