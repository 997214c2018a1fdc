// CheckSegment: one segment against the segment table and its own summary.
#pragma once

#include "mffs/finding.h"
#include "mffs/segment_survey.h"
#include "mffs/segment_table.h"
#include "mffs/volume_check.h"

namespace mffs {

struct SegmentCheck {
  std::uint64_t blocks = 0;
  std::uint64_t records = 0;
  std::uint64_t live_records = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t lost_records = 0;
};

struct SegmentOfTable {
  std::uint32_t number = 0;
  const SegmentTable* table = nullptr;
};

struct SegmentCheckCalls {
  std::function<void(const CheckedRecord&)> visit;
  std::function<void(std::uint64_t bytes)> progress;
  bool visits_own = false;  // MFFS's own records too.
};

// Borrows device, table and findings.
async::Task<SegmentCheck> CheckSegment(BlockDevice* device, Geometry geometry, SegmentOfTable segment,
                                       SegmentCheckCalls calls, Findings* findings);

}  // namespace mffs
