// History: what became of each mail, kept in MFFS for some days. docs/decisions/0023-history.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/asio.h"
#include "async/worker_pool.h"
#include "base/clock.h"
#include "history/directory.h"
#include "history/finder.h"
#include "history/gatherer.h"
#include "history/keeper.h"
#include "history/pieces.h"
#include "mffs/volume.h"
#include "replog/guest.h"

namespace history {

struct HistoryOptions {
  KeepingLimits keeping;
  GatheringLimits gathering;
  std::uint64_t read_bytes_max = 4u << 20;  // Of records, kept in memory for the next search.
};

struct HistoryStatus {
  std::uint64_t bytes = 0;  // On the disk.
  std::uint64_t runs = 0;
  std::uint64_t records = 0;
  KeepingCounts counts;
};

// Thread: the log's shard; keys are sorted on a worker. Borrows volume, clock and workers, which outlive it.
// Life: construct, give it to the log as its guest and to Watches, Log::Recover(), Start(), ..., Log::Stop(), Stop(),
// then Volume::Close().
// Durability: an event survives a crash as soon as the log's entry does that it was made of. Memory: as the limits say.
class History final : public replog::Guest {
 public:
  History(async::Executor executor, mffs::Volume* volume, const base::Clock* clock, async::WorkerPool* workers,
          const HistoryOptions& options);

  void Start() { keeper_.Start(); }
  async::Task<void> Stop();

  bool is_on() const { return is_on_; }
  // Whether the event of this entry is not kept yet. (A replay brings what is kept already.)
  bool Wants(replog::PartitionId partition, replog::Index index) const;
  void Add(const Event& event, Entry entry = Entry::kEnds);
  // At start: the log of the partition has no entry behind `last`; the indexes of any that rot took are given again.
  void LogEndsAt(replog::PartitionId partition, replog::Index last) { keeper_.CutMark(partition, last); }
  async::Task<void> AwaitWritten(replog::PartitionId partition) { return keeper_.AwaitWritten(partition); }

  // Errors: kInvalid (a question that nothing can answer), and those of reading.
  async::Task<base::Result<FoundMails>> Find(Query query) { return finder_.Find(std::move(query)); }
  HistoryStatus Status() const;

  // ---- replog::Guest ----
  async::Task<base::Result<>> Load(std::string state, std::vector<Found> found) override;
  State TakeState(mffs::Lsn now) override;
  void Moved(const mffs::RecordOwner::Move& move) override;

 private:
  async::Task<base::Result<>> LoadMarks(SavedState saved, std::vector<Found> found);

  mffs::Volume* volume_;
  const base::Clock* clock_;
  bool is_on_;
  Directory directory_;
  Gatherer gatherer_;
  Keeper keeper_;
  Pieces pieces_;
  Finder finder_;
};

}  // namespace history
