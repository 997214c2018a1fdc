// OneShot<T>: a value that one coroutine waits for and somebody on the same thread sets, once.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "async/asio.h"
#include "base/check.h"

namespace async {

// Thread: one shard; Set() and Wait() on the same thread.
// The waiter resumes inside Set(), so the setter calls it last, with its own state consistent.
// Not cancellable on purpose: what is set here (a commit, a write) happens whether or not somebody still waits, and the
// OneShot must outlive it. A waiter whose chain was cancelled throws only at its next co_await.
template <class T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  bool IsSet() const { return value_.has_value(); }

  void Set(T value) {
    CHECK(!value_.has_value());
    value_.emplace(std::move(value));
    if (waiter_) std::exchange(waiter_, nullptr)();
  }

  // Awaited at most once.
  Task<T> Wait() {
    if (!value_.has_value()) {
      co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
          [this](auto&& handler) { waiter_ = std::forward<decltype(handler)>(handler); }, use_task);
    }
    co_return *std::move(value_);
  }

 private:
  std::optional<T> value_;
  std::move_only_function<void()> waiter_;
};

}  // namespace async
