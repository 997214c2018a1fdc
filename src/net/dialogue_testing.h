// For tests of dialogues: a scripted side that hears lines, and simulated time that passes while everybody waits.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "async/asio.h"
#include "async/task_group.h"
#include "async/testing.h"
#include "base/clock.h"
#include "net/connection.h"
#include "net/deadline_sweep.h"

namespace net {

// What comes over a connection, as lines that end in CRLF. Owns the connection.
class LineListener {
 public:
  explicit LineListener(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  Connection& connection() { return *connection_; }
  // Without its end; nothing when the connection ended before it came.
  async::Task<std::optional<std::string>> HearLine() {
    std::size_t end = heard_.find("\r\n");
    while (end == std::string::npos) {
      const bool more = co_await Fill();
      if (!more) co_return std::nullopt;
      end = heard_.find("\r\n");
    }
    std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 2);
    co_return line;
  }
  // Whatever they are. False: the connection ended before.
  async::Task<bool> HearBytes(std::size_t bytes) {
    while (heard_.size() < bytes) {
      const bool more = co_await Fill();
      if (!more) co_return false;
    }
    heard_.erase(0, bytes);
    co_return true;
  }
  // Until the other side ends the connection.
  async::Task<void> HearOut() {
    for (bool more = true; more;) more = co_await Fill();
  }
  void Forget() { heard_.clear(); }

 private:
  async::Task<bool> Fill() {
    std::string piece(4096, '\0');
    const auto size = co_await connection_->Read(piece);
    if (size.has_value()) heard_.append(piece, 0, *size);
    co_return size.has_value();
  }

  std::unique_ptr<Connection> connection_;
  std::string heard_;
};

// Runs a task to its end; where it waits for nobody else, time passes a second at a time.
class SimulatedTime {
 public:
  SimulatedTime(asio::io_context* context, base::SimClock* clock, DeadlineSweep* sweep)
      : context_(context), clock_(clock), sweep_(sweep) {}

  template <class T>
  T Run(async::Task<T> task) {
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
    async::TaskGroup group(context_->get_executor(), "test");
    group.Spawn(Keep(std::move(task), &value));
    for (Settle(); !value.has_value(); Settle()) Pass();
    async::RunTask(*context_, group.Join());
    if constexpr (!std::is_void_v<T>) return *std::move(value);
  }
  // Everybody does what can be done without waiting.
  void Settle() {
    context_->restart();
    context_->poll();
  }
  void Pass(std::chrono::seconds time = std::chrono::seconds(1)) {
    clock_->Advance(time);
    sweep_->Tick();
  }

 private:
  template <class T, class V>
  static async::Task<void> Keep(async::Task<T> task, std::optional<V>* value) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      value->emplace(true);
    } else {
      value->emplace(co_await std::move(task));
    }
  }

  asio::io_context* context_;
  base::SimClock* clock_;
  DeadlineSweep* sweep_;
};

}  // namespace net
