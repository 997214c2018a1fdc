#include "mffs/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mffs {

async::Task<base::ByteSpan> SegmentReader::Sectors(std::uint32_t first, std::uint32_t count) {
  CHECK(count > 0 && count <= kBlockSectorsMax && first + count <= geometry_.sectors_per_segment());
  const bool loaded = first >= window_first_ && first + count <= window_first_ + window_count_;
  if (!loaded) {
    const std::uint32_t ahead = std::min(kBlockSectorsMax, geometry_.sectors_per_segment() - first);
    co_await Load(first, std::max(count, ahead));
  }
  co_return base::ByteSpan(window_.span()).subspan((first - window_first_) * kSectorBytes, count * kSectorBytes);
}

async::Task<void> SegmentReader::Load(std::uint32_t first, std::uint32_t count) {
  auto whole = co_await ReadSectors(device_, geometry_.SectorOffset(segment_, first), count * kSectorBytes, deadline_);
  window_first_ = first;
  window_count_ = count;
  if (whole.has_value()) {
    window_ = std::move(*whole);
    co_return;
  }
  window_ = IoMemory(count * kSectorBytes);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto sector = co_await ReadSectors(device_, geometry_.SectorOffset(segment_, first + i), kSectorBytes, deadline_);
    if (sector.has_value()) {
      std::memcpy(window_.data() + i * kSectorBytes, sector->data(), kSectorBytes);
    } else {
      ++unreadable_sectors_;
    }
  }
}

}  // namespace mffs
