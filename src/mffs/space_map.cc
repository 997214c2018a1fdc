#include "mffs/space_map.h"

#include <algorithm>
#include <utility>

#include "mffs/image_device.h"
#include "mffs/segment_cursor.h"
#include "mffs/segment_survey.h"

namespace mffs {
namespace {

SegmentSpace SpaceOf(const Segment& segment, std::uint64_t segment_bytes, std::uint64_t record_bytes) {
  SegmentSpace space{.state = segment.state, .stream = segment.stream, .generation = segment.generation, .counts = {}};
  if (segment.state == SegmentState::kFree) {
    space.counts.free_bytes = segment_bytes;
    return space;
  }
  // An empty one is dead as a whole.
  const bool is_empty = segment.state == SegmentState::kEmpty;
  const std::uint64_t written = is_empty ? segment_bytes : segment.end_sector * kSectorBytes;
  const bool is_open = segment.state == SegmentState::kOpen;
  const std::uint64_t records =
      is_empty ? written : std::max<std::uint64_t>(segment.live_bytes, std::min(record_bytes, written));
  space.counts.live_bytes = segment.live_bytes;
  space.counts.dead_bytes = records - segment.live_bytes;
  space.counts.overhead_bytes = written - records;
  (is_open ? space.counts.free_bytes : space.counts.unused_bytes) = segment_bytes - written;
  space.counts.records = segment.live.count();
  space.counts.live_records = segment.live.live();
  return space;
}

void Add(const SpaceCounts& counts, StreamSpace* to) {
  to->segments += 1;
  to->counts.live_bytes += counts.live_bytes;
  to->counts.dead_bytes += counts.dead_bytes;
  to->counts.overhead_bytes += counts.overhead_bytes;
  to->counts.unused_bytes += counts.unused_bytes;
  to->counts.free_bytes += counts.free_bytes;
  to->counts.records += counts.records;
  to->counts.live_records += counts.live_records;
}

// Hands out the records of one segment; the answer is their bytes.
async::Task<std::uint64_t> VisitSegment(BlockDevice* device, const Recovered* recovered, std::uint32_t number,
                                        const std::function<void(const RecordView&)>* visit) {
  const SegmentTable& table = recovered->table;
  SegmentCursor cursor(device, recovered->superblock.geometry, number, table[number], Lsn(), kSurveyDeadline);
  std::uint64_t bytes = 0;
  for (;;) {
    const bool more = co_await cursor.Next();
    if (!more) co_return bytes;
    for (const RecordBatch::Entry& entry : cursor.batch().entries) {
      bytes += PaddedRecordBytes(entry.location.size);
      if (!*visit) continue;
      (*visit)({.key = entry.header.key,
                .location = entry.location,
                .lsn = cursor.batch().lsn,
                .stream = table[number].stream,
                .head = entry.head,
                .body_bytes = entry.header.body_bytes,
                .is_live = table.IsLive(entry.location),
                .is_copy = (entry.header.flags & RecordHeader::kCopy) != 0,
                .body_is_readable = entry.body_is_readable});
    }
  }
}

}  // namespace

SpaceMap MapSpace(const Geometry& geometry, const SegmentTable& table, std::span<const std::uint64_t> records) {
  SpaceMap map;
  map.geometry = geometry;
  map.segments.reserve(table.size());
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    const SegmentSpace& space = map.segments.emplace_back(SpaceOf(table[i], geometry.segment_bytes, records[i]));
    const bool is_free = space.state == SegmentState::kFree;
    Add(space.counts, is_free ? &map.free : &map.streams[static_cast<std::size_t>(space.stream)]);
    Add(space.counts, &map.total);
  }
  return map;
}

async::Task<base::Result<SpaceMap>> ReadSpaceMap(BlockDevice* device, std::function<void(const RecordView&)> visit) {
  ImageDevice image(co_await asio::this_coro::executor, device);
  ASSIGN_OR_CO_RETURN(Recovered recovered, co_await Recover(&image, kSurveyDeadline, RecoveryBase::kSuperblock));
  std::vector<std::uint64_t> records(recovered.table.size());
  for (std::uint32_t i = 0; i < recovered.table.size(); ++i) {
    const SegmentState state = recovered.table[i].state;
    if (state == SegmentState::kFree || state == SegmentState::kEmpty) continue;
    const std::uint64_t bytes = co_await VisitSegment(&image, &recovered, i, &visit);
    records[i] = bytes;
  }
  SpaceMap map = MapSpace(recovered.superblock.geometry, recovered.table, records);
  map.owner_state = std::move(recovered.base.owner_state);
  map.recovery = std::move(recovered.report);
  map.durable_lsn = recovered.lsns.cut;
  co_return map;
}

}  // namespace mffs
