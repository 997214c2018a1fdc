// Proposals: the way of an entry: checked, appended, committed in index order, applied in index order, answered.
#pragma once

#include "async/notifier.h"
#include "replog/context.h"
#include "replog/pending.h"

namespace replog {

// Thread: the log's shard. Owned by the log, borrows the context. A proposal that was appended is never cancelled: it
// is committed whether or not somebody still waits. An append that fails ends the log's writing until a restart, since
// what the disk holds is unknown then.
class Proposals {
 public:
  explicit Proposals(Context* context);

  async::Task<base::Result<Committed>> Propose(PartitionId partition, Draft draft, Until until);
  // Takes an epoch and commits its first entry, unless the partition is led already.
  async::Task<base::Result<>> Lead(Partition* partition);
  // Commits `count` empty entries: indexes that nobody else gets.
  async::Task<base::Result<>> PassOver(Partition* partition, std::uint32_t count);
  // Returns when every proposal has ended; later ones get kClosed.
  async::Task<void> Stop();

  std::uint64_t pending_count() const { return pending_count_; }

 private:
  async::Task<base::Result<>> TakeLead(Partition* partition);
  async::Task<void> PassOne(Partition* partition, base::Result<>* result);
  async::Task<base::Result<Committed>> Run(Partition* partition, Draft draft, Until until);
  base::Result<> Check(Draft* draft);
  base::Result<> AdmitToVolume(Draft* draft, std::uint64_t bytes);
  // Gives the entry, which was checked, its index and appends it. Nothing here can fail, so that no index stays empty.
  Pending* Start(Partition* partition, Draft draft, Until until);
  void Encode(Pending* pending);
  void PrepareAppend(Pending* pending);

  void AppendDone(Pending* pending, base::Result<mffs::Location> result);
  void CommitReady(Partition* partition);
  void Apply(Pending* pending);
  void ApplyDone(Pending* pending, base::Result<std::string> result);
  void Complete(Pending* pending, base::Result<Committed> result);
  void CompleteWaiting();
  void Latch(const base::Error& error);

  Context* context_;
  PendingPool pool_;
  PendingList completed_;  // To be answered once nothing of ours is half done.
  bool busy_ = false;      // Inside CommitReady or Latch: answers wait in completed_.
  std::uint64_t pending_count_ = 0;
  std::uint32_t appends_since_floor_ = 0;
  async::Notifier changed_;  // A lead was taken or not, or the last proposal ended.
};

}  // namespace replog
