// FoundRecords: what a scan of the volume found, sorted by what it is, and which entries of a partition count.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mffs/types.h"
#include "replog/format.h"
#include "replog/guest.h"
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
  bool is_lost = false;    // Nothing of it was found: only that it was there, and its index.
  bool was_empty = false;  // Of a lost one: it was the log's own, the first of its epoch.
};

// Those of one partition, in LSN order.
struct FoundEntries {
  Index snapshot_reached;           // Of the snapshot in force.
  Epoch snapshot_epoch;             // Of that entry.
  Epoch led;                        // As the log's state says.
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
  // Of a part, as its head says.
  std::uint32_t bytes = 0;
  std::uint32_t checksum = 0;
};

// A value. Before the first Add(): the settled LSN and the partitions' snapshots as the log's state names them.
struct FoundRecords {
  mffs::Lsn settled_lsn;
  std::map<PartitionId, FoundEntries> entries;
  HeadStore heads;
  std::vector<FoundRecord> parts;
  std::vector<FoundRecord> snapshots;  // Pieces and ends.
  std::vector<FoundRecord> moves;
  std::vector<Guest::Found> guests;

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

// A longer run of missing entries is not what a few sectors held.
inline constexpr std::uint64_t kLostEntriesMax = 4096;

// Pure. `committed` is the highest index known to be committed, beside what the entries say. A missing entry is taken
// for one that the disk has lost (FoundEntry::is_lost) if it was committed, and on a disk that has lost records
// (`has_damage`) also if that is not known. Errors: kCorrupt (too many in a row are missing; two different entries have
// one epoch and index).
base::Result<ChosenEntries> ChooseEntries(PartitionId partition, FoundEntries found, Index committed,
                                          const MovedPlaces& moved, bool has_damage);

// The parts of a mail as the table of its entry names them, from what their own heads say; nothing if not all were
// found. Their digest is what the entry's head says.
std::optional<std::vector<Extent>> ExtentsFromParts(const EntryHead& head, std::span<const FoundRecord> parts);

// "mailbox partition 7", "queue partition 0".
std::string NameOf(PartitionId partition);

}  // namespace replog
