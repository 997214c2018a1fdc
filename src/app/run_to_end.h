// RunToEnd: one task on a loop of its own, for the commands that work without a node.
#pragma once

#include <exception>
#include <optional>
#include <utility>

#include "async/asio.h"
#include "async/shard.h"
#include "base/result.h"

namespace app {

// Runs `shard` on the calling thread until `task` has ended. An exception of the task comes out here.
template <class T>
base::Result<T> RunToEnd(async::Shard* shard, async::Task<base::Result<T>> task) {
  std::optional<base::Result<T>> result;
  asio::co_spawn(shard->context(), std::move(task), [&](const std::exception_ptr& error, base::Result<T> value) {
    if (error) std::rethrow_exception(error);
    result.emplace(std::move(value));
    shard->Abort();
  });
  shard->RunHere();
  return *std::move(result);
}

}  // namespace app
