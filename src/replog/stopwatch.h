// Stopwatch: how long the phases of a start take, for its log line. Nothing is decided by it, so it reads no
// base::Clock that tests move.
#pragma once

#include <chrono>
#include <utility>

namespace replog {

class Stopwatch {
 public:
  // Since construction or the last call.
  std::chrono::milliseconds Lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - std::exchange(last_, now));
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace replog
