// GatheringWriter: the lazy gathering write. Many records become one large durable write.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "async/notifier.h"
#include "mffs/block_builder.h"
#include "mffs/request_list.h"
#include "mffs/segment_table.h"
#include "mffs/split_rule.h"
#include "mffs/volume.h"
#include "mffs/write_buffers.h"

namespace mffs {

// LSNs of this mount: docs/format/mffs.md, "Commit block".
struct MountLsns {
  Lsn first{1};
  Lsn cut;
};

// A segment that its lane has left: every block of it is durable.
struct SealedSegment {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  std::string summary;  // Empty: none.
};

// Works in rounds. A round is one block for each stream that has records, all written at once; while it is in flight,
// new records are copied into the next round's blocks. Each stream has a lane: its open segment, its next block, and
// the queue of what does not fit into that. A next block that is full gains nothing by waiting: it joins the round, so
// that the device finds it as soon as it is done with the one before. Where SplitRule says so, half of a block does
// too.
//
// Thread: one shard. Borrows device, table and options. Durability: `done` is called when the record's block and all
// blocks with lower LSNs are durable.
// Errors: a failed or overdue write is tried once more, in a fresh segment; if that fails, the writer is read-only.
class GatheringWriter {
 public:
  // Free segments that lanes leave untouched: three for meta, two for cleaning.
  static constexpr std::uint32_t kReserveForMeta = 3;
  static constexpr std::uint32_t kReserveForCleaning = 2;
  // Of those for meta: only checkpoints free segments, so their records alone take the last ones. Two, since a mount
  // that is cut short during its first checkpoint leaves one that only the mount after the next may take again.
  static constexpr std::uint32_t kReserveForCheckpoint = 2;

  struct Hooks {
    std::function<void(SealedSegment)> sealed;
    // A lane waits for a free segment: Kick() when there is one, else FailStalled().
    std::function<void()> space_wanted;
    std::function<void()> block_durable;
    std::function<void()> read_only;
  };

  // What it works on.
  struct Target {
    BlockDevice* device;
    SegmentTable* table;
    Geometry geometry;
    const VolumeOptions* options;
    const base::Clock* clock;
  };

  GatheringWriter(async::Executor executor, Target target, MountLsns lsns, Hooks hooks);
  ~GatheringWriter();
  GatheringWriter(const GatheringWriter&) = delete;
  GatheringWriter& operator=(const GatheringWriter&) = delete;

  void Append(AppendRequest* request);
  // Free segments appeared.
  void Kick();
  // The first checkpoint of the mount is in the superblock. Before it other records leave one segment more: one that
  // follows the checkpoint's keeps their segment from being taken again if the mount is cut short.
  void FirstCheckpointDone();
  // The superblock says that segments may be of stream brief. Until then its records go to stream mailbox.
  void AllowBrief() { allows_brief_ = true; }
  // A record of stream brief was appended.
  bool wants_brief() const { return wants_brief_; }
  // The records of a stream that wait for a segment that will not come get kNoSpace. Those that wait for a claim go on:
  // there is a segment for them.
  void FailStalled(Stream stream) { FailStalled(LaneOf(stream)); }
  void FailStalledCheckpoint() { FailStalled(lanes_[kCheckpointLane]); }
  void FailStalledCopies() {
    FailStalled(Stream::kCold);
    FailStalled(lanes_[kBriefCopiesLane]);
  }
  // Returns when nothing is queued or in flight.
  async::Task<void> Drain();
  // No covering block is begun from now on: before the last checkpoint, which holds all that one would vouch for.
  // Otherwise an idle writer's timer could begin one while the volume closes, and it would outlive the volume.
  void EndCovering();
  // Seals all open segments. Only when drained.
  void SealOpenSegments();
  // From now on every append fails; what is pending fails now.
  void Latch(std::string reason);

