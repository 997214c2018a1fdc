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

// How long mails live, and so where dead bytes lie.
enum class Lives : std::uint8_t {
  kUniform,        // A mailbox volume; any mail may be deleted next.
  kSkewed,         // The same; of five deletions four hit the same fifth of the mails, which is that of a fifth of the
                   // mailboxes.
  kSkewedUnknown,  // The same, but mails of both kinds come to each mailbox.
  kParked,  // Transit mail, delivered soon (a twentieth of the volume waits), and a parked mail among each five, which
            // stays until `fill` of the volume is parked; both leave in the order in which they came.
};

struct ChurnPlan {
  Lives lives = Lives::kUniform;
  double fill = 0.8;                  // Of the capacity is live.
  bool streams = true;                // False: parked mail goes to the transit stream, to measure what streams gain.
  std::uint32_t segment_bytes = 0;    // 0: by the size of the volume, as a node does it.
  std::uint64_t volumes_written = 3;  // Measured for as long as this many times the capacity is written.
};

// Fills a volume, then adds mails and removes as many, until as much as the volume holds was written, and measures from
// there on. Outcome::more has what was appended and what the device was given, checkpoints, summaries and cleaning
// included. After reopening exactly what was kept must be live.
base::Result<Outcome> RunChurn(const MffsPlan& plan, const ChurnPlan& churn);

// Fills without limits for the plan's time, opens the volume again with them, and reads the mails in disk order, one
// ReadRun after the other.
base::Result<Outcome> RunReads(const MffsPlan& plan);

}  // namespace bench
