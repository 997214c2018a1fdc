// SegmentReader: the sectors of one segment, read in large pieces and handed out as views.
#pragma once

#include <vector>

#include "async/asio.h"
#include "mffs/device_io.h"
#include "mffs/format.h"

namespace mffs {

// Thread: one shard. Borrows the device. Memory: a window of 1 MiB; two of 3 MiB when it reads ahead. A sector that the
// device cannot read is handed out as zeroes, which no checksum confirms: a read error is isolated to its sector and
// treated like rot.
class SegmentReader {
 public:
  SegmentReader(BlockDevice* device, const Geometry& geometry, std::uint32_t segment, IoDeadline deadline)
      : device_(device), geometry_(geometry), segment_(segment), deadline_(deadline) {}

  std::uint32_t segment() const { return segment_; }
  const Geometry& geometry() const { return geometry_; }

  // `count` (at most kBlockSectorsMax) sectors from `first`, all within the segment. Valid until the next call.
  async::Task<base::ByteSpan> Sectors(std::uint32_t first, std::uint32_t count);

  // From now on reads ahead of Sectors(), from `first` to `end`. Stop() must be awaited then.
  async::Task<void> ReadAhead(std::uint32_t first, std::uint32_t end);
  async::Task<void> Stop();

  std::uint64_t unreadable_sectors() const { return unreadable_sectors_; }

 private:
  // Sectors from `first` on, behind `skip` sectors of other content.
  struct Window {
    IoMemory memory;
    std::uint32_t skip = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t end() const { return first + count; }
    std::byte* sector(std::uint32_t number) { return memory.data() + (skip + number - first) * kSectorBytes; }
  };
  bool IsAhead(std::uint32_t first, std::uint32_t count) const;
  async::Task<void> Load(std::uint32_t first, std::uint32_t count);
  async::Task<void> BeginAhead(std::uint32_t first, std::uint32_t count_max);
  async::Task<void> TakeAhead(std::uint32_t first);

  BlockDevice* device_;
  Geometry geometry_;
  std::uint32_t segment_;
  IoDeadline deadline_;
  Window window_;
  std::uint32_t ahead_end_ = 0;  // 0: nothing is read ahead.
  PendingRead ahead_;
  Window next_;  // What `ahead_` reads; its memory is there.
  std::uint64_t unreadable_sectors_ = 0;
};

}  // namespace mffs
