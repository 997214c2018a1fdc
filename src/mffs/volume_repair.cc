#include "mffs/volume_repair.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "mffs/checkpointer.h"
#include "mffs/gathering_writer.h"
#include "mffs/image_geometry.h"
#include "mffs/overlay_device.h"
#include "mffs/segment_check.h"
#include "mffs/superblock.h"

namespace mffs {
namespace {

// --- Superblocks ---

// The newest that any copy holds. Of two different ones of one sequence, which only a cut update leaves, either will
// do.
const Superblock* NewestOf(const std::vector<SuperblockCopy>& copies) {
  const Superblock* newest = nullptr;
  for (const SuperblockCopy& copy : copies) {
    if (!copy.superblock.has_value()) continue;
    if (newest == nullptr || copy.superblock->sequence > newest->sequence) newest = &*copy.superblock;
  }
  return newest;
}

std::uint64_t Agreeing(const std::vector<SuperblockCopy>& copies, const Superblock& with) {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(copies, [&](const SuperblockCopy& copy) { return copy.superblock == with; }));
}

base::Error TooShort(const BlockDevice& device, std::uint64_t end) {
  return base::Error(base::Errc::kCorrupt,
                     fmt::format("{} has {} bytes but the volume on it has {}: it was cut short; give it its size back "
                                 "(`truncate -s {}`), or save what is left with `posthorn mffs rescue`",
                                 device.name(), device.size_bytes(), end, end));
}

// The last segment of FindGeometry may be there in part, for a rescue; of a volume it is whole.
base::Result<Geometry> WholeGeometry(Geometry geometry, const BlockDevice& device) {
  geometry.segment_count = static_cast<std::uint32_t>((geometry.end - 2 * kMiB) / geometry.segment_bytes);
  if (geometry.segment_count >= kSegmentsMin) return geometry;
  return base::Error(base::Errc::kCorrupt,
                     fmt::format("{} has room for {} segments of {} MiB only: the volume was larger; save what is left "
                                 "with `posthorn mffs rescue`",
                                 device.name(), geometry.segment_count, geometry.segment_bytes / kMiB));
}

// A superblock for a volume of which none is left: at the newest checkpoint that a scan finds.
async::Task<base::Result<Superblock>> MakeSuperblock(BlockDevice* device, Geometry geometry) {
  // Nothing tells whether segments are of stream brief.
  Superblock superblock{
      .version = kFormatVersionBrief, .geometry = geometry, .sequence = 1, .newest = {}, .previous = {}, .scrub = {}};
  // Over the volume only: one that names no checkpoint would count if the power were cut now.
  OverlayDevice overlay(co_await asio::this_coro::executor, device);
  CO_RETURN_IF_ERROR(co_await RepairSuperblock(&overlay, superblock, kSurveyDeadline));
  ASSIGN_OR_CO_RETURN(const Recovered recovered, co_await Recover(&overlay, kSurveyDeadline, RecoveryBase::kScan));
  superblock.newest = recovered.base.ref;
  superblock.newest.durable_lsn = recovered.base.ref.base_lsn;
  superblock.sequence = 2;
  co_return superblock;
}

void SayCopies(const std::vector<SuperblockCopy>& copies, const Superblock& good, Findings* findings) {
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (copies[i].superblock == good) continue;
    const std::string why =
        copies[i].superblock.has_value()
            ? fmt::format("sequence {} instead of {}", copies[i].superblock->sequence, good.sequence)
            : copies[i].problem;
    findings->Add({.severity = Severity::kWarning,
                   .kind = "superblock",
                   .sentence = fmt::format("superblock copy {} at {} is written anew ({})", i, copies[i].offset, why),
                   .offset = copies[i].offset});
  }
}

// --- The table ---

// A segment as it is counted while it is read.
struct Recount {
  std::vector<bool> found;  // By ordinal: its bytes, or at least its name, are there.
  std::uint64_t live_bytes = 0;
};

class TableSurvey {
 public:
  TableSurvey(BlockDevice* device, VolumeCheckOptions options, Findings* findings)
      : device_(device), options_(std::move(options)), findings_(findings) {}

