// DeadlineSweep: the time-outs of all connections of a shard, with one coarse timer.
#pragma once

#include <chrono>

#include "async/asio.h"
#include "async/task_group.h"
#include "base/clock.h"

namespace net {

// Walks an intrusive list of deadlines twice a second. Arming one is a store: no timer, no allocation, no system call,
// which matters where each of 30,000 mails a second has a dozen reads and writes.
//
// Accuracy: never early, at most one second late (half from the coarse clock, half from the walk).
// Thread: one shard. Borrows the clock. Outlives its entries; Stop() is awaited before destruction if Start() was
// called.
class DeadlineSweep {
 public:
  static constexpr std::chrono::milliseconds kTick{500};

  // The base of what has a deadline. Starts unarmed.
  class Entry {
   public:
    explicit Entry(DeadlineSweep* sweep);
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    // Expires after `from_now`; forgets an earlier expiry.
    void Arm(std::chrono::seconds from_now) {
      at_ = sweep_->now_ + from_now + kTick;
      expired_ = false;
    }
    // Latched until armed anew.
    bool expired() const { return expired_; }

   protected:
    ~Entry();
    // Called once an expiry, from the walk: must not create or destroy entries, so it only posts or cancels.
    virtual void OnExpired() = 0;

   private:
    friend class DeadlineSweep;
    DeadlineSweep* sweep_;
    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
    base::SteadyTime at_ = base::SteadyTime::max();
    bool expired_ = false;
  };

  DeadlineSweep(async::Executor executor, const base::Clock* clock);
  ~DeadlineSweep();

  void Start();
  async::Task<void> Stop() { return task_.Stop(); }

  // One walk, now. Start() does it on a timer; a test does it by hand after moving its clock.
  void Tick();

 private:
  async::Task<void> Loop();

  const base::Clock* clock_;
  base::SteadyTime now_;
  Entry* first_ = nullptr;
  async::TaskGroup task_;
};

}  // namespace net
