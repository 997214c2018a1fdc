// What outcomes make of recipients. Pure.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "queue/mail_queue.h"

namespace queue {

// When a recipient was tried, and how often it may be.
struct Trial {
  const RetrySchedule& schedule;
  std::uint32_t attempts = 0;  // With this one.
  base::WallTime queued_at;
  base::WallTime now;
};

// Delivered, tried again later, or held with the reason.
Decision Decide(const RecipientOutcome& outcome, const Trial& trial, base::Random* random);

// The decision in place of one whose notice could not be written: what failed is tried again.
Decision WithoutNotice(Decision decision, base::WallTime again);

// One line of printable bytes, not too long.
std::string Tidy(std::string answer);

}  // namespace queue
