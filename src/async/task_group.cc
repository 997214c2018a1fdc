#include "async/task_group.h"

#include <cstdio>
#include <cstdlib>

#include <boost/system/system_error.hpp>

#include "base/check.h"

namespace async {

TaskGroup::TaskGroup(Executor executor, std::string name)
    : executor_(executor), name_(std::move(name)), ended_(executor) {}

TaskGroup::~TaskGroup() {
  CHECK(running_.empty());
}

void TaskGroup::Spawn(Task<void> task) {
  if (stopping_) return;
  running_.emplace_front();
  const auto self = running_.begin();
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(self->slot(),
                                              [this, self](const std::exception_ptr& error) { Ended(self, error); }));
}

void TaskGroup::Ended(Running::iterator task, const std::exception_ptr& error) {
  if (error) {
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) {
        std::fprintf(stderr, "posthorn: internal error: task of %s ended with: %s\n", name_.c_str(), e.what());
        std::abort();
      }
    } catch (const std::exception& e) {
      std::fprintf(stderr, "posthorn: internal error: task of %s ended with: %s\n", name_.c_str(), e.what());
      std::abort();
    }
  }
  running_.erase(task);
  if (running_.empty()) ended_.NotifyAll();
}

Task<void> TaskGroup::Stop() {
  stopping_ = true;
  // Emitting may end a task at once and change the list.
  for (auto it = running_.begin(); it != running_.end();) {
    const auto current = it++;
    current->emit(asio::cancellation_type::terminal);
  }
  co_await Join();
}

Task<void> TaskGroup::Join() {
  while (!running_.empty()) co_await ended_.Wait();
}

}  // namespace async
