// WakeSignal: wakes one background loop. Unlike async::Notifier it remembers a call that found nobody waiting.
#pragma once

#include <chrono>
#include <utility>

#include "async/asio.h"

namespace mffs {

// Thread: one shard. One waiter.
class WakeSignal {
 public:
  explicit WakeSignal(async::Executor executor) : timer_(executor) {}

  void Set() {
    is_set_ = true;
    timer_.cancel();
  }

  // Returns after Set() (true) or `duration`, whichever is first.
  async::Task<bool> WaitFor(std::chrono::steady_clock::duration duration) {
    if (!is_set_) {
      timer_.expires_after(duration);
      co_await timer_.async_wait(async::as_result);
    }
    co_return std::exchange(is_set_, false);
  }

 private:
  async::SteadyTimer timer_;
  bool is_set_ = false;
};

}  // namespace mffs
