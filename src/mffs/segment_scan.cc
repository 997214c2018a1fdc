#include "mffs/segment_scan.h"

#include <algorithm>

namespace mffs {
namespace {

constexpr std::uint32_t kStartsAtOnce = 64;

void NoteRecords(const WalkedBlock& block, const Geometry& geometry, SegmentScan& scan, std::uint32_t& padded_bytes,
                 std::vector<std::uint32_t>& ordinals) {
  ForEachRecord(block, geometry, scan.segment, scan.generation, [&](const WalkedRecord& record) {
    padded_bytes += PaddedRecordBytes(record.location.size);
    if (block.IsDamaged()) ordinals.push_back(record.header.ordinal);
    if (record.header.key.type >= kOwnTypesFirst) {
      scan.own_records.push_back({record.location, record.header.key, record.lsn});
    }
  });
}

}  // namespace

std::uint32_t SegmentStart::generation() const {
  return std::max(header.has_value() ? header->generation : 0, first_block.has_value() ? first_block->generation : 0);
}

std::optional<Stream> SegmentStart::stream() const {
  if (header.has_value() && header->generation == generation()) return header->stream;
  if (first_block.has_value()) return first_block->stream;
  return std::nullopt;
}

async::Task<SegmentScan> ScanSegment(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                     BlockWalker::Range range, IoDeadline deadline) {
  SegmentScan scan;
  scan.segment = segment;
  scan.generation = range.generation;
  SegmentReader reader(device, geometry, segment, deadline);
  BlockWalker walker(&reader, range);
  for (;;) {
    const auto walked = co_await walker.Next();
    if (!walked.has_value()) break;
    if (walked->header.has_value()) {
      ScannedBlock block{.header = *walked->header, .first_sector = walked->first_sector};
      block.is_damaged = walked->IsDamaged();
      const std::size_t own_before = scan.own_records.size();
      NoteRecords(*walked, geometry, scan, block.padded_bytes, block.ordinals);
      block.is_own = !block.is_damaged && scan.own_records.size() - own_before == block.header.record_count;
      scan.blocks.push_back(std::move(block));
    } else {
      ScannedStretch stretch{.first_sector = walked->first_sector,
                             .sector_count = walked->sector_count,
                             .after_lsn = walked->after_lsn,
                             .before_lsn = walked->before_lsn};
      NoteRecords(*walked, geometry, scan, stretch.padded_bytes, stretch.ordinals);
      scan.stretches.push_back(std::move(stretch));
    }
  }
  scan.tail_resembles_block = walker.tail_resembles_block();
  scan.end_sector = walker.end_sector();
  co_return scan;
}

async::Task<std::vector<SegmentStart>> ReadSegmentStarts(BlockDevice* device, Geometry geometry, IoDeadline deadline) {
  std::vector<SegmentStart> starts(geometry.segment_count);
  for (std::uint32_t first = 0; first < geometry.segment_count; first += kStartsAtOnce) {
    std::vector<std::uint64_t> offsets;
    for (std::uint32_t i = first; i < std::min(first + kStartsAtOnce, geometry.segment_count); ++i) {
      offsets.push_back(geometry.SegmentOffset(i));
    }
    // One that cannot be read is like a damaged one: the checkpoint and the missing LSNs tell.
    const IoMemory memory = co_await ReadMany(device, offsets, 2 * kSectorBytes, deadline);
    for (std::uint32_t i = 0; i < offsets.size(); ++i) {
      const base::ByteSpan bytes = memory.span().subspan(std::uint64_t{i} * 2 * kSectorBytes, 2 * kSectorBytes);
      SegmentStart& start = starts[first + i];
      start.header = DecodeSegmentHeader(bytes.first(kSectorBytes), geometry.uuid, first + i);
      start.first_block = DecodeBlockHeader(bytes.subspan(kSectorBytes), geometry.uuid, first + i, 1);
    }
  }
  co_return starts;
}

}  // namespace mffs
