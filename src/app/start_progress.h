// StartProgress: tells the log, and whoever else wants to know, how far a start has come that takes long.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "mffs/types.h"

namespace app {

// Thread: the shard of the start. Borrows the clock. A start that is done within the first interval says nothing.
class StartProgress {
 public:
  static constexpr std::chrono::seconds kInterval{5};

  // `tell`, which may be null, gets the same as one sentence.
  explicit StartProgress(const base::Clock* clock, std::function<void(const std::string&)> tell = nullptr)
      : clock_(clock), told_(clock->SteadyNow()), tell_(std::move(tell)) {}

  // Logs one line `recovering`, unless the last was less than the interval ago.
  void Tell(const mffs::Progress& progress);

 private:
  const base::Clock* clock_;
  base::SteadyTime told_;
  std::function<void(const std::string&)> tell_;
};

}  // namespace app
