// Volume::Engine: the parts of an opened volume, and the tasks that work in the background.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "mffs/checkpointer.h"
#include "mffs/cleaner.h"
#include "mffs/gathering_writer.h"
#include "mffs/record_reader.h"
#include "mffs/recovery.h"
#include "mffs/scrubber.h"
#include "mffs/segment_sealer.h"
#include "mffs/space_watch.h"
#include "mffs/volume.h"
#include "mffs/wake_signal.h"

namespace mffs {

// Thread: one shard. Owns all parts; borrows device, clock and owner. The background tasks are ended by Close(), never
// cancelled: a checkpoint or a copy under way is finished or fails.
class Volume::Engine {
 public:
  Engine(async::Executor executor, BlockDevice* device, const base::Clock* clock, VolumeOptions options,
         Recovered recovered);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const RecoveryReport& recovery() const { return report_; }
  const std::string& owner_state() const { return checkpointer_.owner_state(); }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> UnusedSpace() const;
  async::Task<base::Result<>> Scan(Lsn after, std::function<base::Result<>(const RecordView&)> visit);
  void Start(RecordOwner* owner);
  base::Result<> Admit(Stream stream, std::uint64_t bytes, Need need) const;
  void Append(AppendRequest* request) { writer_.Append(request); }
  async::Task<base::Result<Location>> AppendCopy(Stream stream, OwnedRecord record, Need need);
  async::Task<base::Result<Record>> Read(Location location);
  async::Task<base::Result<std::string>> ReadBody(Location location, std::uint32_t offset, std::uint32_t size);
  async::Task<base::Result<RecordReader::Run>> ReadRun(Location location, std::uint32_t bytes);
  void Release(const Location& location);
  bool IsLive(const Location& location) const { return table_.IsLive(location); }
  async::Task<base::Result<>> Checkpoint();
  async::Task<void> AwaitRoom(std::chrono::milliseconds patience);
  VolumeStatus Status() const;
  Scrubber& scrubber() { return scrubber_; }
  std::function<void()> ClaimRetry();
  async::Task<base::Result<>> Close();

 private:
  // Segments that new records leave alone; docs/format/mffs.md, "Space".
  static constexpr std::int64_t kSegmentsForNew = 6;

  // Free or soon free, less what is queued: what new records may still take.
  std::int64_t AvailableSegments() const;
  bool IsUnderPressure() const;

  // ---- engine_space.cc: what may be taken ----
  bool KeepsShare(Stream stream, std::uint64_t bytes, Need need) const;
  static std::int64_t SegmentsLeftAlone(Stream stream, Need need);
  bool HasRoomForMail(Stream stream, std::uint64_t margin_bytes, std::int64_t margin_segments) const;
  SpaceLevel LevelWith(std::uint64_t margin_bytes, std::int64_t margin_segments) const;
  // Tells the log when the level has changed, and what to do.
  void WatchSpace();

  // After a failed read: the segment may have been reused meanwhile, which is the caller's error, not damage.
  base::Error Explain(const Location& location, base::Error error);

  async::Task<void> CheckpointLoop();
  bool CheckpointIsDue() const;
  bool MayRetryCheckpoint() const;
  async::Task<void> RunCheckpoint();
  void OnSealed(SealedSegment segment);
  void OnSpaceWanted();
  void ResolveStall();
  async::Task<void> CleanLoop();
  async::Task<std::chrono::milliseconds> CleanOnce();
  void OnBlockDurable();

  async::Executor executor_;
  BlockDevice* device_;
  const base::Clock* clock_;
  VolumeOptions options_;
  Geometry geometry_;
  RecoveryReport report_;
  SegmentTable table_;
  GatheringWriter writer_;
  RecordReader reader_;
  Checkpointer checkpointer_;
  Cleaner cleaner_;
  SegmentSealer sealer_;
  Scrubber scrubber_;
  RecordOwner* owner_ = nullptr;  // Null before Start().
  bool is_started_ = false;
  bool is_closing_ = false;  // No more cleaning.
  bool is_closed_ = false;   // No more checkpoints.
  bool is_cleaning_ = false;
  std::uint64_t checkpoints_asked_ = 0;  // Tickets of Checkpoint().
  std::uint64_t checkpoints_served_ = 0;
  base::Result<> last_checkpoint_;
  std::uint32_t free_at_checkpoint_ = 0;  // Segments, when the last one ended.
  std::uint64_t bytes_at_checkpoint_ = 0;
  base::SteadyTime last_checkpoint_at_;
  std::uint64_t corrupt_reads_ = 0;
  std::uint64_t reads_under_way_ = 0;  // Of the owner's.
  SpaceWatch space_watch_;
  WakeSignal checkpoint_wanted_;
  async::Notifier checkpoint_done_;
  WakeSignal cleaning_wanted_;
  async::TaskGroup checkpoint_task_;
  async::TaskGroup cleaning_task_;
  async::TaskGroup sealing_task_;
  async::TaskGroup scrub_task_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // Owner: this; posted handlers look whether it is gone.
};

}  // namespace mffs
