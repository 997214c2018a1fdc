// Directory: which records the history has, where they lie, and the keys of runs that have no index yet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/format.h"
#include "mffs/types.h"
#include "replog/guest.h"

namespace history {

// One record of events, or what will be one.
struct EventRecord {
  mffs::Location place;           // Nowhere: not durable yet, or gone.
  std::uint32_t event_bytes = 0;  // Of a durable one.
  base::WallTime oldest = base::WallTime::max();
  base::WallTime newest = base::WallTime::min();
  // The events while they are not durable. Owners: this and whoever gathers or writes them.
  std::shared_ptr<const std::string> text;
  bool keys_missing = false;  // Not in Run::keys, which has no index: to be read from the record.

  bool IsDurable() const { return !place.IsNowhere(); }
  bool IsThere() const { return IsDurable() || text != nullptr; }
};

struct Run {
  explicit Run(RunNumber with_number) : number(with_number) {}

  RunNumber number;
  std::vector<EventRecord> records;  // By slot.
  std::vector<Key> keys;             // Of all its events, in no order; empty once it has an index.
  std::size_t sorted_keys = 0;       // The first so many are in order, chunk by chunk (Finder).
  bool lacks_keys = false;           // Those of records from before the restart are not in `keys` yet.
  std::uint32_t key_count = 0;       // Of its index; 0: it has none.
  std::vector<mffs::Location> parts;
  // Read with the first search. Owners: this and searches under way.
  std::shared_ptr<const std::vector<std::uint32_t>> fences;

  bool has_index() const { return key_count > 0; }
};

// A plain value of the history's shard: gatherer, keeper and finder work on it. Nobody keeps a pointer to a run over a
// wait: it may be given up meanwhile.
class Directory {
 public:
  // The one that takes new records: the last. Makes one if the last has an index, no slot left, or `keys_max` keys: it
  // is left to be sorted.
  Run* Open(std::size_t keys_max);
  Run* Find(RunNumber number);
  std::map<RunNumber, Run>& runs() { return runs_; }
  const std::map<RunNumber, Run>& runs() const { return runs_; }
  bool IsOpen(const Run& run) const { return !runs_.empty() && run.number == runs_.rbegin()->first; }
  void Erase(RunNumber number) { runs_.erase(number); }

  // nullptr: there is none of that number.
  EventRecord* FindRecord(RunNumber run, Slot slot);

  // ---- At start ----
  // Adds what a start has found to what the checkpoint said. `release` is called for places that no longer count.
  // Errors: kCorrupt (a head), kUnsupported.
  base::Result<> Load(const SavedState& state, const std::vector<replog::Guest::Found>& found,
                      const std::function<void(const mffs::Location&)>& release);

  // The durable part of it.
  std::vector<SavedRun> Save() const;
  // True: one of ours, and now there.
  bool Move(const mffs::RecordKey& key, const mffs::Location& from, const mffs::Location& to);
  // Of all records that are durable.
  std::uint64_t bytes() const;

 private:
  base::Result<> AddFound(const replog::Guest::Found& found, const std::function<void(const mffs::Location&)>& release);
  void DropBrokenIndexes(const std::function<void(const mffs::Location&)>& release);

  std::map<RunNumber, Run> runs_;
};

}  // namespace history
