// StartProgress: tells the log how far a start has come that takes long.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "mffs/types.h"

namespace app {

// Thread: the shard of the start. Borrows the clock. A start that is done within the first interval says nothing.
class StartProgress {
 public:
  static constexpr std::chrono::seconds kInterval{5};

  explicit StartProgress(const base::Clock* clock) : clock_(clock), told_(clock->SteadyNow()) {}

  // Logs one line `recovering`, unless the last was less than the interval ago.
  void Tell(const mffs::Progress& progress);

 private:
  const base::Clock* clock_;
  base::SteadyTime told_;
};

}  // namespace app
