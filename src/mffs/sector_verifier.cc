#include "mffs/sector_verifier.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace mffs {

SectorState SectorVerifier::Feed(base::ByteSpan sector, bool is_read) {
  CHECK(sector.size() == kSectorBytes && next_ < end_sector_);
  const std::uint32_t at = next_++;
  if (at == 0) {
    if (!is_read) return SectorState::kBad;
    const auto header = DecodeSegmentHeader(sector, uuid_, segment_);
    return header.has_value() && header->generation == generation_ ? SectorState::kGood : SectorState::kBad;
  }
  if (at < block_end_) {
    const bool is_good = is_read && BlockSectorIsValid(block_start_, at - block_first_, sector, seed_, block_first_);
    return is_good ? SectorState::kGood : SectorState::kBad;
  }
  if (is_read && BeginBlock(sector)) return SectorState::kGood;
  block_end_ = next_;  // A block may begin at any of the next sectors.
  const bool was_lost = std::exchange(is_lost_, true);
  return was_lost && is_read ? SectorState::kUnknown : SectorState::kBad;
}

bool SectorVerifier::BeginBlock(base::ByteSpan sector) {
  const std::uint32_t at = next_ - 1;
  const auto header = DecodeBlockHeader(sector, uuid_, segment_, at);
  if (!header.has_value() || header->generation != generation_ || at + header->sector_count > end_sector_) return false;
  std::ranges::copy(sector, block_start_.begin());
  block_first_ = at;
  block_end_ = at + header->sector_count;
  is_lost_ = false;
  return true;
}

}  // namespace mffs
