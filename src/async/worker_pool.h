// WorkerPool: a bounded number of threads for calls that block (RocksDB, password hashing, file system).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "async/asio.h"
#include "base/result.h"

namespace async {

// Jobs start in the order of the calls; with one thread they also end in it (the serial use).
//
// Thread: Run() and Post() from any. Jobs not started when the pool is destroyed are run before it ends.
class WorkerPool {
 public:
  struct Options {
    std::string name;
    std::size_t threads = 1;
    std::size_t jobs_max = 1024;  // Waiting jobs; past it Run() answers kBusy.
  };
  explicit WorkerPool(Options options);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `job` on a worker and resumes the caller on its own shard with the value.
  // Errors: kBusy (the job was not run). The job is not cancelled when the caller is.
  template <class F, class R = std::invoke_result_t<F>>
  Task<base::Result<R>> Run(F job) {
    std::optional<std::conditional_t<std::is_void_v<R>, bool, R>> value;
    const bool queued = co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(
        [this, &value, &job, executor = co_await asio::this_coro::executor](auto&& handler) {
          // The frame that owns `value` and `job` is suspended until the handler has been posted back to it.
          auto shared = std::make_shared<std::decay_t<decltype(handler)>>(std::forward<decltype(handler)>(handler));
          auto work = asio::make_work_guard(executor);
          const bool accepted = TryPost([&value, &job, shared, work] {
            if constexpr (std::is_void_v<R>) {
              job();
              value.emplace(true);
            } else {
              value.emplace(job());
            }
            asio::post(work.get_executor(), [shared] { std::move (*shared)(true); });
          });
          if (!accepted) asio::post(work.get_executor(), [shared] { std::move (*shared)(false); });
        },
        use_task);
    if (!queued) co_return base::Error(base::Errc::kBusy, "the " + options_.name + " queue is full");
    if constexpr (std::is_void_v<R>) {
      co_return base::Result<>();
    } else {
      co_return *std::move(value);
    }
  }

  // Queues a job whatever the length of the queue: for work that must not be lost (applying what is committed).
  void Post(std::move_only_function<void()> job);
  // Queues unless the queue is full.
  bool TryPost(std::move_only_function<void()> job);
  // Jobs waiting, for back pressure and metrics.
  std::size_t waiting() const;

 private:
  void Work();

  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::move_only_function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace async
