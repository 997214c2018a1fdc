// LogMending: what it takes that the partitions' logs can be read from their snapshots to their ends. Pure.
#pragma once

#include "mffs/finding.h"
#include "mffs/volume_repair.h"
#include "replog/format.h"
#include "salvage/log_records.h"

namespace salvage {

struct LogMending {
  mffs::OwnerRepair volume;          // Empty entries to be appended, damaged ones to be released.
  std::uint64_t mended_entries = 0;  // Of those that are appended and released: the same entry, whole again.
  bool has_changed() const { return !volume.records.empty() || !volume.to_release.empty(); }
};

// An entry that a start needs whole and that is damaged is released; each acknowledged one that is missing then gets an
// empty one of its index and of the epoch before it. docs/format/replog.md, "Recovery". A finding for each.
// An entry of which only the table of its mail's parts is damaged gets a whole record again. `has_damage`: the volume
// has lost records; then a gap is a loss even if nothing says that it was acknowledged, as at a start.
LogMending MendLogs(const LogRecords& records, const replog::OwnerState& state, bool has_damage,
                    mffs::Findings* findings);

}  // namespace salvage
