#include "deliver/delivery_metrics.h"

#include <algorithm>
#include <chrono>

namespace deliver {

void DeliveryMetrics::Count(const queue::Claim& claim, const std::vector<queue::RecipientOutcome>& outcomes) const {
  if (clock == nullptr) return;
  const std::chrono::duration<double> delay = std::max(clock->WallNow() - claim.queued_at, base::WallTime::duration(0));
  for (const queue::RecipientOutcome& outcome : outcomes) {
    const bool is_delivered = outcome.outcome == queue::Outcome::kDelivered;
    if (is_delivered && delay_seconds != nullptr) delay_seconds->Observe(delay.count());
    base::Counter* counter = is_delivered ? delivered : rejected;
    if (outcome.outcome == queue::Outcome::kRetryLater) counter = deferred;
    if (counter != nullptr) counter->Add();
  }
}

base::Counter* NoticeMetrics::Of(mail::DsnAction action) const {
  switch (action) {
    case mail::DsnAction::kFailed:
      return failed;
    case mail::DsnAction::kDelayed:
      return delayed;
    case mail::DsnAction::kDelivered:
    case mail::DsnAction::kRelayed:
      break;
  }
  return delivered;
}

}  // namespace deliver
