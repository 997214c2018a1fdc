// SpaceMap: how the space of a volume is used, stream by stream and segment by segment. Pure, but for reading the
// volume.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/recovery.h"

namespace mffs {

// Live: records that are needed, padded. Dead: records that are not. Overhead: what headers of segments and blocks
// take, and the rest of a block's last sector. Unused: behind the last block of a sealed segment, its summary included:
// nothing is written there in this generation. Free: can be written without freeing anything first.
struct SpaceCounts {
  std::uint64_t live_bytes = 0;
  std::uint64_t dead_bytes = 0;
  std::uint64_t overhead_bytes = 0;
  std::uint64_t unused_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t live_records = 0;
};

struct SegmentSpace {
  SegmentState state = SegmentState::kFree;
  Stream stream = Stream::kMeta;  // Of a free segment without meaning.
  std::uint32_t generation = 0;   // 0: never used.
  SpaceCounts counts;
};

struct StreamSpace {
  std::uint64_t segments = 0;
  SpaceCounts counts;
};

// Invariant: live, dead, overhead, unused and free bytes of all streams and of the free segments are the capacity.
struct SpaceMap {
  Geometry geometry;
  RecoveryReport recovery;
  Lsn durable_lsn;
  std::vector<SegmentSpace> segments;
  std::array<StreamSpace, kStreamCount> streams;
  StreamSpace free;         // The free segments.
  StreamSpace total;        // All segments.
  std::string owner_state;  // Of the newest checkpoint.
};

// `records`: padded bytes of the records that each segment holds, live or not; what is beyond them is overhead.
SpaceMap MapSpace(const Geometry& geometry, const SegmentTable& table, std::span<const std::uint64_t> records);

// As a start of a node would find it; writes nothing. Reads summaries, and the blocks of segments without one. `visit`
// sees every record, MFFS's own too, segment by segment; it may be empty. Borrows the device. Memory: the segment table
// and one summary. Errors: those of Volume::Open.
async::Task<base::Result<SpaceMap>> ReadSpaceMap(BlockDevice* device, std::function<void(const RecordView&)> visit);

}  // namespace mffs
