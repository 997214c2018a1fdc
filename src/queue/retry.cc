#include "queue/retry.h"

#include <algorithm>

#include "base/check.h"

namespace queue {

std::optional<base::WallTime> NextAttempt(const RetrySchedule& schedule, std::uint32_t attempts,
                                          base::WallTime queued_at, base::WallTime now, base::Random* random) {
  CHECK(attempts > 0);
  if (now - queued_at >= schedule.give_up_after) return std::nullopt;
  std::chrono::microseconds delay = schedule.delay_min;
  for (std::uint32_t i = 1; i < attempts && delay < schedule.delay_max; ++i) delay *= 2;
  delay = std::min<std::chrono::microseconds>(delay, schedule.delay_max);
  const std::int64_t jitter = delay.count() / 100 * schedule.jitter_percent;
  if (jitter > 0) {
    delay += std::chrono::microseconds(
        static_cast<std::int64_t>(random->Below(static_cast<std::uint64_t>(2 * jitter + 1))) - jitter);
  }
  return now + delay;
}

}  // namespace queue
