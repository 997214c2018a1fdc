// SegmentSealer: gives sealed segments their summaries and footers, in the background.
#pragma once

#include <deque>

#include "async/asio.h"
#include "async/notifier.h"
#include "mffs/device_io.h"
#include "mffs/gathering_writer.h"
#include "mffs/segment_table.h"

namespace mffs {

// Thread: one shard. Borrows all it is given. A summary only saves time: one that cannot be written is left out.
class SegmentSealer {
 public:
  static constexpr std::size_t kWaitingMax = 8;  // Past it the oldest goes without a summary.

  SegmentSealer(async::Executor executor, BlockDevice* device, SegmentTable* table, const Geometry& geometry,
                IoDeadline deadline)
      : device_(device), table_(table), geometry_(geometry), deadline_(deadline), changed_(executor) {}

  void Add(SealedSegment segment);
  // Writes what is added until Stop(), then what is left. Never cancelled.
  async::Task<void> Run();
  void Stop();

 private:
  async::Task<base::Result<>> Write(SealedSegment sealed);

  BlockDevice* device_;
  SegmentTable* table_;
  Geometry geometry_;
  IoDeadline deadline_;
  std::deque<SealedSegment> waiting_;
  async::Notifier changed_;
  bool stopping_ = false;
};

}  // namespace mffs
