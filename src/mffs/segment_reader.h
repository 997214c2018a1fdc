// SegmentReader: the sectors of one segment, read in large pieces and handed out as views.
#pragma once

#include <vector>

#include "async/asio.h"
#include "mffs/device_io.h"
#include "mffs/format.h"

namespace mffs {

// Thread: one shard. Borrows the device. A sector that the device cannot read is handed out as zeroes, which no
// checksum confirms: a read error is isolated to its sector and treated like rot.
class SegmentReader {
 public:
  SegmentReader(BlockDevice* device, const Geometry& geometry, std::uint32_t segment, IoDeadline deadline)
      : device_(device), geometry_(geometry), segment_(segment), deadline_(deadline) {}

  std::uint32_t segment() const { return segment_; }
  const Geometry& geometry() const { return geometry_; }

  // `count` (at most kBlockSectorsMax) sectors from `first`, all within the segment. Valid until the next call.
  async::Task<base::ByteSpan> Sectors(std::uint32_t first, std::uint32_t count);

  std::uint64_t unreadable_sectors() const { return unreadable_sectors_; }

 private:
  async::Task<void> Load(std::uint32_t first, std::uint32_t count);

  BlockDevice* device_;
  Geometry geometry_;
  std::uint32_t segment_;
  IoDeadline deadline_;
  IoMemory window_;
  std::uint32_t window_first_ = 0;
  std::uint32_t window_count_ = 0;
  std::uint64_t unreadable_sectors_ = 0;
};

}  // namespace mffs
