// SegmentScan: the part of recovery that looks at one segment and notes what blocks are there.
#pragma once

#include <vector>

#include "async/asio.h"
#include "mffs/block_walker.h"

namespace mffs {

// A block that recovery found.
struct ScannedBlock {
  BlockHeader header;
  std::uint32_t first_sector = 0;
  std::uint32_t padded_bytes = 0;  // Of the records that can be read.
  bool is_damaged = false;
  bool is_own = false;                  // Whole, and without a record of the owner's.
  std::vector<std::uint32_t> ordinals;  // Of the readable records, if it is damaged.
};

// Sectors between two blocks, or before a known end, in which a block was.
struct ScannedStretch {
  std::uint32_t first_sector = 0;
  std::uint32_t sector_count = 0;
  Lsn after_lsn;
  Lsn before_lsn;
  std::uint32_t padded_bytes = 0;
  std::vector<std::uint32_t> ordinals;  // Of the readable records.
};

// A record of MFFS's own, which the scan meets.
struct OwnRecord {
  Location location;
  RecordKey key;
  Lsn lsn;
};

struct SegmentScan {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  std::vector<ScannedBlock> blocks;  // In LSN order.
  std::vector<ScannedStretch> stretches;
  std::vector<OwnRecord> own_records;
  bool tail_resembles_block = false;
  std::uint32_t end_sector = 1;
};

async::Task<SegmentScan> ScanSegment(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                     BlockWalker::Range range, IoDeadline deadline);

// What the first sectors of a segment say.
struct SegmentStart {
  std::optional<SegmentHeader> header;
  std::optional<BlockHeader> first_block;

  // The newer of both; 0: neither is valid.
  std::uint32_t generation() const;
  std::optional<Stream> stream() const;
};

// Reads the starts of all segments, many at once.
async::Task<std::vector<SegmentStart>> ReadSegmentStarts(BlockDevice* device, Geometry geometry, IoDeadline deadline);

}  // namespace mffs
