// What a scrub says of itself. The work is done by Scrubber (scrubber.h), inside an open volume.
#pragma once

#include <cstdint>
#include <vector>

#include "mffs/finding.h"

namespace mffs {

struct ScrubStatus {
  bool is_on = false;         // A pass is under way: in the background, or by request.
  bool is_requested = false;  // By Volume::BeginScrub, at its rate.
  std::uint64_t bytes_per_second = 0;
  std::uint64_t pass_bytes_done = 0;  // Of this pass, in segments that were in use when they were come to.
  std::uint64_t pass_bytes_total = 0;
  std::uint64_t bytes_read = 0;    // Since opening.
  std::uint64_t passes_ended = 0;  // Since opening: every segment in use was read.
  std::uint64_t bad_sectors = 0;   // Different ones found since opening.
  std::uint64_t lost_records = 0;  // Live records in them.
  // Seconds since 1970, 0: never. They survive a restart.
  std::uint64_t pass_began = 0;
  std::uint64_t last_pass_ended = 0;
  std::vector<Finding> findings;  // Since opening, the newest last; at most a hundred.
};

}  // namespace mffs
