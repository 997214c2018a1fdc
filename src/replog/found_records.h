// FoundRecords: what a scan of the volume found, sorted by what it is, and which entries of a partition count.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mffs/types.h"
#include "replog/format.h"
#include "replog/moved_places.h"

namespace replog {

// The heads of entries, kept as long as this: a start finds hundreds of thousands, too many for a string each.
class HeadStore {
 public:
  std::string_view Keep(std::string_view head);

 private:
  static constexpr std::size_t kChunkBytes = 1u << 20;
  static_assert(kChunkBytes >= mffs::kHeadBytesMax);
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t used_ = 0;  // Of the last chunk.
};

// Views point into a HeadStore.
struct FoundEntry {
  Epoch epoch;
  Index index;
  mffs::Location place;
  mffs::Lsn lsn;
  EntryHead head;
  std::string_view head_bytes;
  bool is_copy = false;
};

// Those of one partition, in LSN order.
struct FoundEntries {
  Index snapshot_reached;           // Of the snapshot in force.
  std::vector<FoundEntry> entries;  // Behind it.
  std::vector<FoundEntry> below;    // At or under it, and copied since the log's state was last settled.
  Epoch last_epoch;                 // Of all that were found.
  Index last_index;
  Index committed;  // Highest that an entry calls committed.
};

// Any other record of ours.
struct FoundRecord {
  mffs::RecordKey key;
  mffs::Location place;
  mffs::Lsn lsn;
  bool is_copy = false;
};

// A value. Before the first Add(): the settled LSN and the partitions' snapshots as the log's state names them.
struct FoundRecords {
  mffs::Lsn settled_lsn;
  std::map<PartitionId, FoundEntries> entries;
  HeadStore heads;
  std::vector<FoundRecord> parts;
  std::vector<FoundRecord> snapshots;  // Pieces and ends.
  std::vector<FoundRecord> moves;

  // Errors: kUnsupported (a type of a later version), kCorrupt (the head of an entry).
  base::Result<> Add(const mffs::RecordView& record);

 private:
  base::Result<> AddEntry(const mffs::RecordView& record);
};

// What counts of one partition's entries.
struct ChosenEntries {
  std::vector<FoundEntry> entries;      // From the snapshot's index on, one an index, at their places of now.
  std::vector<mffs::Location> orphans;  // To be released.
};

// Pure. `committed` is the highest index known to be committed, beside what the entries say.
// Errors: kCorrupt (a committed entry is missing, two different entries have one epoch and index).
base::Result<ChosenEntries> ChooseEntries(PartitionId partition, FoundEntries found, Index committed,
                                          const MovedPlaces& moved);

// "mailbox partition 7", "queue partition 0".
std::string NameOf(PartitionId partition);

}  // namespace replog
