// ApplyQueue: carries committed entries from the shard to the apply worker, in groups, and their results back.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/one_shot.h"
#include "async/worker_pool.h"
#include "base/result.h"
#include "replog/types.h"
#include "store/changeset.h"

namespace store {

// A switch that holds threads up: for tests of a stalled RocksDB. Thread: any.
class Gate {
 public:
  void Hold(bool hold) {
    held_.store(hold);
    if (!hold) held_.notify_all();
  }
  void Pass() const { held_.wait(true); }

 private:
  std::atomic<bool> held_{false};
};

// Wake-ups cost more than copies: while a group is at the worker, what comes gathers in the next one; each group is one
// wake-up of the worker, one batch (entries that read other rows than the batch remembers cut it), and one post back to
// the shard.
//
// Thread: the shard, except where said. Borrows index and gate. Order is kept: entries, calls and their results come in
// the order of Add and Call. Destruction waits for the group at the worker; what is not visible then comes again from
// the log. Errors: a failure of the index latches; everything after answers it.
class ApplyQueue {
 public:
  using Done = std::function<void(base::Result<std::string>)>;
  using Work = std::move_only_function<base::Result<std::string>(Changeset&)>;

  struct Options {
    std::uint64_t backlog_bytes_max = 64u << 20;
    std::size_t cached_mailboxes_max = 50'000;
  };

  // `visible` is called on the shard for each group before its results are handed out.
  ApplyQueue(async::Executor executor, Index* index, const Gate* gate, Options options,
             std::function<void(Effects)> visible);
  ~ApplyQueue();
  ApplyQueue(const ApplyQueue&) = delete;
  ApplyQueue& operator=(const ApplyQueue&) = delete;

  // `done` is called when the entry's effect is visible. Never waits.
  void Add(const replog::EntryView& entry, Done done);
  // Other work on the index, in order with the entries. `bytes` is what it holds in memory.
  void AddWork(Work work, std::uint64_t bytes, Done done);
  // Waits on the calling thread until the backlog is at most half full: for loading snapshots at start, when nobody is
  // served yet and the log hands out pieces without a pause.
  void BlockUntilRoom();
  async::Task<base::Result<std::string>> Run(Work work);

  // Returns when everything added before is visible.
  async::Task<base::Result<>> Applied();
  // Returns when there is room for more entries.
  async::Task<base::Result<>> Room();
  bool has_room() const { return backlog_bytes_.load(std::memory_order_relaxed) <= options_.backlog_bytes_max; }

  // Empty while all is well.
  const std::optional<base::Error>& failure() const { return failure_; }

 private:
  struct Item {
    replog::EntryView entry;
    std::size_t meta_offset = 0;  // In the group's text.
    std::size_t meta_bytes = 0;
    Work work;  // Set: no entry.
    Done done;
  };
  struct Group {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    std::string text;  // The entries' meta, one after the other.
    std::vector<Item> items;
    std::vector<base::Result<std::string>> results;
    Effects effects;
    std::optional<base::Error> failure;
  };
  struct Waiter {
    std::uint64_t group = 0;
    async::OneShot<bool> visible;
  };

  void Added(std::uint64_t bytes);
  void HandOver();
  void HandOverSoon();
  void Process(Group& group);  // On the worker.
  void Finish(std::unique_ptr<Group> group);

  async::Executor executor_;
  const Gate* gate_;
  Options options_;
  std::function<void(Effects)> visible_;
  Changeset changes_;  // The worker's.
  std::atomic<std::uint64_t> backlog_bytes_{0};
  std::unique_ptr<Group> pending_;
  std::unique_ptr<Group> spare_;   // A finished group, for its memory.
  std::uint64_t handed_over_ = 0;  // Number of the last group.
  std::uint64_t finished_ = 0;
  bool hand_over_posted_ = false;
  std::deque<Waiter*> waiters_;  // In the order of their groups.
  async::Notifier room_;
  std::optional<base::Error> failure_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // Shared with posted handlers, which may outlive this.
  async::WorkerPool worker_;                                    // Last: its thread uses the others.
};

}  // namespace store
