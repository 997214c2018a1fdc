#include "mffs/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mffs {
namespace {

constexpr std::uint32_t kAheadSectors = 2 * kBlockSectorsMax;

}  // namespace

async::Task<base::ByteSpan> SegmentReader::Sectors(std::uint32_t first, std::uint32_t count) {
  CHECK(count > 0 && count <= kBlockSectorsMax && first + count <= geometry_.sectors_per_segment());
  const bool loaded = first >= window_.first && first + count <= window_.end();
  if (!loaded && IsAhead(first, count)) {
    co_await TakeAhead(first);
    co_await BeginAhead(window_.end(), kAheadSectors);
  } else if (!loaded) {
    co_await Stop();
    const std::uint32_t rest = std::min(kBlockSectorsMax, geometry_.sectors_per_segment() - first);
    co_await Load(first, std::max(count, rest));
  }
  co_return base::ByteSpan(window_.sector(first), count * kSectorBytes);
}

async::Task<void> SegmentReader::ReadAhead(std::uint32_t first, std::uint32_t end) {
  ahead_end_ = end;
  window_.first = first;
  window_.count = 0;
  co_await BeginAhead(first, kBlockSectorsMax);
}

async::Task<void> SegmentReader::Stop() {
  ahead_end_ = 0;
  if (ahead_.is_begun()) base::Ignore(co_await ahead_.Finish());
}

// The sectors begin in the window or right behind it, and end in what is being read.
bool SegmentReader::IsAhead(std::uint32_t first, std::uint32_t count) const {
  return ahead_.is_begun() && first >= window_.first && first <= next_.first && first + count <= next_.end();
}

async::Task<void> SegmentReader::BeginAhead(std::uint32_t first, std::uint32_t count_max) {
  if (first >= ahead_end_) co_return;
  // Before it there is room for what the window will still have of a block.
  const std::uint32_t skip = window_.count == 0 ? 0 : kBlockSectorsMax;
  const std::uint32_t count = std::min(count_max, ahead_end_ - first);
  const std::size_t bytes = (std::size_t{skip} + count) * kSectorBytes;
  IoMemory memory = std::move(next_.memory);
  if (memory.size() != bytes) memory = IoMemory(bytes, IoMemory::Content::kAny);
  next_ = Window{.memory = {}, .skip = skip, .first = first, .count = count};
  ahead_ = co_await PendingRead::Begin(device_, geometry_.SectorOffset(segment_, first), std::move(memory),
                                       skip * kSectorBytes, deadline_);
}

// What was read ahead becomes the window, with what it still holds from `first` on in front.
async::Task<void> SegmentReader::TakeAhead(std::uint32_t first) {
  auto memory = co_await ahead_.Finish();
  if (!memory.has_value()) {
    co_await Load(first, next_.end() - first);
    co_return;
  }
  next_.memory = *std::move(memory);
  const std::uint32_t kept = next_.first - first;
  CHECK(kept <= next_.skip);
  next_.skip -= kept;
  next_.first -= kept;
  next_.count += kept;
  if (kept > 0) std::memcpy(next_.sector(first), window_.sector(first), kept * kSectorBytes);
  std::swap(window_, next_);
}

async::Task<void> SegmentReader::Load(std::uint32_t first, std::uint32_t count) {
  SectorsRead read = co_await ReadSectorsSingly(device_, geometry_.SectorOffset(segment_, first), count, deadline_);
  unreadable_sectors_ += static_cast<std::uint64_t>(std::ranges::count(read.is_read, false));
  window_ = Window{.memory = std::move(read.memory), .skip = 0, .first = first, .count = count};
}

}  // namespace mffs
