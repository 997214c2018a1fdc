// What the queue knows of a destination beside the mail that waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace queue {

// Who serves a destination: each lane has workers of its own, so that next hops that hang take none from mailboxes.
enum class Lane : std::uint8_t { kLocal = 0, kRemote = 1 };
inline constexpr std::size_t kLaneCount = 2;

// How many claims of a destination are under way at once. A local one may have claims_max from the beginning.
struct DestinationLimits {
  std::uint32_t claims_max = 20;
  std::uint32_t claims_initial = 5;  // A server that was just reached gets more the more it takes.
  // Attempts in a row that did not reach it; then all its mail waits, and one mail tries after each pause.
  std::uint32_t failures_to_pause = 3;
  std::chrono::seconds pause_min{60};  // Doubles with each pause.
  std::chrono::seconds pause_max{3600};
};

// Whether an attempt came to a dialogue with the destination, whatever it then said of the mail.
enum class Reach : std::uint8_t { kReached, kUnreachable };

struct DestinationStatus {
  std::string destination;
  std::uint32_t items = 0;                       // Mails that wait for it or are under way.
  std::uint32_t claims = 0;                      // Under way.
  std::uint32_t claims_limit = 0;                // As it is now; 0 during a pause.
  std::optional<base::WallTime> paused_until{};  // May be over, and nobody has tried yet.
  std::string reason{};                          // Of the pause.
};

// The limit of one destination, which follows what its attempts meet. A value of 16 bytes; pure.
class DestinationHealth {
 public:
  explicit DestinationHealth(const DestinationLimits& limits) : limit_(Narrow(limits.claims_initial)) {}

  void Reached(const DestinationLimits& limits);
  // True: a pause begins with it.
  bool Failed(const DestinationLimits& limits, base::WallTime now);
  // The next mail tries at once.
  void EndPause(base::WallTime now);

  // Its attempts fail: until one succeeds there are none but one after each pause.
  bool is_paused() const { return pauses_ > 0; }
  base::WallTime paused_until() const { return paused_until_; }
  std::uint32_t ClaimsAllowed(base::WallTime now) const;

 private:
  static std::uint16_t Narrow(std::uint32_t claims);

  base::WallTime paused_until_;
  std::uint16_t limit_;
  std::uint16_t failures_ = 0;  // In a row.
  std::uint16_t pauses_ = 0;    // In a row.
};
static_assert(sizeof(DestinationHealth) == 16);

}  // namespace queue
