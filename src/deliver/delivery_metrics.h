// What deliveries count. docs/metrics.md
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "mail/delivery_status.h"
#include "queue/mail_queue.h"

namespace deliver {

// Of one lane; where something is null it is not counted. All borrowed. Thread: any.
struct DeliveryMetrics {
  const base::Clock* clock = nullptr;  // Null: nothing is counted.
  base::Counter* delivered = nullptr;  // Recipients: one outcome of one attempt each.
  base::Counter* deferred = nullptr;
  base::Counter* rejected = nullptr;
  base::Histogram* delay_seconds = nullptr;  // From the queue to the recipient.

  void Count(const queue::Claim& claim, const std::vector<queue::RecipientOutcome>& outcomes) const;
};

// Recipients that a notice speaks of.
struct NoticeMetrics {
  base::Counter* failed = nullptr;
  base::Counter* delayed = nullptr;
  base::Counter* delivered = nullptr;  // Or relayed.

  base::Counter* Of(mail::DsnAction action) const;
};

}  // namespace deliver
