// ScanImage: every record that can be read on an image, whatever is left of it. Trusts nothing but checksums: no
// checkpoint, no segment table, no summary.
#pragma once

#include <functional>

#include "mffs/segment_survey.h"

namespace mffs {

struct ImageScanOptions {
  std::function<void(const SurveyedRecord&)> visit{};
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};  // Bytes of the image; may be empty.
  std::uint32_t segments_at_once = 2;
};

struct ImageScan {
  std::uint64_t segments_used = 0;
  std::uint64_t segments_missing = 0;  // Not or not wholly on the image, which was cut short.
  std::uint64_t records = 0;
  std::uint64_t records_damaged = 0;  // Their heads can be read, their bodies cannot.
};

// Hands out the records of the newest generation of every segment, live or not, in no order, MFFS's own left out.
// Borrows the device. Memory: a window of 1 MiB for each of `segments_at_once`.
async::Task<ImageScan> ScanImage(BlockDevice* device, Geometry geometry, ImageScanOptions options);

}  // namespace mffs
