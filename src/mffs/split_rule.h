// SplitRule: whether writers who come back after a commit are better written in two halves, one behind the other.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "base/clock.h"

namespace mffs {

// While completions are handed out and the writers who are woken queue again, the device of a volume with one block in
// flight stands still. Two blocks of half the size keep it at work, but each write has a cost of its own, and where it
// costs the same whatever its size (a rotating disk, a slow flush) two take twice as long. So both are measured, and
// halves are written where the processor takes at least half as long as the device (docs/decisions/0015-two-halves.md).
//
// Pure; thread: one. Times are those of the volume's clock: a clock that stands never splits.
class SplitRule {
 public:
  // `records` are about to be handed out.
  void HandingOut(std::size_t records, base::SteadyTime now) {
    records_ = records;
    begun_ = now;
  }
  // Those who were woken by that have queued what they have.
  void WokenHadTheirTurn(base::SteadyTime now) {
    if (records_ >= kRecordsMin / 2) Weigh(&cost_of_record_, (now - begun_) / static_cast<double>(records_));
    records_ = 0;
  }
  // The write of a block of so many records has ended. The device came to it when it was done with the one before.
  void Written(std::size_t records, base::SteadyTime begun, base::SteadyTime now) {
    if (records >= kRecordsMin / 2) Weigh(&write_, now - std::max(begun, written_));
    written_ = now;
  }
  // Of so many records, that are handed out or on their way.
  bool PaysOff(std::size_t records) const {
    return records >= kRecordsMin && write_.count() > 0 && cost_of_record_ * static_cast<double>(records) * 2 >= write_;
  }

 private:
  using Nanoseconds = std::chrono::duration<double, std::nano>;

  static constexpr std::size_t kRecordsMin = 32;

  // A moving average of about the last eight.
  static void Weigh(Nanoseconds* average, Nanoseconds value) {
    *average = average->count() == 0 ? value : *average * 0.875 + value * 0.125;
  }

  Nanoseconds cost_of_record_{0};
  Nanoseconds write_{0};
  base::SteadyTime begun_;
  base::SteadyTime written_;  // The last one.
  std::size_t records_ = 0;   // Being handed out.
};

}  // namespace mffs
