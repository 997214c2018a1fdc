#include "mffs/segment_summary.h"

#include "base/crc32c.h"

namespace mffs {
namespace {

// A footer that rotted still has most fields right; an older one, or none, has not.
bool ResemblesFooter(base::ByteSpan sector, std::uint32_t segment, std::uint32_t generation) {
  base::Decoder in(base::AsText(sector));
  const bool magic_fits = in.Raw(8) == "MFFSfoo1";
  in.U32();
  const bool segment_fits = in.U32() == segment;
  const bool generation_fits = in.U32() == generation;
  return magic_fits + segment_fits + generation_fits >= 2 && generation_fits;
}

}  // namespace

async::Task<SegmentSummary> SegmentSummary::Load(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                                 std::uint32_t generation, IoDeadline deadline) {
  SegmentSummary summary;
  summary.segment_ = segment;
  summary.generation_ = generation;
  summary.seed_ = SegmentSeed(geometry.uuid, segment, generation);
  const auto sector =
      co_await ReadSectors(device, geometry.SectorOffset(segment, geometry.footer_sector()), kSectorBytes, deadline);
  if (!sector.has_value()) {
    summary.damage_ = "its footer cannot be read";
    co_return summary;
  }
  summary.footer_ = DecodeFooter(sector->span(), geometry, segment, generation);
  if (!summary.footer_.has_value()) {
    if (ResemblesFooter(sector->span(), segment, generation)) summary.damage_ = "the checksum of its footer is wrong";
    co_return summary;
  }
  if (summary.footer_->summary_sector != 0) co_await summary.LoadEntries(device, geometry, deadline);
  co_return summary;
}

async::Task<void> SegmentSummary::LoadEntries(BlockDevice* device, Geometry geometry, IoDeadline deadline) {
  const std::uint64_t bytes = AlignUp(footer_->summary_bytes, kSectorBytes);
  const bool fits = bytes > 0 && footer_->summary_bytes <= geometry.summary_bytes_max() &&
                    footer_->summary_sector + bytes / kSectorBytes <= geometry.footer_sector();
  if (!fits) {
    damage_ = "its footer names an impossible place";
    co_return;
  }
  const auto read =
      co_await ReadSectors(device, geometry.SectorOffset(segment_, footer_->summary_sector), bytes, deadline);
  if (!read.has_value()) {
    damage_ = "it cannot be read";
    co_return;
  }
  const base::ByteSpan text = read->span().first(footer_->summary_bytes);
  if (base::Crc32c(text, seed_.ForSector(footer_->summary_sector)) != footer_->summary_checksum) {
    damage_ = "its checksum is wrong";
    co_return;
  }
  text_ = std::string(base::AsText(text));
}

std::optional<SegmentSummary::Entry> SegmentSummary::Next() {
  const std::string_view rest = std::string_view(text_).substr(at_);
  if (rest.size() < kSummaryEntryFixedBytes) return std::nullopt;
  const auto offset = base::LoadLe<std::uint32_t>(rest.data());
  const auto lsn_delta = base::LoadLe<std::uint32_t>(rest.data() + 4);
  const auto header = DecodeRecordHeader(base::AsBytes(rest.substr(8)), seed_, offset);
  if (!header.has_value() || rest.size() < SummaryEntryBytes(header->head_bytes)) return std::nullopt;
  Entry entry;
  entry.header = *header;
  entry.location = {.segment = segment_,
                    .generation = generation_,
                    .offset = offset,
                    .size = header->size(),
                    .ordinal = header->ordinal};
  entry.lsn = Lsn(footer_->first_lsn.value() + lsn_delta);
  entry.head = rest.substr(kSummaryEntryFixedBytes, header->head_bytes);
  at_ += SummaryEntryBytes(header->head_bytes);
  return entry;
}

}  // namespace mffs
