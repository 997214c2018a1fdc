// Snapshots: writes the state of partitions whose tails have grown, so that old entries can be released.
#pragma once

#include "async/notifier.h"
#include "async/task_group.h"
#include "replog/context.h"

namespace replog {

// Thread: the log's shard. Owned by the log, borrows the context. One snapshot at a time, in the background.
// A snapshot is in force once a checkpoint names its end (Checkpoints); until then its records are orphans.
// Start() once, Stop() before destruction.
class Snapshots {
 public:
  explicit Snapshots(Context* context);

  void Start();
  async::Task<void> Stop();
  // Writes one and puts it in force.
  async::Task<base::Result<>> Now(Partition* partition);

 private:
  class PieceWriter;

  void Wanted(const Partition* partition);
  bool IsDue(const Partition& partition) const;
  // Its entries take longer to replay than its state takes to load, and a snapshot costs no more than they did.
  bool PaysOff(const Partition& partition) const;
  // Of the state that the snapshot in force shows, what another one would write once more: its cost beside the tail's.
  std::uint64_t BytesToRepeat(const Partition& partition) const;
  // It gives back more of the disk than its snapshot takes.
  bool MakesRoom(const Partition& partition) const;
  // Over a limit that all partitions share.
  bool SharedLimitReached() const;
  // The partition to write next; nullptr when none is due.
  Partition* NextDue() const;
  Partition* NextOverLimits() const;
  // Entries that the next checkpoint cuts.
  std::uint64_t EntriesCovered() const;
  async::Task<void> Loop();
  async::Task<base::Result<>> WriteAllDue();
  async::Task<base::Result<>> Write(Partition* partition);
  async::Task<base::Result<>> WritePieces(Partition* partition, PieceWriter* writer);

  Context* context_;
  async::TaskGroup background_;
  async::Notifier wanted_;
  async::Notifier idle_;
  bool busy_ = false;
};

}  // namespace replog
