// Many records of the volume at once, for starts: one after the other each would wait for the disk alone.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "async/asio.h"
#include "async/task_group.h"
#include "base/result.h"
#include "replog/context.h"

namespace replog {

// As many as should be asked for at once: their bodies are in memory together.
inline constexpr std::size_t kReadsAtOnce = 32;

using ReadRecords = std::vector<base::Result<mffs::Record>>;

// In the order of `places`. Records that lie near each other are one read. Not to be cancelled.
async::Task<ReadRecords> ReadAll(Context* context, std::vector<mffs::Location> places);

// Records in batches: while one is used, the next is being read.
//
// Thread: the log's shard. Borrows the context. Errors are each record's own. Memory: two batches. Stop() before its
// end, unless all was taken. Not to be cancelled.
class BatchReader {
 public:
  BatchReader(Context* context, std::vector<mffs::Location> places);
  ~BatchReader();

  // The next records in the order of the places, some megabytes of them; none at the end.
  async::Task<ReadRecords> Next();
  async::Task<void> Stop();

 private:
  struct Batch;

  std::unique_ptr<Batch> Begin();

  Context* context_;
  std::vector<mffs::Location> places_;
  std::size_t begun_ = 0;  // Of places_.
  async::TaskGroup reads_;
  std::unique_ptr<Batch> ahead_;
};

}  // namespace replog
