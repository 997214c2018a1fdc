// TaskGroup: the owner of background work. No task is ever detached.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "async/asio.h"
#include "async/notifier.h"

namespace async {

// Spawns tasks on one shard and ends them together.
//
// Thread: the shard of the executor. The owner awaits Stop() before it destroys the group.
// A task that ends by cancellation ends quietly; any other exception is a mistake of ours and stops the process
// with the group's name (base/check.h: stop before it spreads).
class TaskGroup {
 public:
  TaskGroup(Executor executor, std::string name);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task` (posted, not run inside the call). After Stop() began the task is dropped unrun.
  void Spawn(Task<void> task);

  // Cancels all tasks (terminal cancellation) and returns when the last has ended.
  Task<void> Stop();
  // Returns when no task is left, without cancelling any.
  Task<void> Join();

  std::size_t size() const { return running_.size(); }
  bool stopping() const { return stopping_; }

 private:
  using Running = std::list<asio::cancellation_signal>;
  void Ended(Running::iterator task, const std::exception_ptr& error);

  Executor executor_;
  std::string name_;
  Running running_;
  Notifier ended_;
  bool stopping_ = false;
};

}  // namespace async
