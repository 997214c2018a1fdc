// Context: what the parts of the log share.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/buffer_pool.h"
#include "mffs/volume.h"
#include "replog/body_cache.h"
#include "replog/log.h"
#include "replog/moved_places.h"
#include "replog/open_bodies.h"
#include "replog/partition.h"

namespace replog {

// The entry that a mail in parts belongs to.
struct PartBody {
  PartitionId partition;
  Index index;
};

// Owned by the log; its parts borrow it. Thread: the log's shard.
struct Context {
  Context(async::Executor on, mffs::Volume* on_volume, mffs::BufferPool* from_pool, Coordinator* by, LogOptions with)
      : executor(on),
        volume(on_volume),
        pool(from_pool),
        coordinator(by),
        options(Limited(std::move(with), on_volume)),
        partitions(options.mailbox_partitions, options.queue_partitions, &tails),
        open_bodies(std::make_shared<OpenBodies>(on, on_volume)),
        cache(from_pool, options.body_cache_bytes_max) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const async::Executor executor;
  mffs::Volume* const volume;
  mffs::BufferPool* const pool;
  Coordinator* const coordinator;
  const LogOptions options;
  StateMachine* mailboxes = nullptr;  // Set by Recover.
  StateMachine* queues = nullptr;

  TailTotals tails;
  PartitionTable partitions;
  MovedPlaces moved;
  std::unordered_map<BodyId, PartBody> part_bodies;  // Mails in parts that an entry names, kept by a state machine.
  const std::shared_ptr<OpenBodies> open_bodies;
  BodyCache cache;
  LogStatus counters;
  RecoverTimes times;
  // The tail of a partition grew: it may be due for a snapshot. nullptr: no partition in particular.
  std::function<void(const Partition*)> snapshot_wanted = [](const Partition*) {};
  bool space_refused = false;  // The volume had no room for an entry: what can be released is wanted now.

  std::string guest_state;  // As found. Kept as it is while there is no guest.

  std::uint64_t damaged_places = 0;  // Of the volume, met at the start: what was there may be anybody's.

  // Why nothing can be proposed any more.
  std::optional<base::Error> latched;
  bool stopping = false;
  mffs::Lsn settled_lsn;  // Copies up to here either have a move that was noted or were released.
  mffs::Lsn lsn_floor;    // Some durable LSN of not long ago: what is appended from now on lies behind it.

  StateMachine* MachineOf(PartitionId id) const { return PartitionTable::IsQueue(id) ? queues : mailboxes; }
  static LogOptions Limited(LogOptions options, const mffs::Volume* volume) {
    options.releasable_bytes_max = std::min(options.releasable_bytes_max, volume->Status().space.capacity_bytes / 16);
    return options;
  }
  void RefreshLsnFloor() { lsn_floor = volume->Status().durable_lsn; }
};

}  // namespace replog
