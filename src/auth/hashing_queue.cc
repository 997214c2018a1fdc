#include "auth/hashing_queue.h"

#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"

namespace auth {

using async::Task;
using base::Result;

HashingQueue::HashingQueue(Options options)
    : options_(options),
      // What waits is bounded here, so that a refusal knows whose network it is.
      pool_({.name = "hashing", .threads = options.threads, .jobs_max = std::numeric_limits<std::size_t>::max()}) {
  CHECK(options.jobs_per_network_max > 0);
}

Task<Result<bool>> HashingQueue::Run(std::string network, std::function<bool()> job) {
  std::optional<bool> answer;
  const bool queued = co_await asio::async_initiate<const asio::use_awaitable_t<async::Executor>, void(bool)>(
      [this, &network, &answer, &job, executor = co_await asio::this_coro::executor](auto&& handler) {
        // The frame that owns `answer` and `job` is suspended until the handler has been posted back to it.
        auto shared = std::make_shared<std::decay_t<decltype(handler)>>(std::forward<decltype(handler)>(handler));
        auto work = asio::make_work_guard(executor);
        const bool accepted = TryAdd(network, [&answer, &job, shared, work] {
          answer = job();
          asio::post(work.get_executor(), [shared] { std::move (*shared)(true); });
        });
        if (!accepted) asio::post(work.get_executor(), [shared] { std::move (*shared)(false); });
      },
      async::use_task);
  if (!queued) co_return base::Error(base::Errc::kBusy, "too many logins wait to be verified, try again later");
  co_return *answer;
}

bool HashingQueue::TryAdd(const std::string& network, Job job) {
  const bool added = rows_.With([&](Rows& rows) {
    if (rows.jobs >= options_.jobs_max) return false;
    std::deque<Job>& row = rows.by_network[network];
    if (row.size() >= options_.jobs_per_network_max) return false;
    if (row.empty() && network != rows.served_last) rows.turns.push_back(network);
    row.push_back(std::move(job));
    rows.jobs += 1;
    return true;
  });
  if (added) pool_.Post([this] { TakeNext()(); });
  return added;
}

// The network that was served last is put at the end only when the next one is taken: who came while its hash was
// computed is served before it.
HashingQueue::Job HashingQueue::TakeNext() {
  return rows_.With([](Rows& rows) {
    if (rows.by_network.contains(rows.served_last)) rows.turns.push_back(rows.served_last);
    CHECK(!rows.turns.empty());
    rows.served_last = std::move(rows.turns.front());
    rows.turns.pop_front();
    const auto row = rows.by_network.find(rows.served_last);
    Job job = std::move(row->second.front());
    row->second.pop_front();
    if (row->second.empty()) rows.by_network.erase(row);
    rows.jobs -= 1;
    return job;
  });
}

}  // namespace auth
