// Repair: makes a damaged volume one that a node starts on, and says which mail is lost. Changes as little as that
// takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/finding.h"
#include "salvage/check.h"

namespace salvage {

struct RepairOptions {
  std::string scratch_folder;  // As that of a check.
  // The index of the node that had the volume: what its mailbox partitions' snapshots have lost is taken from it. Never
  // written. Empty: none.
  std::string index_folder{};
  std::uint64_t records_max = 20'000'000;
  // What is being done ("survey", then the steps of a check), and how far it is; may be empty.
  std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)> progress{};
};

struct RepairReport {
  bool has_changed = false;            // Something was written.
  bool will_start = false;             // A node starts on it now, as far as the volume is concerned.
  std::uint64_t superblocks = 0;       // Copies written anew.
  std::uint64_t dropped_records = 0;   // Counted as live without a trace of them.
  std::uint64_t released_records = 0;  // Damaged entries of logs, which a start could not read.
  std::uint64_t replaced_entries = 0;  // Acknowledged entries that are lost, now empty ones.
  MailCheck check;                     // Of the volume as it is now.
};

// Superblocks (mffs::RepairSuperblocks), the segment table (mffs::SurveyVolume), then the logs: an acknowledged entry
// that is missing, or that a start could not read, is replaced by an empty one, so that the entries behind it count.
// Then the check of all mail, whose findings go to `left`; what was changed, to `changed`. To see what would be done,
// give a device over the image (mffs::OverlayDevice). A mail of which only bytes are lost is left as it is. Snapshots
// and notes of moved records are made anew from other records (SnapshotMender, MendPlaces); will_start is false when
// that cannot be done without losing mail. Borrows device and findings. Errors: nothing can be done at all (kCorrupt,
// kUnsupported), the index cannot be opened (kNotFound, kUnsupported, kCorrupt, kIo), kNoSpace, kIo.
async::Task<base::Result<RepairReport>> Repair(mffs::BlockDevice* device, RepairOptions options,
                                               mffs::Findings* changed, mffs::Findings* left);

}  // namespace salvage
