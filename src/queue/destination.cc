#include "queue/destination.h"

#include <algorithm>
#include <limits>

namespace queue {
namespace {

// More doublings than any pause_max needs.
constexpr std::uint16_t kPausesMax = 30;

}  // namespace

std::uint16_t DestinationHealth::Narrow(std::uint32_t claims) {
  return static_cast<std::uint16_t>(std::clamp<std::uint32_t>(claims, 1, std::numeric_limits<std::uint16_t>::max()));
}

void DestinationHealth::Reached(const DestinationLimits& limits) {
  failures_ = 0;
  pauses_ = 0;
  limit_ = Narrow(std::min<std::uint32_t>(limit_ + 1, limits.claims_max));
}

bool DestinationHealth::Failed(const DestinationLimits& limits, base::WallTime now) {
  // It began before the pause and tells nothing new.
  if (is_paused() && now < paused_until_) return false;
  limit_ = Narrow(limit_ - 1u);
  failures_ = std::min<std::uint16_t>(failures_ + 1, kPausesMax);
  if (!is_paused() && failures_ < limits.failures_to_pause) return false;
  std::chrono::seconds pause = limits.pause_min;
  for (std::uint16_t i = 0; i < pauses_ && pause < limits.pause_max; ++i) pause *= 2;
  pauses_ = std::min<std::uint16_t>(pauses_ + 1, kPausesMax);
  paused_until_ = now + std::min(pause, limits.pause_max);
  return true;
}

void DestinationHealth::EndPause(base::WallTime now) {
  paused_until_ = std::min(paused_until_, now);
}

std::uint32_t DestinationHealth::ClaimsAllowed(base::WallTime now) const {
  if (!is_paused()) return limit_;
  return now < paused_until_ ? 0 : 1;
}

}  // namespace queue
