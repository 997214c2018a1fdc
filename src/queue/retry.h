// When a recipient is tried again. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/random.h"
#include "queue/mail_queue.h"

namespace queue {

// After `attempts` attempts (at least 1), the last one at `now`. Doubles from delay_min to delay_max, with jitter so
// that mail that failed together does not come back together. Nothing when the mail has waited long enough (RFC 5321
// §4.5.4.1).
std::optional<base::WallTime> NextAttempt(const RetrySchedule& schedule, std::uint32_t attempts,
                                          base::WallTime queued_at, base::WallTime now, base::Random* random);

}  // namespace queue
