#include "mffs/segment_scan.h"

#include <algorithm>

#include "async/task_group.h"

namespace mffs {
namespace {

constexpr std::size_t kReadersMax = 32;

// Shared by the readers of ReadSegmentStarts, in its frame.
struct StartsJob {
  BlockDevice* device;
  Geometry geometry;
  IoDeadline deadline;
  std::vector<SegmentStart> starts;
  std::uint32_t next = 0;
};

async::Task<void> ReadStarts(StartsJob* job) {
  while (job->next < job->starts.size()) {
    const std::uint32_t segment = job->next++;
    auto sectors = co_await ReadSectors(job->device, job->geometry.SegmentOffset(segment), 2 * kSectorBytes,
                                        job->deadline);
    if (!sectors.has_value()) continue;  // Like damage: the checkpoint and the missing LSNs tell.
    const base::ByteSpan bytes = sectors->span();
    SegmentStart& start = job->starts[segment];
    start.header = DecodeSegmentHeader(bytes.first(kSectorBytes), job->geometry.uuid, segment);
    start.first_block = DecodeBlockHeader(bytes.subspan(kSectorBytes), job->geometry.uuid, segment, 1);
  }
}

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
      NoteRecords(*walked, geometry, scan, block.padded_bytes, block.ordinals);
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
  StartsJob job{device, geometry, deadline, std::vector<SegmentStart>(geometry.segment_count), 0};
  async::TaskGroup readers(co_await asio::this_coro::executor, "mffs segment headers");
  for (std::size_t i = 0; i < std::min<std::size_t>(kReadersMax, geometry.segment_count); ++i) {
    readers.Spawn(ReadStarts(&job));
  }
  co_await readers.Join();
  co_return std::move(job.starts);
}

}  // namespace mffs
