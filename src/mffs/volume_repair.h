// VolumeRepair: gives a damaged volume superblocks that agree and a checkpoint that says what is there. Knows nothing
// of mail. docs/format/mffs.md, "Repair"
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/append_task.h"
#include "mffs/finding.h"
#include "mffs/recovery.h"
#include "mffs/volume_check.h"

namespace mffs {

// Makes all superblock copies agree, durably, on the newest state that any of them holds; without one, on what the
// segment headers tell and the newest checkpoint that is found in the meta segments. Adds a finding for each thing that
// it changes. Does nothing to four equal ones. Errors: kCorrupt (nothing is left, or the device is shorter than the
// volume), kUnsupported, kIo.
async::Task<base::Result<>> RepairSuperblocks(BlockDevice* device, Findings* findings);

struct SurveyedVolume {
  Recovered recovered;       // Its table says of each segment what is there.
  bool has_changed = false;  // The table, or the checkpoint that it comes from, is not what the superblock names.
  std::uint64_t dropped_records = 0;  // Counted as live, and no trace of them is left.
};

// Recovers (superblocks must agree), reads every segment in use, and corrects the table: a record of which nothing is
// left, not even an entry in a summary, is live no more, and the counters are those of what is there. `visit` sees each
// record of the owner's, as that of CheckVolume. Adds findings on what was wrong. Errors: those of Recover.
async::Task<base::Result<SurveyedVolume>> SurveyVolume(BlockDevice* device, VolumeCheckOptions options,
                                                       Findings* findings);

// What the owner wants changed.
struct OwnerRepair {
  std::vector<OwnedRecord> records;  // To be appended to stream meta.
  std::vector<Location> to_release;
  // Each in its turn: records that name places, to be appended next. It is given the places of all that were appended
  // before, in their order.
  std::vector<std::function<std::vector<OwnedRecord>(const std::vector<Location>& places)>> naming{};
  std::optional<std::string> owner_state{};  // Instead of the one that was found.
};

// Writes a checkpoint of the corrected table, with the owner's state, and moves the superblocks to it: what
// the first checkpoint of a mount does. Nothing that a checkpoint knows is overwritten before it is durable. Errors:
// kNoSpace, kReadOnly (a write failed).
async::Task<base::Result<>> WriteRepair(BlockDevice* device, SurveyedVolume volume, OwnerRepair repair);

}  // namespace mffs
