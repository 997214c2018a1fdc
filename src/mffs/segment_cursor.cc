#include "mffs/segment_cursor.h"

#include <utility>

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

async::Task<void> SegmentCursor::Begin() {
  reads_ahead_ = true;
  if (is_sealed_) summary_ = co_await SegmentSummary::Begin(device_, geometry_, number_, generation_, deadline_);
}

async::Task<void> SegmentCursor::Prepare() {
  if (std::exchange(is_prepared_, true)) co_return;
  if (summary_.has_value()) {
    co_await summary_->BeginEntries();
    if (HasFittingSummary()) co_return;
    co_await summary_->Finish();
    summary_.reset();
  }
  co_await reader_.ReadAhead(1, end_sector_);
}

async::Task<void> SegmentCursor::Stop() {
  if (summary_.has_value()) co_await summary_->Finish();
  co_await reader_.Stop();
}

async::Task<bool> SegmentCursor::Next() {
  if (!started_) {
    started_ = true;
    co_await LoadSummary();
    walker_.emplace(&reader_,
                    BlockWalker::Range{.generation = generation_, .end_sector = end_sector_, .end_is_known = true});
  }
  if (summary_.has_value()) co_return NextFromSummary();
  co_return co_await NextFromBlocks();
}

bool SegmentCursor::HasFittingSummary() const {
  if (!summary_->has_entries()) return false;
  const Footer& footer = *summary_->footer();
  return footer.end_sector == end_sector_ && footer.records == records_ && footer.first_lsn == first_lsn_ &&
         footer.summary_sector >= end_sector_;
}

async::Task<void> SegmentCursor::LoadSummary() {
  if (reads_ahead_) {
    co_await Prepare();
  } else if (is_sealed_) {
    summary_ = co_await SegmentSummary::Begin(device_, geometry_, number_, generation_, deadline_);
  }
  if (!summary_.has_value()) co_return;
  co_await summary_->Finish();
  // Each entry proves itself; a single bad one makes the blocks the better source.
  std::uint32_t records = 0;
  while (HasFittingSummary() && summary_->Next().has_value()) ++records;
  if (!HasFittingSummary() || records != records_ || !summary_->IsAtEnd()) {
    summary_.reset();
    if (reads_ahead_) co_await reader_.ReadAhead(1, end_sector_);
    co_return;
  }
  summary_->Rewind();
  entry_ = summary_->Next();
}

bool SegmentCursor::NextFromSummary() {
  batch_.entries.clear();
  for (; entry_.has_value(); entry_ = summary_->Next()) {
    if (entry_->lsn <= after_) continue;
    if (!batch_.entries.empty() && entry_->lsn != batch_.lsn) break;
    batch_.lsn = entry_->lsn;
    batch_.entries.push_back({entry_->header, entry_->location, entry_->head, true});
  }
  return !batch_.entries.empty();
}

async::Task<bool> SegmentCursor::NextFromBlocks() {
  for (;;) {
    batch_.entries.clear();
    const auto block = co_await walker_->Next();
    if (!block.has_value()) co_return false;
    if (block->header.has_value() && block->header->lsn <= after_) continue;
    if (block->IsDamaged()) {
      damage_.push_back(fmt::format("segment {} generation {} sector {}: {}", number_, generation_, block->first_sector,
                                    block->header.has_value() ? "a block is damaged" : "no valid block is here"));
    }
    batch_.lsn = block->header.has_value() ? block->header->lsn : block->after_lsn.Next();
    ForEachRecord(*block, geometry_, number_, generation_, [this](const WalkedRecord& record) {
      batch_.entries.push_back({record.header, record.location, record.head, record.body_is_readable});
    });
    if (!batch_.entries.empty()) co_return true;
  }
}

}  // namespace mffs
