// Test helpers: run a task to its end on the calling thread.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>

#include "async/asio.h"
#include "base/check.h"

namespace async {

// Runs `context` until `task` has ended and returns its value. Other tasks of the context run meanwhile and stay
// suspended after.
template <class T>
T RunTask(asio::io_context& context, Task<T> task) {
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  std::exception_ptr error;
  bool ended = false;
  auto done = [&](const std::exception_ptr& e, auto&&... v) {
    error = e;
    if constexpr (!std::is_void_v<T>) {
      if (!e) value.emplace(std::move(v)...);
    }
    ended = true;
  };
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(context.get_executor(), std::move(task), [&](const std::exception_ptr& e) { done(e); });
  } else {
    asio::co_spawn(context.get_executor(), std::move(task),
                   [&](const std::exception_ptr& e, T v) { done(e, std::move(v)); });
  }
  context.restart();
  const auto work = asio::make_work_guard(context);
  while (!ended) CHECK(context.run_one() > 0);
  if (error) std::rethrow_exception(error);
  if constexpr (!std::is_void_v<T>) return *std::move(value);
}

}  // namespace async
