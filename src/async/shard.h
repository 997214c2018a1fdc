// Shard: one thread and one io_context. A connection, a mailbox, a queue partition belongs to one shard for life.
#pragma once

#include <string>
#include <thread>

#include "async/asio.h"

namespace async {

// Thread: construct and Start() on the owner's thread; executor(), IsCurrent(), Run() from any.
// Whoever is spawned on a shard is ended (TaskGroup::Stop) before Join().
class Shard {
 public:
  explicit Shard(std::string name);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Starts the thread. Alternatively the owner calls RunHere() on its own thread (the main thread, a test).
  void Start();
  void RunHere();
  // Ends the loop when its work is done (Release) and joins the thread.
  void Join();
  // Ends the loop now, whatever is pending: for tests that cut the power.
  void Abort() { context_.stop(); }

  Executor executor() { return context_.get_executor(); }
  asio::io_context& context() { return context_; }
  bool IsCurrent() const;
  const std::string& name() const { return name_; }

  // Runs `task` on this shard and resumes the caller on its own. Costs nothing when the caller is already here.
  template <class T>
  Task<T> Run(Task<T> task) {
    if (IsCurrent()) {
      co_return co_await std::move(task);
    }
    co_return co_await asio::co_spawn(context_.get_executor(), std::move(task), use_task);
  }

 private:
  std::string name_;
  asio::io_context context_{1};
  asio::executor_work_guard<Executor> work_;
  std::thread thread_;
};

}  // namespace async
