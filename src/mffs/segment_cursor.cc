#include "mffs/segment_cursor.h"

#include <fmt/format.h>

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
  SegmentSummary summary = co_await SegmentSummary::Load(device_, geometry_, number_, generation_, deadline_);
  if (!summary.has_entries()) co_return;
  const Footer& footer = *summary.footer();
  const bool fits = footer.end_sector == end_sector_ && footer.records == records_ && footer.first_lsn == first_lsn_ &&
                    footer.summary_sector >= end_sector_;
  if (!fits) co_return;
  // Each entry proves itself; a single bad one makes the blocks the better source.
  std::uint32_t records = 0;
  while (summary.Next().has_value()) ++records;
  if (records != records_ || !summary.IsAtEnd()) co_return;
  summary.Rewind();
  summary_ = std::move(summary);
  entry_ = summary_->Next();
}

bool SegmentCursor::NextFromSummary() {
  batch_ = {};
  for (; entry_.has_value(); entry_ = summary_->Next()) {
    if (entry_->lsn <= after_) continue;
    if (!batch_.entries.empty() && entry_->lsn != batch_.lsn) break;
    batch_.lsn = entry_->lsn;
    AddEntry(entry_->header, entry_->location, entry_->head, true);
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
