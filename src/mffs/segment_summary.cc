#include "mffs/segment_summary.h"

#include "base/crc32c.h"

namespace mffs {
namespace {

// A footer that rotted still has most fields right; an older one, or none, has not.
bool ResemblesFooter(base::ByteSpan sector, std::uint32_t segment, std::uint32_t generation) {
  base::Decoder in(base::AsText(sector));
  const std::string_view magic = in.Raw(8);
  if (magic == "MFFSfoo1") return false;  // Of an early build, whose summaries were written otherwise.
  const bool magic_fits = magic == "MFFSfoo2";
  in.U32();
  const bool segment_fits = in.U32() == segment;
  const bool generation_fits = in.U32() == generation;
  return magic_fits + segment_fits + generation_fits >= 2 && generation_fits;
}

}  // namespace

async::Task<SegmentSummary> SegmentSummary::Load(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                                 std::uint32_t generation, IoDeadline deadline) {
  SegmentSummary summary = co_await Begin(device, geometry, segment, generation, deadline);
  co_await summary.Finish();
  co_return summary;
}

async::Task<SegmentSummary> SegmentSummary::Begin(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                                  std::uint32_t generation, IoDeadline deadline) {
  SegmentSummary summary;
  summary.device_ = device;
  summary.geometry_ = geometry;
  summary.deadline_ = deadline;
  summary.segment_ = segment;
  summary.generation_ = generation;
  summary.seed_ = SegmentSeed(geometry.uuid, segment, generation);
  summary.footer_read_ = co_await PendingRead::Begin(device, geometry.SectorOffset(segment, geometry.footer_sector()),
                                                     IoMemory(kSectorBytes, IoMemory::Content::kAny), 0, deadline);
  co_return summary;
}

async::Task<void> SegmentSummary::BeginEntries() {
  const auto sector = co_await footer_read_.Finish();
  if (!sector.has_value()) {
    damage_ = "its footer cannot be read";
    co_return;
  }
  footer_ = DecodeFooter(sector->span(), geometry_, segment_, generation_);
  if (!footer_.has_value()) {
    if (ResemblesFooter(sector->span(), segment_, generation_)) damage_ = "the checksum of its footer is wrong";
    co_return;
  }
  if (footer_->summary_sector == 0) co_return;
  const std::uint64_t bytes = AlignUp(footer_->summary_bytes, kSectorBytes);
  const bool fits = bytes > 0 && footer_->summary_bytes <= geometry_.summary_bytes_max() &&
                    footer_->summary_sector + bytes / kSectorBytes <= geometry_.footer_sector();
  if (!fits) {
    damage_ = "its footer names an impossible place";
    co_return;
  }
  entries_read_ = co_await PendingRead::Begin(device_, geometry_.SectorOffset(segment_, footer_->summary_sector),
                                              IoMemory(bytes, IoMemory::Content::kAny), 0, deadline_);
}

async::Task<void> SegmentSummary::Finish() {
  if (footer_read_.is_begun()) co_await BeginEntries();
  if (!entries_read_.is_begun()) co_return;
  auto read = co_await entries_read_.Finish();
  if (!read.has_value()) {
    damage_ = "it cannot be read";
    co_return;
  }
  const base::ByteSpan text = read->span().first(footer_->summary_bytes);
  if (base::Crc32c(text, seed_.ForSector(footer_->summary_sector)) != footer_->summary_checksum) {
    damage_ = "its checksum is wrong";
    co_return;
  }
  entries_ = SummaryText(base::AsText(text), {.segment = segment_,
                                              .generation = generation_,
                                              .end_sector = footer_->end_sector,
                                              .first_lsn = footer_->first_lsn});
  text_ = *std::move(read);
}

}  // namespace mffs
