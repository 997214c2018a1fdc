// Turn: keeps one session's long computation from holding up all others of its shard.
#pragma once

#include <chrono>

#include "async/asio.h"

namespace async {

// A shard runs one task at a time until it waits. Work whose length a client chooses (a search, a listing, a large
// structure) asks after each small step whether its turn is over, and passes it on then: the tasks that are ready run.
//
// It reads the machine's clock and not base::Clock, since it is about the processor's time, which simulated clocks
// do not have.
//
// Thread: one shard. Costs a clock reading a step, and a post once a millisecond.
class Turn {
 public:
  static constexpr std::chrono::microseconds kLength{1000};

  // A task that waited for something else meanwhile has had its turn renewed without this knowing: then it passes too
  // early, which costs a post and harms nobody.
  bool IsOver() const { return std::chrono::steady_clock::now() - began_ >= kLength; }
  Task<void> Pass() {
    const Executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, use_task);
    began_ = std::chrono::steady_clock::now();
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace async
