// Notifier: many coroutines of one shard wait for "something changed"; NotifyAll wakes them all.
#pragma once

#include "async/asio.h"

namespace async {

// Thread: one shard. Wakes are posted, never run inside NotifyAll(). A wait is cancellable.
// There is no memory: check the condition, then Wait(), with no co_await between the two.
class Notifier {
 public:
  explicit Notifier(Executor executor) : timer_(executor, SteadyTimer::time_point::max()) {}

  void NotifyAll() { timer_.cancel(); }

  Task<void> Wait();

  // Returns after NotifyAll() or `duration`, whichever is first.
  Task<void> WaitFor(std::chrono::steady_clock::duration duration);

 private:
  SteadyTimer timer_;
};

}  // namespace async
