// VolumeScan: the records of all segments, merged into LSN order.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/segment_table.h"
#include "mffs/volume.h"

namespace mffs {

// What is scanned: a volume of which nothing is written meanwhile.
struct ScanSource {
  BlockDevice* device;
  const SegmentTable* table;
  Geometry geometry;
  std::chrono::milliseconds deadline;
  ProgressHook progress{};
};

// Thread: one shard. Nothing may be written meanwhile. At any time only the cursors of segments that overlap in LSN are
// open: about one a stream. `damage` gets a sentence for each damaged place.
// Errors: the first that `visit` returns.
async::Task<base::Result<>> ScanVolume(ScanSource source, Lsn after,
                                       std::function<base::Result<>(const RecordView&)> visit,
                                       std::vector<std::string>* damage);

}  // namespace mffs