  async::Task<base::Result<SurveyedVolume>> Run() {
    ASSIGN_OR_CO_RETURN(volume_.recovered, co_await Recover(device_, kSurveyDeadline, RecoveryBase::kSuperblock));
    SayRecovery();
    const SegmentTable& table = volume_.recovered.table;
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      if (InUse(table[i])) bytes_total_ += (table[i].end_sector - 1) * kSectorBytes;
    }
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      if (InUse(table[i])) co_await Survey(i);
    }
    co_return std::move(volume_);
  }

 private:
  static bool InUse(const Segment& segment) {
    return segment.state == SegmentState::kOpen || segment.state == SegmentState::kSealed;
  }

  void SayRecovery() {
    const Recovered& recovered = volume_.recovered;
    volume_.has_changed =
        !recovered.report.corruptions.empty() || recovered.base.ref.root != recovered.superblock.newest.root;
    for (const std::string& corruption : recovered.report.corruptions) {
      // Acknowledged data is harmed, unless only a checkpoint is, of which there is an older one.
      const bool is_checkpoint = corruption.find("an older one is used") != std::string::npos;
      findings_->Add({.severity = is_checkpoint ? Severity::kWarning : Severity::kDamage,
                      .kind = "recovery",
                      .sentence = corruption + "; a new checkpoint says what is left"});
    }
  }

  async::Task<void> Survey(std::uint32_t number) {
    Segment segment = volume_.recovered.table[number];
    Recount count{.found = std::vector<bool>(segment.live.count()), .live_bytes = 0};
    SegmentCheckCalls calls;
    calls.visit = [&](const CheckedRecord& record) { Visit(segment, record, &count); };
    calls.visits_own = true;
    calls.progress = [this](std::uint64_t bytes) {
      bytes_done_ += bytes;
      if (options_.progress) options_.progress(std::min(bytes_done_, bytes_total_), bytes_total_);
    };
    // What it finds is said once, by the check of the repaired volume.
    Findings ignored(0);
    co_await CheckSegment(device_, volume_.recovered.superblock.geometry, {number, &volume_.recovered.table},
                          std::move(calls), &ignored);
    Correct(number, std::move(segment), count);
  }

  void Visit(const Segment& segment, const CheckedRecord& record, Recount* count) {
    if (options_.visit && record.key.type < kOwnTypesFirst) options_.visit(record);
    const Location& place = record.location;
    if (place.ordinal >= count->found.size() || count->found[place.ordinal]) return;
    count->found[place.ordinal] = true;
    if (segment.live.IsLive(place.ordinal)) count->live_bytes += PaddedRecordBytes(place.size);
  }

  void Correct(std::uint32_t number, Segment segment, const Recount& count) {
    std::uint64_t dropped = 0;
    for (std::uint32_t ordinal = 0; ordinal < count.found.size(); ++ordinal) {
      if (!count.found[ordinal] && segment.live.Set(ordinal, false)) ++dropped;
    }
    if (dropped == 0 && segment.live_bytes == count.live_bytes) return;
    findings_->Add({.severity = dropped > 0 ? Severity::kDamage : Severity::kWarning,
                    .kind = "segment_table",
                    .sentence = fmt::format("segment {} (generation {}): {} records that the table counts as live are "
                                            "gone without a trace, and its live bytes are {}, not {}: corrected",
                                            number, segment.generation, dropped, count.live_bytes, segment.live_bytes),
                    .segment = number});
    segment.live_bytes = static_cast<std::uint32_t>(count.live_bytes);
    segment.changed_since_full = true;
    volume_.dropped_records += dropped;
    volume_.has_changed = true;
    volume_.recovered.table.Restore(number, std::move(segment));
  }

  BlockDevice* device_;
  VolumeCheckOptions options_;
  Findings* findings_;
  SurveyedVolume volume_;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_done_ = 0;
};

// Keeps the owner's state as it was found.
class KeepingOwner final : public RecordOwner {
 public:
  explicit KeepingOwner(std::string state) : state_(std::move(state)) {}
  async::Task<base::Result<>> Moved(std::vector<Move>) override { co_return base::Result<>(); }
  CheckpointState TakeCheckpointState() override { return {.state = state_, .releases = {}}; }
  void CheckpointDurable() override {}

