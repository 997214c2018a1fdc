// SpaceMap: how the space of a volume is used, stream by stream and segment by segment. Pure, but for reading the
// volume.
#pragma once

#include <array>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/recovery.h"

namespace mffs {

// Live: records that are needed, padded. Dead: records that are not, and what blocks and headers take. Unused: behind
// the last block of a sealed segment, its summary included: nothing is written there in this generation. Free: can be
// written without freeing anything first.
struct SpaceCounts {
  std::uint64_t live_bytes = 0;
  std::uint64_t dead_bytes = 0;
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

// Invariant: live, dead, unused and free bytes of all streams and of the free segments are the capacity.
struct SpaceMap {
  Geometry geometry;
  RecoveryReport recovery;
  Lsn durable_lsn;
  std::vector<SegmentSpace> segments;
  std::array<StreamSpace, kStreamCount> streams;
  StreamSpace free;   // The free segments.
  StreamSpace total;  // All segments.
};

SpaceMap MapSpace(const Geometry& geometry, const SegmentTable& table);

// As a start of a node would find it; writes nothing. Borrows the device. Memory: the segment table.
// Errors: those of Volume::Open.
async::Task<base::Result<SpaceMap>> ReadSpaceMap(BlockDevice* device);

}  // namespace mffs
