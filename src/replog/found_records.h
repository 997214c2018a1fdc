// FoundRecords: what a scan of the volume found, sorted by what it is, and which entries of a partition count.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "mffs/types.h"
#include "replog/format.h"
#include "replog/moved_places.h"

namespace replog {

struct FoundEntry {
  Epoch epoch;
  Index index;
  mffs::Location place;
  mffs::Lsn lsn;
  std::string head;
  bool is_copy = false;
};

// Any other record of ours.
struct FoundRecord {
  mffs::RecordKey key;
  mffs::Location place;
  mffs::Lsn lsn;
  bool is_copy = false;
};

struct FoundRecords {
  std::map<PartitionId, std::vector<FoundEntry>> entries;
  std::vector<FoundRecord> parts;
  std::vector<FoundRecord> snapshots;  // Pieces and ends.
  std::vector<FoundRecord> moves;

  // Errors: kUnsupported (a type of a later version).
  base::Result<> Add(const mffs::RecordView& record);
};

// What counts of one partition's entries.
struct ChosenEntries {
  std::vector<FoundEntry> entries;      // From the snapshot's index on, one an index, at their places of now.
  std::vector<FoundEntry> below;        // At or under the snapshot.
  std::vector<mffs::Location> orphans;  // To be released.
};

// Pure. `committed` is the highest index known to be committed, beside what the entries say.
// Errors: kCorrupt (a committed entry is missing, two different entries have one epoch and index).
base::Result<ChosenEntries> ChooseEntries(PartitionId partition, std::vector<FoundEntry> found, Index snapshot_reached,
                                          Index committed, const MovedPlaces& moved);

// "mailbox partition 7", "queue partition 0".
std::string NameOf(PartitionId partition);

}  // namespace replog
