// WaitList: coroutines of one shard that wait for work; one is woken for one piece of it.
#pragma once

#include <list>

#include "async/notifier.h"

namespace queue {

// Thread: one shard. A waiter that was woken and cancelled before it ran passes the wake-up on.
class WaitList {
 public:
  explicit WaitList(async::Executor executor) : executor_(executor) {}

  bool empty() const { return waiters_.empty(); }

  void WakeOne() {
    if (waiters_.empty()) return;
    Waiter* waiter = waiters_.front();
    waiters_.pop_front();
    waiter->woken = true;
    waiter->notifier.NotifyAll();
  }

  async::Task<void> Wait() {
    Waiter waiter(this);
    waiters_.push_back(&waiter);
    co_await waiter.notifier.Wait();
    waiter.served = true;
  }

 private:
  struct Waiter {
    explicit Waiter(WaitList* in_list) : list(in_list), notifier(in_list->executor_) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      if (!woken) list->waiters_.remove(this);
      if (woken && !served) list->WakeOne();
    }
    WaitList* list;
    async::Notifier notifier;
    bool woken = false;
    bool served = false;
  };

  async::Executor executor_;
  std::list<Waiter*> waiters_;
};

}  // namespace queue
