// SegmentCursor: the records of one segment in order, from its summary if that is good, else from its blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/block_walker.h"
#include "mffs/segment_summary.h"
#include "mffs/segment_table.h"

namespace mffs {

// The records of one block. Views into it are valid until the cursor moves.
struct RecordBatch {
  struct Entry {
    RecordHeader header;
    Location location;
    std::string_view head;
    bool body_is_readable = true;
  };
  Lsn lsn;
  std::vector<Entry> entries;
};

// Thread: one shard. Borrows the device. Reads what was durable when it was made.
class SegmentCursor {
 public:
  SegmentCursor(BlockDevice* device, const Geometry& geometry, std::uint32_t number, const Segment& segment, Lsn after,
                IoDeadline deadline);

  // Reads ahead from now on: Begin() begins with what tells where the records are, Prepare() waits for that and begins
  // to read them. Neither is needed before Next(). Stop() must be awaited after Begin().
  async::Task<void> Begin();
  async::Task<void> Prepare();
  async::Task<void> Stop();

  // Moves to the next block that has records; false at the end.
  async::Task<bool> Next();
  const RecordBatch& batch() const { return batch_; }
  std::uint32_t segment() const { return number_; }
  // Damage met so far, each a sentence. Nothing is looked at that a summary spares.
  const std::vector<std::string>& damage() const { return damage_; }

 private:
  bool HasFittingSummary() const;
  async::Task<void> LoadSummary();
  bool NextFromSummary();
  async::Task<bool> NextFromBlocks();
  BlockDevice* device_;
  Geometry geometry_;
  std::uint32_t number_;
  std::uint32_t generation_;
  std::uint32_t end_sector_;
  std::uint32_t records_;
  bool is_sealed_;
  Lsn first_lsn_;
  Lsn after_;
  IoDeadline deadline_;
  bool started_ = false;
  bool reads_ahead_ = false;
  bool is_prepared_ = false;
  std::optional<SegmentSummary> summary_;       // Without a value: blocks are read.
  std::optional<SegmentSummary::Entry> entry_;  // The next of it.
  SegmentReader reader_;
  std::optional<BlockWalker> walker_;
  RecordBatch batch_;
  std::vector<std::string> damage_;
};

}  // namespace mffs
