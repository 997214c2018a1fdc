// SavedIndex: the index folder of a node that is stopped, read only. docs/format/store.md, "Snapshots"
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "replog/types.h"

namespace store {

// How far the index has applied the log of a partition.
struct SavedState {
  replog::Epoch epoch;     // Of the entry at `index`.
  replog::Index index;     // Of the last entry applied.
  replog::Index snapshot;  // A snapshot up to this index need not be loaded: the index has what it says.
};

// A second copy of what the mailbox partitions' snapshots hold, for a repair of these.
// Thread: any, one at a time. Writes nothing to the folder.
class SavedIndex {
 public:
  // Errors: kNotFound (there is no index), kUnsupported (another format version), kCorrupt, kIo.
  static base::Result<std::unique_ptr<SavedIndex>> Open(const std::string& folder);
  ~SavedIndex();

  // Errors: kNotFound (it has nothing of the partition, or was being rebuilt), kCorrupt, kIo.
  base::Result<SavedState> StateOf(replog::PartitionId partition) const;

  // Everything that it has of the partition, the journal of released bodies included, as pieces of a snapshot: what is
  // loaded from them is this index again. Held in memory as a whole. Errors: kCorrupt, kIo.
  base::Result<std::vector<std::string>> PiecesOf(replog::PartitionId partition) const;

 private:
  struct Parts;
  explicit SavedIndex(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace store
