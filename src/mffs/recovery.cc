#include "mffs/recovery.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/check.h"
#include "mffs/log_order.h"
#include "mffs/segment_scan.h"

namespace mffs {
namespace {

constexpr std::uint64_t kLsnGap = 1024;  // More than the blocks that can be in flight at a power cut.
constexpr std::uint32_t kUnlimited = 0xffffffff;

// What a step of recovery needs; in the frame of Recover.
struct Job {
  BlockDevice* device;
  IoDeadline deadline;
  ProgressHook progress;
  Recovered result;
  std::vector<SegmentStart> starts;
  std::vector<SegmentScan> scans;
  LogOrder order;
  const Geometry& geometry() const { return result.superblock.geometry; }
};

// --- The base ---

async::Task<bool> TryBase(Job* job, Location root) {
  if (root.IsNowhere()) co_return false;
  const RecordReader reader(job->device, job->geometry(), job->deadline);
  auto checkpoint = co_await LoadCheckpoint(&reader, job->geometry(), root);
  if (!checkpoint.has_value()) {
    job->result.report.corruptions.push_back(checkpoint.error().message() + "; an older one is used");
    co_return false;
  }
  // What the superblock says beyond the root itself.
  for (const CheckpointRef& ref : {job->result.superblock.previous, job->result.superblock.newest}) {
    if (ref.root == root) checkpoint->ref.durable_lsn = ref.durable_lsn;
  }
  job->result.base = std::move(*checkpoint);
  co_return true;
}

// Roots of checkpoints in the meta segments, the newest first.
async::Task<std::vector<Location>> FindRoots(Job* job) {
  std::vector<OwnRecord> roots;
  for (std::uint32_t i = 0; i < job->starts.size(); ++i) {
    const SegmentStart& start = job->starts[i];
    if (start.stream() != Stream::kMeta) continue;
    const BlockWalker::Range range{
        .generation = start.generation(), .end_sector = job->geometry().footer_sector(), .search_sectors = kUnlimited};
    const SegmentScan scan = co_await ScanSegment(job->device, job->geometry(), i, range, job->deadline);
    for (const OwnRecord& record : scan.own_records) {
      if (record.key.type == kTypeCheckpointRoot) roots.push_back(record);
    }
  }
  std::ranges::sort(roots, [](const OwnRecord& a, const OwnRecord& b) { return a.lsn > b.lsn; });
  std::vector<Location> locations;
  for (const OwnRecord& root : roots) locations.push_back(root.location);
  co_return locations;
}

async::Task<void> ChooseBase(Job* job, RecoveryBase from) {
  const Superblock& superblock = job->result.superblock;
  job->result.base.table = SegmentTable(job->geometry());
  if (from == RecoveryBase::kSuperblock) {
    if (superblock.newest.root.IsNowhere()) co_return;  // No checkpoint was made since the format.
    const bool newest = co_await TryBase(job, superblock.newest.root);
    if (newest) co_return;
    const bool previous = co_await TryBase(job, superblock.previous.root);
    if (previous) co_return;
  }
  if (from == RecoveryBase::kNothing) co_return;
  const std::vector<Location> roots = co_await FindRoots(job);
  for (const Location& root : roots) {
    const bool found = co_await TryBase(job, root);
    if (found) co_return;
  }
}

// The records of the base and of the checkpoint before it stay live: the superblock names both.
async::Task<void> ListCheckpointRecords(Job* job) {
  Recovered& result = job->result;
  result.checkpoint_records = result.base.Records();
  const CheckpointRef& previous = result.superblock.previous;
  if (previous.root.IsNowhere() || previous.root == result.base.ref.root) co_return;
  const RecordReader reader(job->device, job->geometry(), job->deadline);
  const auto checkpoint = co_await LoadCheckpoint(&reader, job->geometry(), previous.root);
  if (!checkpoint.has_value()) co_return;  // It is only a second chance.
  const std::vector<Location> records = checkpoint->Records();
  result.checkpoint_records.insert(result.checkpoint_records.end(), records.begin(), records.end());
}

// --- The scan ---

// What of a segment lies behind the base. Nothing: the base knows all.
std::optional<BlockWalker::Range> RangeToScan(const Segment& known, const SegmentStart& start,
                                              BlockWalker::Range range) {
  if (start.generation() > known.generation) {
    range.generation = start.generation();
    return range;
  }
  if (known.state != SegmentState::kOpen) return std::nullopt;
  range.generation = known.generation;
  range.first_sector = known.end_sector;
  if (known.end_sector > 1) range.after_lsn = known.last_lsn;
  return range;
}

// A thorough scan looks for blocks everywhere, and for records in what is left of damaged ones.
async::Task<void> ScanSegments(Job* job, bool thorough) {
  BlockWalker::Range whole{.end_sector = job->geometry().footer_sector()};
  if (thorough) {
    whole.search_sectors = kUnlimited;
    whole.salvage_before = job->order.durable().Next();
  }
  job->scans.clear();
  std::vector<std::pair<std::uint32_t, BlockWalker::Range>> ranges;
  for (std::uint32_t i = 0; i < job->geometry().segment_count; ++i) {
    const auto range = RangeToScan(job->result.base.table[i], job->starts[i], whole);
    if (range.has_value()) ranges.emplace_back(i, *range);
  }
  for (const auto& [segment, range] : ranges) {
    if (job->progress) {
      job->progress({.what = "segments after the checkpoint", .done = job->scans.size(), .total = ranges.size()});
    }
    SegmentScan scan = co_await ScanSegment(job->device, job->geometry(), segment, range, job->deadline);
    job->scans.push_back(std::move(scan));
  }
}

// Whether something that was acknowledged may have been in the stretch. Before a block that was dropped it need not
// have been: two blocks of a stream may be in flight, and the later one may land alone.
bool HeldAcknowledged(const LogOrder& order, const SegmentScan& scan, const ScannedStretch& stretch) {
  const auto next = std::ranges::find_if(
      scan.blocks, [&stretch](const ScannedBlock& block) { return block.first_sector > stretch.first_sector; });
  if (next == scan.blocks.end() || order.IsAccepted(next->header, scan.segment)) return true;
  return std::ranges::any_of(
      order.missing(), [&stretch](Lsn missing) { return stretch.after_lsn < missing && missing < stretch.before_lsn; });
}

void DropUnacknowledgedStretches(Job* job) {
  for (SegmentScan& scan : job->scans) {
    std::erase_if(scan.stretches,
                  [job, &scan](const ScannedStretch& stretch) { return !HeldAcknowledged(job->order, scan, stretch); });
  }
}

// --- The result ---

std::string NameOf(const SegmentScan& scan, std::uint32_t sector) {
  return fmt::format("segment {} generation {} sector {}", scan.segment, scan.generation, sector);
}

void ReportCorruption(Job* job, const SegmentScan& scan) {
  RecoveryReport& report = job->result.report;
  for (const ScannedBlock& block : scan.blocks) {
    if (!block.is_damaged || !job->order.IsAccepted(block.header, scan.segment)) continue;
    report.corruptions.push_back(fmt::format("{}: block with LSN {} is damaged; {} of its {} records can be read",
                                             NameOf(scan, block.first_sector), block.header.lsn.value(),
                                             block.ordinals.size(), block.header.record_count));
  }
  for (const ScannedStretch& stretch : scan.stretches) {
    report.corruptions.push_back(fmt::format("{}: {} sectors hold no valid block; {} records in them can be read",
                                             NameOf(scan, stretch.first_sector), stretch.sector_count,
                                             stretch.ordinals.size()));
  }
}

// Extends the map by ordinals up to `end`, of which those listed are live.
void ExtendPartly(LiveMap& live, std::uint32_t end, const std::vector<std::uint32_t>& ordinals) {
  if (end > live.count()) live.Extend(end - live.count(), false);
  for (const std::uint32_t ordinal : ordinals) live.Set(ordinal, true);
}

void AddBlock(Segment& segment, const ScannedBlock& block) {
  const std::uint32_t end = block.header.first_ordinal + block.header.record_count;
  // Ordinals that a lost block before this one took.
  ExtendPartly(segment.live, block.header.first_ordinal, {});
  if (block.is_damaged) {
    ExtendPartly(segment.live, end, block.ordinals);
  } else if (end > segment.live.count()) {
    segment.live.Extend(end - segment.live.count(), true);
  }
  if (segment.end_sector == 1) segment.first_lsn = block.header.lsn;
  segment.live_bytes += block.padded_bytes;
  segment.last_lsn = block.header.lsn;
  segment.end_sector = block.first_sector + block.header.sector_count;
}

void AddStretch(Segment& segment, const ScannedStretch& stretch, Lsn cut) {
  if (stretch.ordinals.empty()) return;
  ExtendPartly(segment.live, std::ranges::max(stretch.ordinals) + 1, stretch.ordinals);
  if (segment.end_sector == 1) segment.first_lsn = stretch.after_lsn.Next();
  segment.live_bytes += stretch.padded_bytes;
  segment.last_lsn = std::min(cut, stretch.before_lsn);
  segment.end_sector = stretch.first_sector + stretch.sector_count;
}

// Puts what the scan of one segment gave into the table. The segment is closed: the volume goes on in fresh ones.
void AddScan(Job* job, SegmentScan& scan) {
  Recovered& result = job->result;
  const Segment& known = result.base.table[scan.segment];
  Segment segment;
  if (known.generation == scan.generation) {
    segment = known;
  } else {
    segment.generation = scan.generation;
    segment.stream = job->starts[scan.segment].stream().value_or(Stream::kMeta);
    if (known.live.live() > 0 && result.base.ref == result.superblock.newest) {
      result.report.corruptions.push_back(
          fmt::format("segment {} has generation {}, but the checkpoint knows live records of generation {} in it",
                      scan.segment, scan.generation, known.generation));
    }
  }
  segment.state = SegmentState::kSealed;
  bool dropped = false;
  bool settled = true;
  std::size_t stretch = 0;
  const auto add_stretches_before = [&](std::uint32_t sector) {
    while (stretch < scan.stretches.size() && scan.stretches[stretch].first_sector < sector) {
      AddStretch(segment, scan.stretches[stretch++], job->order.cut());
    }
  };
  for (const ScannedBlock& block : scan.blocks) {
    add_stretches_before(block.first_sector);
    dropped |= !job->order.IsAccepted(block.header, scan.segment);
    settled &= !dropped || job->order.IsSettled(block.header);
    if (dropped) break;
    AddBlock(segment, block);
    ++result.report.blocks_scanned;
    result.report.records_found += block.is_damaged ? block.ordinals.size() : block.header.record_count;
  }
  if (!dropped) add_stretches_before(kUnlimited);
  // What was dropped keeps its bytes for this mount; what an earlier mount dropped has kept them long enough.
  segment.holds = !settled || scan.tail_resembles_block ? 1 : 0;
  const bool has_nothing = segment.end_sector == 1 && known.live.live() == 0 && job->order.missing().empty();
  // Else it would be free only after a checkpoint, for which it may be the last place.
  if (has_nothing && segment.holds == 0) segment.state = SegmentState::kFree;
  segment.is_leftover = has_nothing && segment.holds > 0;
  result.table.Restore(scan.segment, std::move(segment));
}

// Own records behind the base are those of its own checkpoint, or of one that was never finished.
void ReleaseUnfinishedCheckpoints(Job* job) {
  Recovered& result = job->result;
  for (const SegmentScan& scan : job->scans) {
    for (const OwnRecord& record : scan.own_records) {
      const auto& kept = result.checkpoint_records;
      if (std::ranges::find(kept, record.location) == kept.end()) result.table.Release(record.location);
    }
  }
}

// The last LSN that the new mount takes over. What comes after it are blocks of a checkpoint that was never finished:
// void from now on, so that their segments can be taken again by a mount that finds this said, without a checkpoint.
Lsn CutOf(const Job& job) {
  const Recovered& result = job.result;
  const bool is_sound = job.order.missing().empty() && result.report.corruptions.empty();
  if (!is_sound || result.base.ref.root != result.superblock.newest.root) return job.order.cut();
  Lsn cut = result.base.ref.base_lsn;
  for (const SegmentScan& scan : job.scans) {
    if (!scan.stretches.empty()) return job.order.cut();
    for (const ScannedBlock& block : scan.blocks) {
      if (!block.is_own && job.order.IsAccepted(block.header, scan.segment)) cut = std::max(cut, block.header.lsn);
    }
    for (const OwnRecord& record : scan.own_records) {
      const auto& kept = result.checkpoint_records;
      if (std::ranges::find(kept, record.location) != kept.end()) cut = std::max(cut, record.lsn);
    }
  }
  return std::min(cut, job.order.cut());
}

void DescribeTail(Job* job) {
  RecoveryReport& report = job->result.report;
  for (const SegmentScan& scan : job->scans) {
    report.ambiguous_tail |= scan.tail_resembles_block && job->order.missing().empty();
    for (const ScannedBlock& block : scan.blocks) {
      if (job->order.IsAccepted(block.header, scan.segment) || job->order.IsSettled(block.header)) continue;
      report.torn_tail = true;
      report.ambiguous_tail |= block.is_damaged && block.header.lsn == job->order.cut().Next();
    }
  }
  report.torn_tail |= report.ambiguous_tail;
}

}  // namespace

async::Task<base::Result<Recovered>> Recover(BlockDevice* device, IoDeadline deadline, RecoveryBase from,
                                             ProgressHook progress) {
  Job job{.device = device, .deadline = deadline, .progress = std::move(progress)};
  ASSIGN_OR_CO_RETURN(job.result.superblock, co_await LoadSuperblock(device, deadline));
  job.starts = co_await ReadSegmentStarts(device, job.geometry(), deadline);
  co_await ChooseBase(&job, from);
  // A second, exhaustive look only if acknowledged blocks are missing: their first sectors may be damaged.
  const CheckpointRef newest = job.result.superblock.newest;
  for (const bool thorough : {false, true}) {
    co_await ScanSegments(&job, thorough);
    job.order = LogOrder(std::max(job.result.base.ref.base_lsn, newest.base_lsn), newest.durable_lsn);
    for (const SegmentScan& scan : job.scans) {
      for (const ScannedBlock& block : scan.blocks) job.order.Add(block.header, scan.segment, block.is_damaged);
    }
    job.order.Decide();
    if (job.order.missing().empty()) break;
  }
  Recovered& result = job.result;
  for (const Lsn lsn : job.order.missing()) {
    result.report.corruptions.push_back(
        fmt::format("the block with LSN {} was acknowledged, but no valid block has this LSN", lsn.value()));
  }
  DropUnacknowledgedStretches(&job);
  co_await ListCheckpointRecords(&job);
  const std::uint64_t highest = job.order.highest().value();
  result.lsns = {.first = Lsn(highest == 0 ? 1 : highest + kLsnGap), .cut = CutOf(job)};
  result.table = result.base.table;
  for (SegmentScan& scan : job.scans) {
    ReportCorruption(&job, scan);
    AddScan(&job, scan);
  }
  ReleaseUnfinishedCheckpoints(&job);
  DescribeTail(&job);
  co_return std::move(result);
}

}  // namespace mffs
