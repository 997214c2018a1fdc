#include "mffs/volume_scan.h"

#include <algorithm>
#include <deque>
#include <memory>

#include "mffs/segment_cursor.h"

namespace mffs {
namespace {

// Segments with something to say, by the LSN at which they begin.
std::vector<std::uint32_t> SegmentsAfter(const SegmentTable& table, Lsn after) {
  std::vector<std::uint32_t> segments;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    const Segment& segment = table[i];
    const bool has_records = segment.state != SegmentState::kFree && segment.live.count() > 0;
    if (has_records && segment.last_lsn > after) segments.push_back(i);
  }
  std::ranges::sort(segments, {}, [&](std::uint32_t i) { return table[i].first_lsn; });
  return segments;
}

base::Result<> Visit(const SegmentCursor& cursor, const SegmentTable& table,
                     const std::function<base::Result<>(const RecordView&)>& visit) {
  const RecordBatch& batch = cursor.batch();
  for (const RecordBatch::Entry& entry : batch.entries) {
    if (entry.header.key.type >= kOwnTypesFirst) continue;
    const RecordView view{.key = entry.header.key,
                          .location = entry.location,
                          .lsn = batch.lsn,
                          .stream = table[cursor.segment()].stream,
                          .head = entry.head,
                          .body_bytes = entry.header.body_bytes,
                          .is_live = table.IsLive(entry.location),
                          .is_copy = (entry.header.flags & RecordHeader::kCopy) != 0,
                          .body_is_readable = entry.body_is_readable};
    RETURN_IF_ERROR(visit(view));
  }
  return {};
}

// The cursors of segments in their order. Reads of the next ones are under way, so that the device need not wait.
// Memory: kAheadBytesMax, or what one segment takes.
class CursorQueue {
 public:
  CursorQueue(ScanSource source, Lsn after, std::vector<std::uint32_t> segments)
      : source_(std::move(source)), after_(after), segments_(std::move(segments)) {}

  bool empty() const { return ahead_.empty() && next_ == segments_.size(); }
  Lsn first_lsn() const {
    return (*source_.table)[ahead_.empty() ? segments_[next_] : ahead_.front()->segment()].first_lsn;
  }
  async::Task<std::unique_ptr<SegmentCursor>> Take() {
    co_await ReadAhead();
    auto cursor = std::move(ahead_.front());
    ahead_.pop_front();
    const std::size_t done = next_ - ahead_.size() - 1;
    if (source_.progress) source_.progress({.what = "segments", .done = done, .total = segments_.size()});
    co_return cursor;
  }
  async::Task<void> Stop() {
    for (const auto& cursor : ahead_) co_await cursor->Stop();
  }

 private:
  static constexpr std::size_t kBegunMax = 32;
  static constexpr std::size_t kPreparedMax = 16;
  static constexpr std::uint64_t kAheadBytesMax = 64u << 20;

  async::Task<void> ReadAhead() {
    while (ahead_.size() < kBegunMax && next_ < segments_.size()) {
      const std::uint32_t number = segments_[next_++];
      ahead_.push_back(std::make_unique<SegmentCursor>(source_.device, source_.geometry, number,
                                                       (*source_.table)[number], after_, source_.deadline));
      co_await ahead_.back()->Begin();
    }
    const std::uint64_t bytes_each = std::max<std::uint64_t>(source_.geometry.summary_bytes_max(), kBlockBytesMax);
    const std::size_t prepared = std::clamp<std::size_t>(kAheadBytesMax / bytes_each, 1, kPreparedMax);
    for (std::size_t i = 0; i < std::min(prepared, ahead_.size()); ++i) co_await ahead_[i]->Prepare();
  }

  ScanSource source_;
  Lsn after_;
  std::vector<std::uint32_t> segments_;
  std::size_t next_ = 0;  // In segments_.
  std::deque<std::unique_ptr<SegmentCursor>> ahead_;
};

// The cursors from which the merge takes, each at its next block.
using OpenCursors = std::vector<std::unique_ptr<SegmentCursor>>;

auto Earliest(OpenCursors& open) {
  return std::ranges::min_element(open, {}, [](const auto& cursor) { return cursor->batch().lsn; });
}

// Parameters point into ScanVolume's frame.
struct Merge {
  ScanSource source;
  std::function<base::Result<>(const RecordView&)> visit;
  std::vector<std::string>* damage;
  CursorQueue queue;
  OpenCursors open;
};

async::Task<void> End(Merge* merge, SegmentCursor* cursor) {
  co_await cursor->Stop();
  merge->damage->insert(merge->damage->end(), cursor->damage().begin(), cursor->damage().end());
}

async::Task<base::Result<>> Run(Merge* merge) {
  OpenCursors& open = merge->open;
  for (;;) {
    // A segment is opened when the merge reaches its first LSN.
    while (!merge->queue.empty() && (open.empty() || merge->queue.first_lsn() <= (*Earliest(open))->batch().lsn)) {
      auto cursor = co_await merge->queue.Take();
      const bool any = co_await cursor->Next();
      if (!any) co_await End(merge, cursor.get());
      if (any) open.push_back(std::move(cursor));
    }
    if (open.empty()) co_return base::Result<>();
    const auto cursor = Earliest(open);
    CO_RETURN_IF_ERROR(Visit(**cursor, *merge->source.table, merge->visit));
    const bool more = co_await (*cursor)->Next();
    if (more) continue;
    co_await End(merge, cursor->get());
    open.erase(cursor);
  }
}

}  // namespace

async::Task<base::Result<>> ScanVolume(ScanSource source, Lsn after,
                                       std::function<base::Result<>(const RecordView&)> visit,
                                       std::vector<std::string>* damage) {
  Merge merge{source, std::move(visit), damage, CursorQueue(source, after, SegmentsAfter(*source.table, after)), {}};
  auto result = co_await Run(&merge);
  for (const auto& cursor : merge.open) co_await cursor->Stop();
  co_await merge.queue.Stop();
  co_return result;
}

}  // namespace mffs