 private:
  std::string state_;
};

}  // namespace

async::Task<base::Result<>> RepairSuperblocks(BlockDevice* device, Findings* findings) {
  ASSIGN_OR_CO_RETURN(const FoundGeometry found, co_await FindGeometry(device, kSurveyDeadline));
  const std::uint64_t end = found.geometry.end;
  if (end > device->size_bytes()) co_return TooShort(*device, end);
  const std::vector<SuperblockCopy> copies = co_await ReadSuperblockCopies(device, end, kSurveyDeadline);
  const Superblock* const newest = NewestOf(copies);
  if (newest != nullptr) {
    // Two that agree are in force, whatever a third says of an update that was cut short.
    const auto in_force = co_await LoadSuperblock(device, kSurveyDeadline);
    const Superblock chosen = in_force.has_value() ? *in_force : *newest;
    if (Agreeing(copies, chosen) == kSuperblockCopies) co_return base::Result<>();
    SayCopies(copies, chosen, findings);
    co_return co_await RepairSuperblock(device, chosen, kSurveyDeadline);
  }
  ASSIGN_OR_CO_RETURN(const Geometry geometry, WholeGeometry(found.geometry, *device));
  ASSIGN_OR_CO_RETURN(const Superblock made, co_await MakeSuperblock(device, geometry));
  findings->Add(
      {.severity = Severity::kWarning,
       .kind = "superblock",
       .sentence = fmt::format("all superblock copies are damaged: {} segments of {} MiB by the segment "
                               "headers, {}",
                               geometry.segment_count, geometry.segment_bytes / kMiB,
                               made.newest.root.IsNowhere()
                                   ? "and no checkpoint is left"
                                   : fmt::format("the newest checkpoint is in segment {}", made.newest.root.segment))});
  co_return co_await StoreSuperblock(device, made, kSurveyDeadline);
}

async::Task<base::Result<SurveyedVolume>> SurveyVolume(BlockDevice* device, VolumeCheckOptions options,
                                                       Findings* findings) {
  TableSurvey survey(device, std::move(options), findings);
  co_return co_await survey.Run();
}

async::Task<base::Result<>> WriteRepair(BlockDevice* device, SurveyedVolume volume, OwnerRepair repair) {
  const async::Executor executor = co_await asio::this_coro::executor;
  Recovered& recovered = volume.recovered;
  SegmentTable table = std::move(recovered.table);
  for (const Location& place : repair.to_release) table.Release(place);
  const VolumeOptions options;
  // Owners: this task and the posted handlers, which find null after it.
  const auto stalled = std::make_shared<GatheringWriter*>(nullptr);
  // Nothing frees a segment meanwhile: who finds none fails.
  const auto fail_stalled = [executor, stalled] {
    asio::post(executor, [stalled] {
      if (*stalled == nullptr) return;
      (*stalled)->FailStalled(Stream::kMeta);
      (*stalled)->FailStalledCheckpoint();
    });
  };
  const base::SystemClock clock;
  GatheringWriter writer(executor, {device, &table, recovered.superblock.geometry, &options, &clock}, recovered.lsns,
                         {.sealed = [](const SealedSegment&) {},
                          .space_wanted = fail_stalled,
                          .block_durable = [] {},
                          .read_only = [] {}});
  *stalled = &writer;
  writer.EndCovering();
  std::vector<Location> places;
  base::Result<> written;
  if (!repair.records.empty()) {
    written = co_await AppendAll(&writer, Stream::kMeta, std::move(repair.records), &places);
  }
  for (const auto& naming : repair.naming) {
    std::vector<Location> next;
    if (written.has_value()) written = co_await AppendAll(&writer, Stream::kMeta, naming(places), &next);
    places.insert(places.end(), next.begin(), next.end());
  }
  if (written.has_value()) {
    Checkpointer checkpointer(device, &table, &writer, kSurveyDeadline, recovered);
    KeepingOwner owner(repair.owner_state.value_or(recovered.base.owner_state));
    written = co_await checkpointer.Run(&owner);
  }
  co_await writer.Drain();
  *stalled = nullptr;
  co_return written;
}

}  // namespace mffs
