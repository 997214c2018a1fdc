// Gatherer: events in memory until they fill a record, and the keys by which they are found.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/directory.h"
#include "history/event.h"

namespace history {

struct GatheringLimits {
  std::uint32_t record_bytes = 128u << 10;     // A record is written when it has so many.
  std::uint64_t waiting_bytes_max = 8u << 20;  // Of events that are not durable; past it events are lost.
  std::uint32_t keys_per_run_max = 200'000;
};

// Whether an event is the last one of its log entry, which then need not be seen again.
enum class Entry : std::uint8_t { kEnds, kGoesOn };

// Events that are written together.
struct Batch {
  RunNumber run;
  Slot slot = 0;
  std::uint64_t number = 0;           // Counts them from 1.
  std::shared_ptr<std::string> text;  // Owners: this and the directory.
  std::uint32_t events = 0;
  base::WallTime oldest = base::WallTime::max();
  base::WallTime newest = base::WallTime::min();
  base::SteadyTime begun;
  Marks marks;
};

// Thread: the history's shard. Borrows the directory. Memory: as `limits` say, and the keys of a run.
class Gatherer {
 public:
  Gatherer(Directory* directory, const GatheringLimits& limits) : directory_(directory), limits_(limits) {}

  // False: there was no room, and the event is lost.
  bool Add(const Event& event, Entry entry, base::SteadyTime now);

  // A batch is full.
  bool HasFull() const { return !full_.empty(); }
  bool IsEmpty() const { return full_.empty() && !open_.has_value(); }
  // When the events that wait began to do so; nothing: none wait.
  std::optional<base::SteadyTime> WaitsSince() const;
  // The number of the last batch that has an event of the partition; 0: none waits.
  std::uint64_t LastBatchWith(replog::PartitionId partition) const;
  // The first that waits, full or not; the caller writes it, then says Done.
  Batch Take();
  // Its bytes no longer count.
  void Done(const Batch& batch) { waiting_bytes_ -= batch.text->size(); }

 private:
  void Begin(base::SteadyTime now);
  void Close();

  Directory* directory_;
  GatheringLimits limits_;
  std::optional<Batch> open_;
  std::deque<Batch> full_;
  std::uint64_t last_number_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  std::vector<std::uint32_t> hashes_;  // Of the event that is added; for its memory.
  std::string encoded_;
};

}  // namespace history
