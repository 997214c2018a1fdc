// WithDeadline and Sleep: time limits for whole tasks. (Boost 1.81 has no asio::cancel_after.)
// Sessions do not use this per read: net::Connection has a coarse sweep that costs nothing an operation.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>

#include "async/asio.h"
#include "base/result.h"

namespace async {

inline Task<void> Sleep(std::chrono::steady_clock::duration duration) {
  SteadyTimer timer(co_await asio::this_coro::executor, duration);
  // The timer is nobody else's: an error is the cancellation of the task, and unwinds it.
  co_await timer.async_wait(use_task);
}

// Runs `task`; past the deadline it is cancelled, awaited to its end, and the result is kTimeout.
// Never put a disk write or a commit in here: those are not cancelled (the wait for them may be, by its owner).
// Cancellation of the caller cancels the task too.
template <class T>
Task<base::Result<T>> WithDeadline(Task<T> task, std::chrono::steady_clock::duration duration) {
  const Executor executor = co_await asio::this_coro::executor;
  // Set by the timer's handler; shared with it since the handler may still be queued when this frame ends.
  struct State {
    asio::cancellation_signal signal;
    bool expired = false;
    bool ended = false;
  };
  auto state = std::make_shared<State>();
  SteadyTimer timer(executor, duration);
  timer.async_wait([state](boost::system::error_code ec) {
    if (ec || state->ended) return;
    state->expired = true;
    state->signal.emit(asio::cancellation_type::terminal);
  });
  // The caller's own cancellation is passed on through the same signal.
  auto caller = co_await asio::this_coro::cancellation_state;
  auto slot = caller.slot();
  if (slot.is_connected()) {
    slot.assign([state](asio::cancellation_type type) {
      if (!state->ended) state->signal.emit(type);
    });
  }
  std::exception_ptr error;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  struct Finish {
    State* state;
    SteadyTimer* timer;
    ~Finish() {
      state->ended = true;
      timer->cancel();
    }
  };
  {
    const Finish finish{state.get(), &timer};
    auto completion = asio::bind_cancellation_slot(state->signal.slot(), use_task);
    try {
      if constexpr (std::is_void_v<T>) {
        co_await asio::co_spawn(executor, std::move(task), completion);
        value.emplace(true);
      } else {
        value.emplace(co_await asio::co_spawn(executor, std::move(task), completion));
      }
    } catch (...) {
      if (!state->expired) throw;
    }
  }
  if (state->expired && !value.has_value()) co_return base::Error(base::Errc::kTimeout, "the deadline passed");
  if constexpr (std::is_void_v<T>) {
    co_return base::Result<>();
  } else {
    co_return *std::move(value);
  }
}

}  // namespace async
