// Clock: the seam to time. Schedules take it, so that tests move it by hand.
#pragma once

#include <chrono>

namespace base {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// Thread: any. Fault model: wall time may jump either way; steady time never falls.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime SteadyNow() const = 0;
  virtual WallTime WallNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};

// A clock that stands until it is moved.
class SimClock final : public Clock {
 public:
  explicit SimClock(WallTime start = WallTime(std::chrono::seconds(1'800'000'000))) : wall_(start) {}
  SteadyTime SteadyNow() const override { return steady_; }
  WallTime WallNow() const override { return wall_; }
  void Advance(std::chrono::microseconds by) {
    steady_ += by;
    wall_ += by;
  }
  // A step of the wall clock alone, as NTP makes.
  void JumpWall(std::chrono::microseconds by) { wall_ += by; }

 private:
  SteadyTime steady_{};
  WallTime wall_;
};

}  // namespace base
