// SectorVerifier: whether the sectors of a segment, fed in their order, are what was written there. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "mffs/format.h"

namespace mffs {

enum class SectorState : std::uint8_t {
  kGood,
  kBad,
  // Behind a block whose first sector is bad: the checksums of these were in it, so nothing can be said of them.
  kUnknown,
};

// A value. Reads nothing but what it is fed: from sector 0 on, all up to the end of the last block.
class SectorVerifier {
 public:
  SectorVerifier(const Geometry& geometry, std::uint32_t segment, std::uint32_t generation, std::uint32_t end_sector)
      : uuid_(geometry.uuid),
        segment_(segment),
        generation_(generation),
        end_sector_(end_sector),
        seed_(geometry.uuid, segment, generation) {}

  // The next sector. `is_read`: false if the device could not read it; `sector` is then of no interest.
  SectorState Feed(base::ByteSpan sector, bool is_read);
  std::uint32_t next_sector() const { return next_; }

 private:
  bool BeginBlock(base::ByteSpan sector);

  Uuid uuid_;
  std::uint32_t segment_;
  std::uint32_t generation_;
  std::uint32_t end_sector_;
  SegmentSeed seed_;
  std::uint32_t next_ = 0;
  std::uint32_t block_first_ = 1;
  std::uint32_t block_end_ = 1;  // Where the next block begins.
  bool is_lost_ = false;         // The sector at which a block should have begun was bad.
  std::array<std::byte, kSectorBytes> block_start_{};
};

}  // namespace mffs
