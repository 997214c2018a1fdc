// AppendAll: appends records and waits until all of them are durable, for callers off the hot path.
#pragma once

#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/gathering_writer.h"

namespace mffs {

struct OwnedRecord {
  RecordKey key;
  std::string head;
  std::string body;
  bool is_copy = false;
};

// The locations in the order of the records. Errors: the first one that a record met. The records reach the disk or not
// whether the caller waits or was cancelled: they live until the writer is done with them.
async::Task<base::Result<std::vector<Location>>> AppendAll(GatheringWriter* writer, Stream stream,
                                                           std::vector<OwnedRecord> records);

}  // namespace mffs
