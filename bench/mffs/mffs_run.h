// MFFS under load: appends, a queue that fills and drains, and reads of a backlog.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "load.h"
#include "metered_device.h"

namespace bench {

struct MffsPlan {
  LoadPlan load;
  std::string path;  // Of the volume's file, as PrepareVolumeFile leaves it. Formatted anew by each run.
  bool gathering = true;
  bool prefetching = true;
  DeviceLimits limits;
};

// Makes a file of `bytes`, reserved and written, so that first writes cost no file-system metadata. One that is long
// enough already is kept; what was never written of it is written.
base::Result<> PrepareVolumeFile(const std::string& path, std::uint64_t bytes);

// `writers` coroutines on one io_context, the volume's own, as in the node. Ends early when the volume is full. Then
// the volume is closed and opened again, and every acknowledged mail must be there, live, once. Errors: kCorrupt if
// one is not.
base::Result<Outcome> RunAppends(const MffsPlan& plan);

// The same writers fill a queue until `backlog_bytes` lie in it, then deliver all of it, mail by mail, each with a
// durable note of 64 bytes before it is released; over and over. Outcome::more has what was appended and what the
// device was given, checkpoints and all. After reopening nothing may be live.
base::Result<Outcome> RunFillAndDrain(const MffsPlan& plan, std::uint64_t backlog_bytes);

// Fills without limits for the plan's time, opens the volume again with them, and reads the mails in disk order, one
// ReadRun after the other.
base::Result<Outcome> RunReads(const MffsPlan& plan);

}  // namespace bench
