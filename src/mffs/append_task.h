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

// `places` gets the locations in the order of the records; after an error, of those that succeeded, the others nowhere.
// Errors: the first one that a record met. The records reach the disk or not whether the caller waits or was cancelled:
// they live until the writer is done with them.
async::Task<base::Result<>> AppendAll(GatheringWriter* writer, Stream stream, std::vector<OwnedRecord> records,
                                      std::vector<Location>* places);

}  // namespace mffs
