#include "mffs/engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "mffs/volume_scan.h"

namespace mffs {
namespace {

constexpr std::uint32_t kCleanBelowUnderPressure = 95;
constexpr std::chrono::milliseconds kLookAgain{1000};  // How long a loop sleeps at most.

// Counts something while it is under way, also if that ends by cancellation.
class UnderWay {
 public:
  explicit UnderWay(std::uint64_t* count) : count_(count) { ++*count_; }
  ~UnderWay() { --*count_; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  std::uint64_t* count_;
};

// Margins that fit small volumes too.
std::int64_t SmallOrLarge(const Geometry& geometry, std::int64_t least, std::int64_t most) {
  return std::min<std::int64_t>(most, least + geometry.segment_count / 16);
}

}  // namespace

Volume::Engine::Engine(async::Executor executor, BlockDevice* device, const base::Clock* clock, VolumeOptions options,
                       Recovered recovered)
    : executor_(executor),
      device_(device),
      clock_(clock),
      options_(std::move(options)),
      geometry_(recovered.superblock.geometry),
      report_(recovered.report),
      table_(std::move(recovered.table)),
      writer_(executor, {device, &table_, geometry_, &options_, clock}, recovered.lsns,
              {.sealed = [this](SealedSegment segment) { OnSealed(std::move(segment)); },
               .space_wanted = [this] { OnSpaceWanted(); },
               .block_durable = [this] { OnBlockDurable(); },
               .read_only = [this] { checkpoint_wanted_.Set(); }}),
      reader_(device, geometry_, options_.write_deadline),
      checkpointer_(device, &table_, &writer_, options_.write_deadline, recovered),
      cleaner_(device, &table_, &writer_, &checkpointer_, geometry_, options_.write_deadline),
      sealer_(executor, device, &table_, geometry_, options_.write_deadline),
      scrubber_(executor, {device, &table_, geometry_, options_.write_deadline, clock},
                {.within = options_.scrub_within,
                 .is_busy = [this] { return writer_.pending_bytes() > 0 || reads_under_way_ > 0; },
                 .describe = options_.describe_record},
                recovered.superblock.scrub),
      last_checkpoint_at_(clock->SteadyNow()),
      checkpoint_wanted_(executor),
      checkpoint_done_(executor),
      cleaning_wanted_(executor),
      checkpoint_task_(executor, "mffs checkpoints"),
      cleaning_task_(executor, "mffs cleaning"),
      sealing_task_(executor, "mffs summaries"),
      scrub_task_(executor, "mffs scrub") {
  if (options_.claim_unused) {
    table_.SetClaim([this](std::uint32_t segment) {
      return options_.claim_unused(geometry_.SegmentOffset(segment), geometry_.segment_bytes);
    });
  }
  if (recovered.superblock.version >= kFormatVersionBrief) writer_.AllowBrief();
  table_.SetUnheld([this] { checkpoint_wanted_.Set(); });
  for (const std::string& corruption : report_.corruptions) base::LogError("mffs_corrupt", {{"what", corruption}});
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Volume::Engine::UnusedSpace() const {
  CHECK(!is_started_);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> unused;
  for (std::uint32_t i = 0; i < table_.size(); ++i) {
    if (table_[i].generation == 0) unused.emplace_back(geometry_.SegmentOffset(i), geometry_.segment_bytes);
  }
  return unused;
}

async::Task<base::Result<>> Volume::Engine::Scan(Lsn after, std::function<base::Result<>(const RecordView&)> visit) {
  CHECK(!is_started_);
  std::vector<std::string> damage;
  const ScanSource source{device_, &table_, geometry_, options_.write_deadline, options_.progress};
  auto result = co_await ScanVolume(source, after, std::move(visit), &damage);
  for (std::string& place : damage) {
    base::LogError("mffs_corrupt", {{"what", place}});
    report_.corruptions.push_back(std::move(place));
  }
  co_return result;
}

void Volume::Engine::Start(RecordOwner* owner) {
  CHECK(!is_started_);
  owner_ = owner;
  is_started_ = true;
  checkpoint_task_.Spawn(CheckpointLoop());
  cleaning_task_.Spawn(CleanLoop());
  sealing_task_.Spawn(sealer_.Run());
  scrub_task_.Spawn(scrubber_.Run());
}

// --- Space: see engine_space.cc ---

bool Volume::Engine::IsUnderPressure() const {
  return writer_.IsStalled() || AvailableSegments() < writer_.ScarceSegments();
}

void Volume::Engine::Release(const Location& location) {
  const std::uint32_t empty_before = table_.empty_count();
  table_.Release(location);
  if (table_.empty_count() != empty_before && CheckpointIsDue()) checkpoint_wanted_.Set();
}

std::function<void()> Volume::Engine::ClaimRetry() {
  return [this, executor = executor_, alive = std::weak_ptr(alive_)] {
    asio::post(executor, [this, alive] {
      if (alive.lock()) writer_.Kick();
    });
  };
}

// --- Reading ---

base::Error Volume::Engine::Explain(const Location& location, base::Error error) {
  if (!table_.IsCurrent(location)) {
    return base::Error(base::Errc::kNotFound, "the record is gone: its segment was freed");
  }
  if (error.code() == base::Errc::kCorrupt) {
    ++corrupt_reads_;
    base::LogError("mffs_corrupt", {{"what", error.message()}});
  }
  return error;
}

async::Task<base::Result<Record>> Volume::Engine::Read(Location location) {
  if (!table_.IsCurrent(location)) co_return base::Error(base::Errc::kNotFound, "there is no such record any more");
  const UnderWay counted(&reads_under_way_);
  auto record = co_await reader_.Read(location);
  if (!record.has_value()) co_return Explain(location, std::move(record).error());
  co_return record;
}

async::Task<base::Result<std::string>> Volume::Engine::ReadBody(Location location, std::uint32_t offset,
                                                                std::uint32_t size) {
  if (!table_.IsCurrent(location)) co_return base::Error(base::Errc::kNotFound, "there is no such record any more");
  const UnderWay counted(&reads_under_way_);
  auto text = co_await reader_.ReadBody(location, offset, size);
  if (!text.has_value()) co_return Explain(location, std::move(text).error());
  co_return text;
}

async::Task<base::Result<RecordReader::Run>> Volume::Engine::ReadRun(Location location, std::uint32_t bytes) {
  if (!table_.IsCurrent(location)) co_return base::Error(base::Errc::kNotFound, "there is no such record any more");
  const std::uint32_t end_sector = table_[location.segment].end_sector;
  const UnderWay counted(&reads_under_way_);
  auto run = co_await reader_.ReadRun(location, options_.prefetching ? bytes : 0, end_sector);
  if (!run.has_value()) co_return Explain(location, std::move(run).error());
  std::erase_if(*run, [&](const auto& entry) {
    return entry.first != location && (entry.second.key.type >= kOwnTypesFirst || !table_.IsLive(entry.first));
  });
  co_return run;
}

async::Task<base::Result<Location>> Volume::Engine::AppendCopy(Stream stream, OwnedRecord record, Need need) {
  CHECK(is_started_);
  const std::uint64_t bytes = RecordHeader::kEncodedSize + record.head.size() + record.body.size();
  CO_RETURN_IF_ERROR(Admit(stream, bytes, need));
  std::vector<OwnedRecord> records;
  records.push_back(std::move(record));
  std::vector<Location> places;
  CO_RETURN_IF_ERROR(co_await AppendAll(&writer_, stream, std::move(records), &places));
  co_return places.front();
}

VolumeStatus Volume::Engine::Status() const {
  VolumeStatus status;
  status.space.capacity_bytes = geometry_.CapacityBytes();
  status.space.live_bytes = table_.live_bytes();
  status.space.free_segments = table_.free_count() + table_.empty_count();
  status.space.segments = geometry_.segment_count;
  status.space_level = space_watch_.level();
  status.read_only = writer_.read_only();
  status.read_only_reason = writer_.read_only_reason();
  status.durable_lsn = writer_.durable_lsn();
  status.commits = writer_.commits();
  status.records = writer_.records();
  status.bytes_written = writer_.bytes_written();
  status.segments_cleaned = cleaner_.segments_cleaned();
  status.corrupt_blocks = report_.corruptions.size() + corrupt_reads_;
  for (std::size_t i = 0; i < kStreamCount; ++i) {
    status.live_bytes_by_stream[i] = table_.live_bytes(static_cast<Stream>(i));
  }
  return status;
}

// --- Checkpoints ---

void Volume::Engine::OnBlockDurable() {
  WatchSpace();
  if (is_started_ && CheckpointIsDue()) checkpoint_wanted_.Set();
}

bool Volume::Engine::CheckpointIsDue() const {
  if (checkpoints_served_ < checkpoints_asked_) return true;
  if (writer_.read_only() || !MayRetryCheckpoint()) return false;
  const std::uint64_t written = writer_.bytes_written() - bytes_at_checkpoint_;
  if (written >= options_.checkpoint_bytes) return true;
  const std::int64_t scarce =
      SmallOrLarge(geometry_, GatheringWriter::kReserveForMeta + GatheringWriter::kReserveForCleaning, 8);
  // One that frees little costs as much as another, and small segments are freed often: where nobody waits for room,
  // and cleaning has some, it may wait for more.
  const bool is_awaited = writer_.IsStalled() || table_.free_count() <= GatheringWriter::kReserveForMeta;
  const std::uint32_t worth_one = is_awaited ? 1 : std::min<std::uint32_t>(4, 1 + geometry_.segment_count / 256);
  if (table_.freeable_count() >= worth_one && (is_awaited || table_.free_count() < scarce)) return true;
  return written > 0 && clock_->SteadyNow() - last_checkpoint_at_ >= options_.checkpoint_interval;
}

// One that failed for want of space would fail again at once, and what makes it due is still there.
bool Volume::Engine::MayRetryCheckpoint() const {
  return last_checkpoint_.has_value() || table_.free_count() > free_at_checkpoint_ ||
         clock_->SteadyNow() - last_checkpoint_at_ >= kLookAgain;
}

async::Task<void> Volume::Engine::CheckpointLoop() {
  // What recovery found becomes durable at once.
  co_await RunCheckpoint();
  while (!is_closed_) {
    if (CheckpointIsDue()) {
      co_await RunCheckpoint();
      continue;
    }
    ResolveStall();
    WatchSpace();
    const auto pause = std::min<std::chrono::milliseconds>(options_.checkpoint_interval, kLookAgain);
    const bool was_called = co_await checkpoint_wanted_.WaitFor(pause);
    // For an owner who refuses claims and does not call ClaimRetry().
    if (!was_called && writer_.IsStalled()) writer_.Kick();
  }
}

async::Task<void> Volume::Engine::RunCheckpoint() {
  // An image taken between a copy and the note of its move would keep the copy of a record that is released just then.
  // Only if cleaning itself waits for a segment the checkpoint goes first; the owner releases such a copy after a
  // crash.
  while (is_cleaning_ && !writer_.IsStalled()) co_await checkpoint_wanted_.WaitFor(kLookAgain);
  const std::uint64_t asked = checkpoints_asked_;
  checkpointer_.SetScrubMark(scrubber_.mark());
  last_checkpoint_ = co_await checkpointer_.Run(owner_);
  if (!last_checkpoint_.has_value()) {
    base::LogError("mffs_checkpoint_failed", {{"reason", last_checkpoint_.error().message()}});
  }
  // Its own blocks are no reason for another one.
  bytes_at_checkpoint_ = writer_.bytes_written();
  last_checkpoint_at_ = clock_->SteadyNow();
  free_at_checkpoint_ = table_.free_count();
  checkpoints_served_ = asked;
  cleaning_wanted_.Set();
  checkpoint_done_.NotifyAll();
}

void Volume::Engine::OnSealed(SealedSegment segment) {
  sealer_.Add(std::move(segment));
  // It may be the emptiest: single changes fill a segment with little.
  if (IsUnderPressure()) cleaning_wanted_.Set();
}

void Volume::Engine::OnSpaceWanted() {
  checkpoint_wanted_.Set();
  cleaning_wanted_.Set();
  // Only checkpoints free segments: one whose own records find no room would wait for ever.
  if (writer_.CheckpointIsStalled()) {
    asio::post(executor_, [this, alive = std::weak_ptr(alive_)] {
      if (alive.lock()) writer_.FailStalledCheckpoint();
    });
  }
}

// Between checkpoints: no segment is about to become free by one.
void Volume::Engine::ResolveStall() {
  if (!writer_.IsStalled()) return;
  // Cleaning waits for these two itself.
  writer_.FailStalledCopies();
  writer_.FailStalled(Stream::kMeta);
  const auto victim = cleaner_.Victim(kCleanBelowUnderPressure);
  const bool can_clean = !is_closing_ && victim.has_value() && cleaner_.HasRoomFor(*victim);
  if (is_cleaning_ || can_clean) return;
  for (std::size_t i = 0; i < kStreamCount; ++i) writer_.FailStalled(static_cast<Stream>(i));
}

async::Task<base::Result<>> Volume::Engine::Checkpoint() {
  CHECK(is_started_);
  // One that is under way took its image before this call, so the next one counts.
  const std::uint64_t ticket = ++checkpoints_asked_;
  checkpoint_wanted_.Set();
  while (checkpoints_served_ < ticket) co_await checkpoint_done_.Wait();
  co_return last_checkpoint_;
}

async::Task<void> Volume::Engine::AwaitRoom(std::chrono::milliseconds patience) {
  cleaning_wanted_.Set();
  checkpoint_wanted_.Set();
  co_await checkpoint_done_.WaitFor(patience);
}

// --- Cleaning ---

async::Task<void> Volume::Engine::CleanLoop() {
  while (!is_closing_) {
    const std::chrono::milliseconds pause = co_await CleanOnce();
    if (is_closing_) break;
    if (pause.count() > 0) co_await cleaning_wanted_.WaitFor(pause);
  }
}

// Returns how long to wait before the next step.
async::Task<std::chrono::milliseconds> Volume::Engine::CleanOnce() {
  if (owner_ == nullptr || writer_.read_only()) co_return kLookAgain;
  const bool pressure = IsUnderPressure();
  const auto victim = cleaner_.Victim(pressure ? kCleanBelowUnderPressure : options_.clean_below_live_percent);
  if (!victim.has_value() || !cleaner_.HasRoomFor(*victim)) co_return kLookAgain;
  is_cleaning_ = true;
  const auto copied = co_await cleaner_.Step(*victim, owner_);
  is_cleaning_ = false;
  checkpoint_wanted_.Set();
  if (!copied.has_value()) {
    base::LogWarning("mffs_cleaning_failed", {{"segment", *victim}, {"reason", copied.error().message()}});
    co_return kLookAgain;
  }
  if (pressure || *copied == 0) co_return std::chrono::milliseconds(0);
  co_return std::chrono::milliseconds(*copied * 1000 / std::max<std::uint64_t>(options_.clean_bytes_per_second, 1));
}

// --- The end ---

async::Task<base::Result<>> Volume::Engine::Close() {
  if (!is_started_ || is_closed_) co_return base::Result<>();
  is_closing_ = true;
  scrubber_.Stop();
  co_await scrub_task_.Join();
  cleaning_wanted_.Set();
  co_await cleaning_task_.Join();
  writer_.EndCovering();
  co_await writer_.Drain();
  if (!writer_.read_only()) writer_.SealOpenSegments();
  sealer_.Stop();
  co_await sealing_task_.Join();
  auto result = co_await Checkpoint();
  is_closed_ = true;
  checkpoint_wanted_.Set();
  co_await checkpoint_task_.Join();
  co_return result;
}

}  // namespace mffs