  bool read_only() const { return read_only_; }
  const std::string& read_only_reason() const { return read_only_reason_; }
  Lsn durable_lsn() const { return durable_lsn_; }
  // Queued or in flight.
  std::uint64_t pending_bytes() const { return pending_bytes_; }
  std::uint64_t commits() const { return commits_; }
  std::uint64_t records() const { return records_; }
  std::uint64_t bytes_written() const { return bytes_written_; }
  // What the stream's open segment still takes, blocks and summary apart: an estimate from below.
  std::uint64_t OpenRoomBytes(Stream stream) const { return OpenRoomBytes(lanes_[static_cast<std::size_t>(stream)]); }
  // The same of the segment that survivors go to.
  std::uint64_t OpenRoomForCopies(Stream stream) const {
    return stream == Stream::kBrief ? OpenRoomBytes(lanes_[kBriefCopiesLane]) : OpenRoomBytes(stream);
  }
  bool IsStalled() const;
  // With fewer segments that can be taken, space is scarce. Of a volume of few segments fewer must do.
  std::uint32_t ScarceSegments() const { return std::min<std::uint32_t>(12, 6 + table_->size() / 16); }
  // Records of a checkpoint wait for a free segment.
  bool CheckpointIsStalled() const { return lanes_[kCheckpointLane].stalled; }

 private:
  // Checkpoints have a lane of their own beside those of the streams, so that nothing fills the segment that they need.
  static constexpr std::size_t kCheckpointLane = kStreamCount;
  // So have survivors of brief mail: they stay in their stream, but take nothing from mail that comes, nor it from
  // them.
  static constexpr std::size_t kBriefCopiesLane = kStreamCount + 1;
  static constexpr std::size_t kLaneCount = kStreamCount + 2;

  struct Lane {
    Stream stream = Stream::kMeta;
    std::optional<std::uint32_t> segment;
    std::uint32_t next_sector = 1;
    std::uint32_t next_ordinal = 0;
    std::uint32_t summary_bytes = 0;  // What a summary of all submitted blocks takes.
    std::string summary;              // Of the durable blocks, while it is not too large.
    WriteBuffers::Ref filling;
    RequestList filled;          // The records in `filling`.
    RequestList queue;           // What found no room there.
    bool has_impatient = false;  // Among both.
    bool wants_fresh = false;    // The block being filled does not fit into the rest of the segment.
    bool stalled = false;
    bool awaits_claim = false;  // Stalled, and segments are free: they are being zeroed.
  };
  // A write under way. Owners: its block and the device's callback.
  struct WriteOperation {
    GatheringWriter* writer = nullptr;  // Null: nobody wants to know any more.
    WriteBuffers::Ref buffer;
    std::uint64_t block = 0;  // Its number: see BlockAt().
    std::uint32_t segment = 0;
    base::SteadyTime begun;
    int ticks = 0;         // Of the deadline timer.
    bool overdue = false;  // Given up. The segment is held until the write has ended.
  };
  struct Block {
    Lane* lane = nullptr;
    WriteBuffers::Ref buffer;
    RequestList requests;
    Lsn lsn;
    std::uint16_t flags = 0;
    bool is_done = false;
    std::shared_ptr<WriteOperation> operation;
  };
  using FinishedBlocks = std::vector<Block>;

  Lane& LaneOf(Stream stream) { return lanes_[static_cast<std::size_t>(stream)]; }
  Lane& LaneOf(const AppendRequest& request) {
    if (request.key.type >= kOwnTypesFirst) return lanes_[kCheckpointLane];
    if (request.is_copy) return CopiesLane(request.stream);
    return request.stream == Stream::kBrief && !allows_brief_ ? LaneOf(Stream::kMailbox) : LaneOf(request.stream);
  }
  // Survivors of cleaning go to `stream`: cold or brief.
  Lane& CopiesLane(Stream stream) { return stream == Stream::kBrief ? lanes_[kBriefCopiesLane] : LaneOf(stream); }
  std::uint64_t OpenRoomBytes(const Lane& lane) const;
  std::uint32_t ReserveFor(const Lane& lane) const;
  void FailStalled(Lane& lane);
  bool InFlight() const { return !round_.empty(); }
  // Blocks are numbered from the writer's first on.
  Block& BlockAt(std::uint64_t number) { return round_[static_cast<std::size_t>(number - blocks_finished_)]; }
  BlockRoom RoomOf(const Lane& lane) const;
  BlockRoom FreshRoom() const;
  void Fill(Lane& lane);
  bool IsNearlyFull(const Lane& lane) const;
  bool IsDue(const Lane& lane, bool company) const;

