// CheckVolume: reads and verifies every sector of a volume that holds data, and compares what the volume says of itself
// with what is there. Writes nothing; knows nothing of mail.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/finding.h"
#include "mffs/format.h"
#include "mffs/volume.h"

namespace mffs {

// A record as the check met it. Views are valid during the call only.
struct CheckedRecord {
  RecordKey key;
  Location location;
  Lsn lsn;
  std::string_view head;
  std::string_view body;     // Empty when it is not readable.
  bool is_readable = false;  // False: it is there no more, only its summary's entry or its head is.
  bool is_live = false;
  bool is_copy = false;
};

struct VolumeCheckOptions {
  // For each record of the owner's, in any order; may be empty.
  std::function<void(const CheckedRecord&)> visit{};
  // Bytes verified of all that will be; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
  std::uint32_t segments_at_once = 2;  // One is read while another is verified.
};

struct VolumeCheck {
  Geometry geometry;
  RecoveryReport recovery;
  std::string owner_state;  // Of the newest checkpoint.
  std::uint64_t segments_checked = 0;
  std::uint64_t blocks = 0;
  std::uint64_t records = 0;       // That can be read.
  std::uint64_t live_records = 0;  // The same, live.
  std::uint64_t live_bytes = 0;    // Theirs.
  std::uint64_t lost_records = 0;  // Live ones that cannot be read.
  std::uint64_t bytes = 0;         // Verified.
};

// Borrows device and findings, which outlive the task. Memory: for each of `segments_at_once` a window of 1 MiB, the
// summary (at most an eighth of the segment) and a bit a record; the segment table (100 bytes a segment and the live
// maps). Errors: those of Volume::Open: the volume cannot be checked.
async::Task<base::Result<VolumeCheck>> CheckVolume(BlockDevice* device, VolumeCheckOptions options, Findings* findings);

}  // namespace mffs
