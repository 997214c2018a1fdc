#include "mffs/segment_sealer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"

namespace mffs {
namespace {

constexpr std::size_t kPieceBytes = 1u << 20;  // A larger write would make commits wait.

}  // namespace

void SegmentSealer::Add(SealedSegment segment) {
  waiting_.push_back(std::move(segment));
  if (waiting_.size() > kWaitingMax) waiting_.pop_front();
  changed_.NotifyAll();
}

void SegmentSealer::Stop() {
  stopping_ = true;
  changed_.NotifyAll();
}

async::Task<void> SegmentSealer::Run() {
  for (;;) {
    while (waiting_.empty()) {
      if (stopping_) co_return;
      co_await changed_.Wait();
    }
    SealedSegment sealed = std::move(waiting_.front());
    waiting_.pop_front();
    const std::uint32_t number = sealed.segment;
    const Segment& segment = (*table_)[number];
    // Its records may be gone by now, and the segment with them.
    if (segment.generation != sealed.generation || segment.state != SegmentState::kSealed) continue;
    table_->Hold(number);
    const auto written = co_await Write(std::move(sealed));
    if (written.has_value()) {
      table_->Unhold(number);
      continue;
    }
    // After a time-out the write may still land: the segment stays held while this mount lasts.
    base::LogWarning("mffs_summary_failed", {{"segment", number}, {"reason", written.error().message()}});
    if (written.error().code() != base::Errc::kTimeout) table_->Unhold(number);
  }
}

async::Task<base::Result<>> SegmentSealer::Write(SealedSegment sealed) {
  const Segment& segment = (*table_)[sealed.segment];
  Footer footer{.segment = sealed.segment,
                .generation = sealed.generation,
                .end_sector = segment.end_sector,
                .records = segment.live.count(),
                .first_lsn = segment.first_lsn,
                .last_lsn = segment.last_lsn};
  const SegmentSeed seed(geometry_.uuid, sealed.segment, sealed.generation);
  const auto sectors = static_cast<std::uint32_t>(AlignUp(sealed.summary.size(), kSectorBytes) / kSectorBytes);
  if (sectors > 0) {
    footer.summary_sector = geometry_.footer_sector() - sectors;
    CHECK(footer.summary_sector >= segment.end_sector);
    footer.summary_bytes = static_cast<std::uint32_t>(sealed.summary.size());
    footer.summary_checksum = base::Crc32c(base::AsBytes(sealed.summary), seed.ForSector(footer.summary_sector));
  }
  const std::uint64_t summary_offset = geometry_.SectorOffset(sealed.segment, footer.summary_sector);
  for (std::size_t at = 0; at < sealed.summary.size(); at += kPieceBytes) {
    const std::size_t bytes = std::min(kPieceBytes, sealed.summary.size() - at);
    IoMemory piece(AlignUp(bytes, kSectorBytes));
    std::memcpy(piece.data(), sealed.summary.data() + at, bytes);
    CO_RETURN_IF_ERROR(co_await WriteDurably(device_, summary_offset + at, std::move(piece), deadline_));
  }
  IoMemory sector(kSectorBytes);
  EncodeFooter(footer, geometry_, sector.span());
  co_return co_await WriteDurably(device_, geometry_.SectorOffset(sealed.segment, geometry_.footer_sector()),
                                  std::move(sector), deadline_);
}

}  // namespace mffs
