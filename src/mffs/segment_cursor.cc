#include "mffs/segment_cursor.h"

#include <fmt/format.h>

#include "base/crc32c.h"

namespace mffs {

SegmentCursor::SegmentCursor(BlockDevice* device, const Geometry& geometry, std::uint32_t number,
                             const Segment& segment, Lsn after, IoDeadline deadline)
    : device_(device),
      geometry_(geometry),
      number_(number),
      generation_(segment.generation),
      end_sector_(segment.end_sector),
      records_(segment.live.count()),
      is_sealed_(segment.state != SegmentState::kOpen),
      first_lsn_(segment.first_lsn),
      after_(after),
      deadline_(deadline),
      seed_(geometry.uuid, number, segment.generation),
      reader_(device, geometry, number, deadline) {}

async::Task<bool> SegmentCursor::Next() {
  if (!started_) {
    started_ = true;
    if (is_sealed_) co_await LoadSummary();
    walker_.emplace(&reader_,
                    BlockWalker::Range{.generation = generation_, .end_sector = end_sector_, .end_is_known = true});
  }
  if (summary_.has_value()) co_return NextFromSummary();
  co_return co_await NextFromBlocks();
}

async::Task<void> SegmentCursor::LoadSummary() {
  const auto sector = co_await ReadSectors(device_, geometry_.SectorOffset(number_, geometry_.footer_sector()),
                                           kSectorBytes, deadline_);
  if (!sector.has_value()) co_return;
  const auto footer = DecodeFooter(sector->span(), geometry_, number_, generation_);
  if (!footer.has_value() || footer->summary_sector == 0) co_return;
  const std::uint64_t bytes = AlignUp(footer->summary_bytes, kSectorBytes);
  const bool fits = footer->end_sector == end_sector_ && footer->records == records_ && bytes > 0 &&
                    footer->first_lsn == first_lsn_ && footer->summary_bytes <= geometry_.summary_bytes_max() &&
                    footer->summary_sector >= end_sector_ &&
                    footer->summary_sector + bytes / kSectorBytes <= geometry_.footer_sector();
  if (!fits) co_return;
  const auto summary =
      co_await ReadSectors(device_, geometry_.SectorOffset(number_, footer->summary_sector), bytes, deadline_);
  if (!summary.has_value()) co_return;
  const base::ByteSpan text = summary->span().first(footer->summary_bytes);
  if (base::Crc32c(text, seed_.ForSector(footer->summary_sector)) != footer->summary_checksum) co_return;
  summary_ = std::string(base::AsText(text));
  // Each entry proves itself; a single bad one makes the blocks the better source.
  RecordBatch::Entry entry;
  Lsn lsn;
  std::string_view head;
  std::uint32_t records = 0;
  while (NextEntry(entry, lsn, head)) ++records;
  if (records != records_ || summary_at_ != summary_->size()) summary_.reset();
  summary_at_ = 0;
}

bool SegmentCursor::NextEntry(RecordBatch::Entry& entry, Lsn& lsn, std::string_view& head) {
  const std::string_view rest = std::string_view(*summary_).substr(summary_at_);
  if (rest.size() < kSummaryEntryFixedBytes) return false;
  const auto offset = base::LoadLe<std::uint32_t>(rest.data());
  const auto lsn_delta = base::LoadLe<std::uint32_t>(rest.data() + 4);
  const auto header = DecodeRecordHeader(base::AsBytes(rest.substr(8)), seed_, offset);
  if (!header.has_value() || rest.size() < SummaryEntryBytes(header->head_bytes)) return false;
  entry.header = *header;
  entry.location = Location{.segment = number_,
                            .generation = generation_,
                            .offset = offset,
                            .size = header->size(),
                            .ordinal = header->ordinal};
  lsn = Lsn(first_lsn_.value() + lsn_delta);
  head = rest.substr(kSummaryEntryFixedBytes, header->head_bytes);
  summary_at_ += SummaryEntryBytes(header->head_bytes);
  return true;
}

bool SegmentCursor::NextFromSummary() {
  batch_ = {};
  for (;;) {
    const std::size_t before = summary_at_;
    RecordBatch::Entry entry;
    Lsn lsn;
    std::string_view head;
    if (!NextEntry(entry, lsn, head)) break;
    if (lsn <= after_) continue;
    if (!batch_.entries.empty() && lsn != batch_.lsn) {
      summary_at_ = before;
      break;
    }
    batch_.lsn = lsn;
    AddEntry(entry.header, entry.location, head, true);
  }
  return !batch_.entries.empty();
}

async::Task<bool> SegmentCursor::NextFromBlocks() {
  for (;;) {
    batch_ = {};
    const auto block = co_await walker_->Next();
    if (!block.has_value()) co_return false;
    if (block->header.has_value() && block->header->lsn <= after_) continue;
    if (block->IsDamaged()) {
      damage_.push_back(fmt::format("segment {} generation {} sector {}: {}", number_, generation_, block->first_sector,
                                    block->header.has_value() ? "a block is damaged" : "no valid block is here"));
    }
    batch_.lsn = block->header.has_value() ? block->header->lsn : block->after_lsn.Next();
    ForEachRecord(*block, geometry_, number_, generation_, [this](const WalkedRecord& record) {
      AddEntry(record.header, record.location, record.head, record.body_is_readable);
    });
    if (!batch_.entries.empty()) co_return true;
  }
}

void SegmentCursor::AddEntry(const RecordHeader& header, const Location& location, std::string_view head,
                             bool body_is_readable) {
  batch_.entries.push_back({header, location, static_cast<std::uint32_t>(batch_.heads.size()), body_is_readable});
  batch_.heads += head;
}

}  // namespace mffs
