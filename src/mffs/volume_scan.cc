#include "mffs/volume_scan.h"

#include <algorithm>
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
                          .head = batch.head(entry),
                          .body_bytes = entry.header.body_bytes,
                          .is_live = table.IsLive(entry.location),
                          .is_copy = (entry.header.flags & RecordHeader::kCopy) != 0,
                          .body_is_readable = entry.body_is_readable};
    RETURN_IF_ERROR(visit(view));
  }
  return {};
}

}  // namespace

async::Task<base::Result<>> ScanVolume(ScanSource source, Lsn after,
                                       std::function<base::Result<>(const RecordView&)> visit,
                                       std::vector<std::string>* damage) {
  const SegmentTable& table = *source.table;
  const std::vector<std::uint32_t> segments = SegmentsAfter(table, after);
  std::size_t next = 0;
  std::vector<std::unique_ptr<SegmentCursor>> open;
  const auto earliest = [&open] {
    return std::ranges::min_element(open, {}, [](const auto& cursor) { return cursor->batch().lsn; });
  };
  for (;;) {
    // A segment is opened when the merge reaches its first LSN.
    while (next < segments.size() && (open.empty() || table[segments[next]].first_lsn <= (*earliest())->batch().lsn)) {
      const std::uint32_t number = segments[next++];
      auto cursor = std::make_unique<SegmentCursor>(source.device, source.geometry, number, table[number], after,
                                                    source.deadline);
      const bool any = co_await cursor->Next();
      if (!any) damage->insert(damage->end(), cursor->damage().begin(), cursor->damage().end());
      if (any) open.push_back(std::move(cursor));
    }
    if (open.empty()) co_return base::Result<>();
    const auto cursor = earliest();
    CO_RETURN_IF_ERROR(Visit(**cursor, table, visit));
    const bool more = co_await (*cursor)->Next();
    if (more) continue;
    damage->insert(damage->end(), (*cursor)->damage().begin(), (*cursor)->damage().end());
    open.erase(cursor);
  }
}

}  // namespace mffs
