#include "deliver/delivery_log.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"

namespace deliver {
namespace {

std::string_view StatusOf(queue::Outcome outcome) {
  switch (outcome) {
    case queue::Outcome::kDelivered:
      return "delivered";
    case queue::Outcome::kRetryLater:
      return "deferred";
    case queue::Outcome::kRejected:
      break;
  }
  return "rejected";
}

// RFC 3463. Our own words begin with it.
std::string_view DsnStatusOf(const queue::RecipientOutcome& outcome) {
  if (!outcome.status.empty()) return outcome.status;
  return std::string_view(outcome.answer).substr(0, outcome.answer.find(' '));
}

}  // namespace

void LogDelivery(const queue::Claim& claim, const queue::RecipientOutcome& outcome, base::WallTime now) {
  if (!base::LogEnabled(base::LogLevel::kInfo)) return;
  const std::chrono::duration<double> delay = std::max(now - claim.queued_at, base::WallTime::duration(0));
  base::LogInfo("delivery", {{"id", claim.envelope.id},
                             {"queue_id", claim.id.ToString()},
                             {"from", claim.envelope.sender},
                             {"to", claim.envelope.recipients[outcome.recipient].address},
                             {"relay", outcome.relay.empty() ? "none" : outcome.relay},
                             {"delay", fmt::format("{:.2f}", delay.count())},
                             {"dsn", DsnStatusOf(outcome)},
                             {"status", StatusOf(outcome.outcome)},
                             {"answer", outcome.answer}});
}

}  // namespace deliver
