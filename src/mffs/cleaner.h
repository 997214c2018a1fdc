// Cleaner: copies the last live records out of mostly dead segments, so that whole segments become free.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "async/asio.h"
#include "mffs/append_task.h"
#include "mffs/checkpointer.h"
#include "mffs/gathering_writer.h"
#include "mffs/record_reader.h"
#include "mffs/segment_cursor.h"

namespace mffs {

// Thread: one shard. Borrows all it is given. One Step() at a time; its task must not be cancelled.
// Durability: an original is released only when its copy and the owner's note of the move are durable.
class Cleaner {
 public:
  Cleaner(BlockDevice* device, SegmentTable* table, GatheringWriter* writer, const Checkpointer* checkpointer,
          const Geometry& geometry, IoDeadline deadline)
      : device_(device),
        table_(table),
        writer_(writer),
        checkpointer_(checkpointer),
        geometry_(geometry),
        deadline_(deadline),
        reader_(device, geometry, deadline),
        step_bytes_(std::min<std::uint64_t>(kStepBytesMax, geometry.segment_bytes)) {}

  // A sealed segment of which less than `below_percent` is live and that can be cleaned: the one with the best ratio of
  // benefit to cost, (1 - live) * age / (1 + live) (Rosenblum and Ousterhout, 1992; decision 0014): of two that are
  // equally full the older one, since what has lived long will not die soon and make it cheaper. The emptiest, when
  // copies have only what is left of the segment that they go to, and in a volume of few segments.
  // One of which a part was copied goes on first, if there is room for its rest: it holds its segment and the room of
  // its copies until it is done.
  std::optional<std::uint32_t> Victim(std::uint32_t below_percent) const;
  // Whether all that is live in the victim has somewhere to go, and the notes of its move too. One that was begun and
  // cannot be finished would hold its segment and the room that its copies took.
  bool HasRoomFor(std::uint32_t victim) const;
  // Moves a part of the victim's records. Returns the bytes copied; 0: it is done with. The caller has asked
  // HasRoomFor().
  async::Task<base::Result<std::uint64_t>> Step(std::uint32_t victim, RecordOwner* owner);

  std::uint64_t segments_cleaned() const { return segments_cleaned_; }

 private:
  // Copied before the owner is told: what two blocks take with their headers, so that no small one follows.
  static constexpr std::uint64_t kStepBytesMax = 2 * kBlockBytesMax - (64u << 10);
  static constexpr std::size_t kStepRecordsMax = 1000;
  static constexpr std::uint64_t kNoteBytesMax = 128u << 10;  // Of such a step: replog takes 60 bytes a record.

  struct Copies {
    std::vector<OwnedRecord> records;
    std::vector<Location> from;
    std::uint64_t bytes = 0;
    bool lacks_room = false;  // A record was left for a step that has more room.
  };
  bool CanBeCleaned(std::uint32_t number) const;
  bool GainsSpace(const Segment& segment) const;
  bool HasSpareSegment() const { return table_->free_count() > GatheringWriter::kReserveForMeta; }
  std::uint64_t StepRoom(Stream copies_to) const {
    if (HasSpareSegment()) return step_bytes_;
    return std::min(step_bytes_, writer_->OpenRoomForCopies(copies_to));
  }
  // Mail that was brief until now will be so, and must not lie among what stays.
  Stream CopiesTo(std::uint32_t victim) const;
  double ScoreOf(const Segment& segment) const;
  async::Task<Copies> Collect(std::uint32_t victim, Stream copies_to);

  BlockDevice* device_;
  SegmentTable* table_;
  GatheringWriter* writer_;
  const Checkpointer* checkpointer_;
  Geometry geometry_;
  IoDeadline deadline_;
  RecordReader reader_;
  std::uint64_t step_bytes_;  // At most one fresh segment for a step.
  // Segment and generation of those with records that cannot be read, and so cannot be moved.
  std::set<std::pair<std::uint32_t, std::uint32_t>> unmovable_;
  struct Begun {
    std::uint32_t segment = 0;
    std::uint32_t generation = 0;
  };
  std::optional<Begun> begun_;  // The victim of the last step, if that left something in it.
  std::uint64_t segments_cleaned_ = 0;
};

}  // namespace mffs
