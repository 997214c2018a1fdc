#include "mffs/space_map.h"

#include <utility>

#include "mffs/image_device.h"
#include "mffs/segment_survey.h"

namespace mffs {
namespace {

SegmentSpace SpaceOf(const Segment& segment, std::uint64_t segment_bytes) {
  SegmentSpace space{.state = segment.state, .stream = segment.stream, .generation = segment.generation, .counts = {}};
  if (segment.state == SegmentState::kFree) {
    space.counts.free_bytes = segment_bytes;
    return space;
  }
  // An empty one is dead as a whole.
  const std::uint64_t written =
      segment.state == SegmentState::kEmpty ? segment_bytes : segment.end_sector * kSectorBytes;
  const bool is_open = segment.state == SegmentState::kOpen;
  space.counts.live_bytes = segment.live_bytes;
  space.counts.dead_bytes = written - segment.live_bytes;
  (is_open ? space.counts.free_bytes : space.counts.unused_bytes) = segment_bytes - written;
  space.counts.records = segment.live.count();
  space.counts.live_records = segment.live.live();
  return space;
}

void Add(const SpaceCounts& counts, StreamSpace* to) {
  to->segments += 1;
  to->counts.live_bytes += counts.live_bytes;
  to->counts.dead_bytes += counts.dead_bytes;
  to->counts.unused_bytes += counts.unused_bytes;
  to->counts.free_bytes += counts.free_bytes;
  to->counts.records += counts.records;
  to->counts.live_records += counts.live_records;
}

}  // namespace

SpaceMap MapSpace(const Geometry& geometry, const SegmentTable& table) {
  SpaceMap map;
  map.geometry = geometry;
  map.segments.reserve(table.size());
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    const SegmentSpace& space = map.segments.emplace_back(SpaceOf(table[i], geometry.segment_bytes));
    const bool is_free = space.state == SegmentState::kFree;
    Add(space.counts, is_free ? &map.free : &map.streams[static_cast<std::size_t>(space.stream)]);
    Add(space.counts, &map.total);
  }
  return map;
}

async::Task<base::Result<SpaceMap>> ReadSpaceMap(BlockDevice* device) {
  ImageDevice image(co_await asio::this_coro::executor, device);
  ASSIGN_OR_CO_RETURN(Recovered recovered, co_await Recover(&image, kSurveyDeadline, RecoveryBase::kSuperblock));
  SpaceMap map = MapSpace(recovered.superblock.geometry, recovered.table);
  map.recovery = std::move(recovered.report);
  map.durable_lsn = recovered.lsns.cut;
  co_return map;
}

}  // namespace mffs
