// HashingQueue: the password hashes that wait to be computed, fairly shared among the networks of the clients.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "async/asio.h"
#include "async/worker_pool.h"
#include "base/guarded.h"
#include "base/result.h"

namespace auth {

// A row for each network; the networks take turns, one hash each. So a first login waits for the hash that is being
// computed and for one of each other network that waits already, however long their rows are.
//
// Thread: Run() from any shard. Memory: at most jobs_max jobs, jobs_per_network_max of one network. Jobs that have not
// begun when the queue is destroyed are run before that ends (async::WorkerPool).
class HashingQueue {
 public:
  struct Options {
    std::uint32_t threads = 1;
    std::uint32_t jobs_max = 4096;             // Waiting, of all networks.
    std::uint32_t jobs_per_network_max = 256;  // Waiting, of one network.
  };
  explicit HashingQueue(Options options);

  // Runs `job` on a worker when it is the network's turn, and resumes the caller on its own shard with the answer.
  // Errors: kBusy (one of the limits; the job was not run). The job is not cancelled when the caller is.
  async::Task<base::Result<bool>> Run(std::string network, std::function<bool()> job);

 private:
  using Job = std::move_only_function<void()>;
  struct Rows {
    std::unordered_map<std::string, std::deque<Job>> by_network;  // No network without a job has an entry.
    std::deque<std::string> turns;                                // Networks with jobs, but for `served_last`.
    std::string served_last;                                      // See TakeNext().
    std::size_t jobs = 0;
  };

  bool TryAdd(const std::string& network, Job job);
  Job TakeNext();

  const Options options_;
  base::Guarded<Rows> rows_;
  async::WorkerPool pool_;  // One call of TakeNext() waits in it for each job.
};

}  // namespace auth
