// A checkpoint as records: encoding the segment table and the owner's state, and reading them back.
// Format: docs/format/mffs.md, "Checkpoint".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "mffs/record_reader.h"
#include "mffs/segment_table.h"

namespace mffs {

inline constexpr std::size_t kCheckpointPartBytes = 256u << 10;
inline constexpr std::size_t kOwnerStateBytesMax = 64u << 20;

struct CheckpointRoot {
  std::uint64_t number = 0;
  Lsn base_lsn;
  std::uint32_t segment_count = 0;
  std::uint64_t full_number = 0;  // Of the full checkpoint whose parts come first.
  std::vector<Location> full_parts;
  std::vector<Location> changed_parts;  // Empty in a full checkpoint.
  std::vector<Location> owner_parts;
};
std::string EncodeRoot(const CheckpointRoot& root);
base::Result<CheckpointRoot> DecodeRoot(std::string_view body);

// A checkpoint read back.
struct Checkpoint {
  CheckpointRef ref;  // Generation 0: there is none, the table is that of an empty volume.
  CheckpointRoot root;
  SegmentTable table;
  std::string owner_state;

  // Its records, the root included.
  std::vector<Location> Records() const;
};

// What the bodies of a checkpoint's records hold, put together again by LoadCheckpoint: a part may end anywhere, since
// a single entry of the table may be larger than a record.
std::vector<std::string> CutIntoParts(std::string_view text);

// The table's entries in parts. `released` are counted as released.
std::vector<std::string> EncodeTable(const SegmentTable& table, const std::vector<Location>& released,
                                     bool only_changed);

// Errors: kCorrupt: a part cannot be read or makes no sense.
async::Task<base::Result<Checkpoint>> LoadCheckpoint(const RecordReader* reader, Geometry geometry, Location root);

}  // namespace mffs
