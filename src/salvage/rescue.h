// Rescue: every mail of an image that can be read, as a file, with its envelope beside it. Whatever the image lacks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/finding.h"
#include "mffs/image_scan.h"

namespace salvage {

struct RescueOptions {
  std::string directory;
  bool go_on = false;         // With a rescue of the same volume that was cut short.
  bool with_deleted = false;  // Also what is known to be deleted or delivered on, under deleted/.
  std::uint64_t records_max = 20'000'000;
  // What is being done ("segments", "logs", "mails"), and how far it is (total 0: not known); may be empty.
  std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)> progress{};
};

struct RescueReport {
  mffs::ImageScan scan;
  std::vector<std::string> notes;  // On the image's geometry, each a sentence.
  std::uint64_t from_mailboxes = 0;
  std::uint64_t from_queue = 0;
  std::uint64_t unplaced = 0;  // It is not known where they were; whole ones.
  std::uint64_t damaged = 0;   // Written as .partial.eml; counted nowhere else.
  std::uint64_t deleted = 0;   // Written, with `with_deleted`.
  std::uint64_t deleted_left_out = 0;
  std::uint64_t already_there = 0;  // Of the first four, by an earlier run.
  std::uint64_t bytes = 0;          // Written by this one.
  bool AllWhole(const mffs::Findings& findings) const {
    return damaged == 0 && findings.count(mffs::Severity::kDamage) == 0;
  }
};

// Reads the image (mffs::ScanImage), replays the logs that are left, and writes the mails. Never writes to the device.
// Borrows device, findings and has_begun, which outlive the task. Memory: 88 bytes a log record, 16 a mail, and 128
// MiB. Errors: kCorrupt (no volume is there), kUnsupported, kExists and kInvalid (the directory), kNoSpace, kIo;
// `*has_begun` says whether files were written before.
async::Task<base::Result<RescueReport>> Rescue(mffs::BlockDevice* device, RescueOptions options,
                                               mffs::Findings* findings, bool* has_begun);

}  // namespace salvage
