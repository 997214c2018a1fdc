// Keeper: writes what was gathered, sorts full runs into indexes, and gives up what is too old.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "async/worker_pool.h"
#include "base/clock.h"
#include "history/gatherer.h"
#include "mffs/volume.h"

namespace history {

struct KeepingLimits {
  std::chrono::seconds keep{14 * 24 * 3600};  // Of events. 0: nothing is gathered, and what there is is given up.
  std::uint64_t space_max = 0;                // Bytes of all records. 0: a tenth of the volume.
  std::uint32_t free_percent_min = 15;        // Of the volume; the oldest records go while less is free.
  std::chrono::seconds write_after{60};       // Events wait so long for others at most.
};

struct KeepingCounts {
  std::uint64_t records_written = 0;
  std::uint64_t events_written = 0;
  std::uint64_t events_lost = 0;  // There was no room for them, in memory or on the disk.
  std::uint64_t records_dropped = 0;
  std::uint64_t runs_sorted = 0;
};

// Thread: the history's shard; runs are sorted on a worker. Borrows all it is given. One task in the background, which
// is never cancelled: Start(), then Stop() before destruction; it writes what waits.
// Durability: a batch that AwaitWritten() has waited for survives, unless it was counted as lost.
class Keeper {
 public:
  Keeper(async::Executor executor, mffs::Volume* volume, const base::Clock* clock, async::WorkerPool* workers,
         Directory* directory, Gatherer* gatherer, KeepingLimits limits);

  void Start();
  async::Task<void> Stop();

  // Something was gathered.
  void Gathered() {
    if (gatherer_->HasFull()) wanted_.NotifyAll();
  }
  void CountLost(std::uint64_t events) { counts_.events_lost += events; }
  // Returns when all events of the partition that were gathered before the call are durable or lost.
  async::Task<void> AwaitWritten(replog::PartitionId partition);
  // Returns when each run has an index or all its keys in memory.
  async::Task<void> AwaitKeys();
  // The index of the run cannot be read: it is made again.
  void Rebuild(RunNumber number);

  // For a checkpoint. Marks of durable records only.
  const Marks& marks() const { return marks_; }
  void SetMarks(Marks marks) { marks_ = std::move(marks); }
  void CutMark(replog::PartitionId partition, replog::Index last);
  mffs::Lsn NeededAfter(mffs::Lsn now) const { return writing_after_.value_or(now); }
  // Follows a part of an index that is not yet complete. False: it is none.
  bool Move(const mffs::Location& from, const mffs::Location& to);

  const KeepingCounts& counts() const { return counts_; }

 private:
  async::Task<void> Loop();
  bool WritingIsDue() const;
  async::Task<void> WriteDue();
  async::Task<void> Write(Batch batch);
  void Lose(const Batch& batch, const base::Error& error);
  // Errors: those of Volume::Admit and Append.
  async::Task<base::Result<mffs::Location>> Append(mffs::RecordKey key, std::string head, std::string body);

  async::Task<void> LoadMissingKeys();
  async::Task<void> LoadKeys(RunNumber number);
  async::Task<void> LoadKeysOf(RunNumber number, Slot slot);
  async::Task<void> SortFullRuns();
  async::Task<base::Result<>> Sort(RunNumber number);

  void DropOld();
  void DropRecord(EventRecord* record);
  void DropEmptyRuns();
  bool IsShortOfSpace(std::uint64_t bytes) const;

  mffs::Volume* volume_;
  const base::Clock* clock_;
  async::WorkerPool* workers_;
  Directory* directory_;
  Gatherer* gatherer_;
  KeepingLimits limits_;
  std::uint64_t space_max_;
  KeepingCounts counts_;
  Marks marks_;
  std::optional<Batch> in_flight_;
  std::uint64_t asked_through_ = 0;    // Batches that somebody waits for.
  std::uint64_t written_through_ = 0;  // Durable, or lost.
  // A record that the directory does not name yet lies behind this.
  std::optional<mffs::Lsn> writing_after_;
  std::vector<mffs::Location> sorting_parts_;  // Of the index that is being written.
  base::SteadyTime dropped_at_;                // When old records were looked for last.
  base::SteadyTime sort_after_;                // After a failure.
  bool loss_is_told_ = false;
  bool stopping_ = false;
  async::Notifier wanted_;
  async::Notifier written_;
  async::Notifier keys_loaded_;
  async::TaskGroup background_;
};

}  // namespace history
