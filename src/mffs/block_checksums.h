// BlockChecksums: the checksums of a block's sectors, put together from those of the pieces that were copied there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "mffs/format.h"

namespace mffs {

// A record's payload has two checksums: its own, and that of each sector where it lies. Copying computes one of each
// piece within a sector, and both are joined from those (the CRC is linear), so that a block is not read once more when
// it is sealed. And what changes in memory between the two is found by whoever reads it.
//
// Thread: one.
class BlockChecksums {
 public:
  // Copies a part of a payload to `at` in the block, behind all that was copied before. Returns the payload's checksum,
  // which was `checksum` before.
  std::uint32_t Copy(std::byte* block, std::uint32_t at, base::ByteSpan part, std::uint32_t checksum,
                     base::CopyTo where);
  // Of sectors 1.. of the block, whose place is `first_sector` of its segment. What was not copied there, headers and
  // padding, is read. The view is valid until the next call.
  std::span<const std::uint32_t> OfSectors(base::ByteSpan block, const SegmentSeed& seed, std::uint32_t first_sector);
  void Clear() { pieces_.clear(); }

 private:
  // Within a sector.
  struct Piece {
    std::uint32_t at = 0;
    std::uint32_t bytes = 0;
    std::uint32_t checksum = 0;  // With seed 0.
  };

  std::vector<Piece> pieces_;  // In their order, those in sector 0 left out.
  std::vector<std::uint32_t> of_sectors_;
};

}  // namespace mffs
