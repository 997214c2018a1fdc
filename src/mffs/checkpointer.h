// Checkpointer: writes checkpoints and moves the superblock to them.
#pragma once

#include <optional>
#include <vector>

#include "async/asio.h"
#include "mffs/checkpoint.h"
#include "mffs/gathering_writer.h"
#include "mffs/recovery.h"

namespace mffs {

// Thread: one shard. Borrows all it is given. One Run() at a time; its task must not be cancelled.
// Durability: when Run() succeeds, all releases made before it and the owner's state are durable, and the segments that
// were empty then are free. One that fails gives back the records that it had written.
// Errors: kNoSpace, kInvalid, kReadOnly. A superblock that cannot be written latches the writer: nobody knows which
// state counts then.
class Checkpointer {
 public:
  Checkpointer(BlockDevice* device, SegmentTable* table, GatheringWriter* writer, IoDeadline deadline,
               const Recovered& recovered);

  // `owner` may be null: the state of the last checkpoint is kept then.
  async::Task<base::Result<>> Run(RecordOwner* owner);

  // Goes into the superblock with the next checkpoint.
  void SetScrubMark(const ScrubMark& mark) { superblock_.scrub = mark; }

  const std::string& owner_state() const { return owner_state_; }
  // Segments that hold records of the checkpoints in use: cleaning leaves them alone.
  bool IsInUse(std::uint32_t segment) const;

 private:
  // The table and the owner's state of one moment.
  struct Image {
    CheckpointRoot root;
    std::vector<std::string> table_parts;
    RecordOwner::CheckpointState owner;
    std::vector<Location> outdated;  // Records of the checkpoint before the newest.
    std::vector<std::uint32_t> empty_segments;
  };
  Image TakeImage(RecordOwner* owner);
  async::Task<base::Result<std::vector<Location>>> AppendParts(std::uint8_t type, std::vector<std::string> parts);
  async::Task<base::Result<Location>> AppendImage(Image* image);
  void GiveBack();
  async::Task<base::Result<>> MoveSuperblock(const Image* image, Location root);
  void Finish(const Image& image, Location root);

  BlockDevice* device_;
  SegmentTable* table_;
  GatheringWriter* writer_;
  IoDeadline deadline_;
  Superblock superblock_;
  std::optional<Superblock> found_superblock_;  // As loaded, until all copies of it are repaired.
  std::string owner_state_;
  std::uint64_t number_ = 0;
  std::uint64_t full_number_ = 0;
  std::uint64_t next_part_ = 0;       // Index of the next record of the checkpoint being written.
  std::vector<Location> appended_;    // Its records so far.
  std::vector<Location> full_parts_;  // Empty: the next checkpoint is a full one.
  std::size_t full_bytes_ = 0;
  std::vector<Location> newest_records_;
  std::vector<Location> previous_records_;
};

}  // namespace mffs
