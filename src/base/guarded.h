// Guarded<T>: a value that several threads touch, and the lock in front of it, so that neither is used without the
// other.
#pragma once

#include <mutex>
#include <utility>

namespace base {

// Thread: any. The function given to With() is short, does not block and never waits for a coroutine.
template <class T>
class Guarded {
 public:
  template <class... Args>
  explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

  // Runs `use` on the value under the lock and returns its result.
  template <class F>
  auto With(F use) {
    const std::lock_guard lock(mutex_);
    return use(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace base
