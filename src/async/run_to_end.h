// RunToEnd: one task on a loop of its own, for programs that block: commands without a node, users of libmffs.
#pragma once

#include <exception>
#include <optional>
#include <utility>

#include "async/asio.h"
#include "async/shard.h"
#include "base/result.h"

namespace async {

// Runs `shard`, which was not started, on the calling thread until `task` has ended. Once a shard: what else is pending
// on it then is left behind. An exception of the task comes out here.
template <class T>
base::Result<T> RunToEnd(Shard* shard, Task<base::Result<T>> task) {
  std::optional<base::Result<T>> result;
  asio::co_spawn(shard->context(), std::move(task), [&](const std::exception_ptr& error, base::Result<T> value) {
    if (error) std::rethrow_exception(error);
    result.emplace(std::move(value));
    shard->Abort();
  });
  shard->RunHere();
  return *std::move(result);
}

}  // namespace async