  void SchedulePump();
  void Pump();
  void StartRound(bool cover);
  bool FitsItsSegment(const Lane& lane) const;
  bool EnsureSegment(Lane& lane);
  std::expected<void, SegmentTable::Refusal> OpenSegment(Lane& lane, Lsn first_lsn, std::uint32_t reserve);
  void SealLane(Lane& lane, bool with_summary);
  void AddToRound(Lane& lane, std::uint16_t flags);
  void StartWrite(std::uint64_t number);
  bool MayJoin(const Lane& lane, bool half) const;
  bool JoinsAsHalf(const Lane& lane) const;
  void Join(bool half);
  bool HalfIsBack(const Lane& lane) const;
  bool SavesSpace() const;

  void OnWriteEnd(const std::shared_ptr<WriteOperation>& operation, base::Result<> result);
  void FinishBlocks();
  void NoteDurable(Block& block);
  void HandOut(FinishedBlocks finished);
  void AfterCommit();
  void OnFailure(std::uint64_t number, const std::string& reason);
  bool WriteElsewhere(Lane& lane, std::uint64_t failed);
  void Abandon(const std::shared_ptr<WriteOperation>& operation);
  void FailEverything(base::Errc code, const std::string& reason);
  void FailList(RequestList list, base::Errc code, const std::string& reason);

  void ArmDeadlineTimer();
  void OnDeadlineTick();
  void ArmCoverTimer();
  void OnCoverTimer();
  void ArmPatienceTimer();

  async::Executor executor_;
  BlockDevice* device_;
  SegmentTable* table_;
  Geometry geometry_;
  const VolumeOptions* options_;
  const base::Clock* clock_;
  MountLsns lsns_;
  Hooks hooks_;
  WriteBuffers buffers_;
  std::array<Lane, kLaneCount> lanes_;
  std::deque<Block> round_;  // In LSN order, without those that are handed out. Empty: idle.
  std::uint64_t blocks_finished_ = 0;
  std::vector<std::shared_ptr<WriteOperation>> overdue_;

  Lsn next_lsn_;
  Lsn durable_lsn_;
  Lane* last_lane_ = nullptr;  // Of the last block: a covering block goes there.
  bool first_checkpoint_done_ = false;
  bool allows_brief_ = false;
  bool wants_brief_ = false;
  bool covered_ = true;  // Nothing was written, or the last block was a covering one.
  bool patience_over_ = false;
  SplitRule split_;
  std::size_t awaited_ = 0;  // Records handed out: those who were woken may bring as many.
  bool pump_scheduled_ = false;
  bool handing_out_ = false;
  bool read_only_ = false;  // Never cleared.
  std::string read_only_reason_;
  std::uint64_t pending_bytes_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_written_ = 0;

  async::SteadyTimer deadline_timer_;
  async::SteadyTimer cover_timer_;
  async::SteadyTimer patience_timer_;
  bool deadline_armed_ = false;
  bool cover_armed_ = false;
  bool covering_ended_ = false;
  bool patience_armed_ = false;
  std::uint64_t commits_at_cover_ = 0;
  async::Notifier drained_;
  std::shared_ptr<GatheringWriter*> self_;  // Owners: this, and posted handlers, which find null after the destructor.
};

}  // namespace mffs
