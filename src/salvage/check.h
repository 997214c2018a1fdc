// CheckMail: a volume and all mail on it, verified without writing a byte to it.
#pragma once

#include <functional>
#include <string>

#include "mffs/volume_check.h"

namespace salvage {

struct MailCheckOptions {
  std::string scratch_folder;  // For the index that the logs are replayed into; must be empty or missing.
  std::uint64_t records_max = 20'000'000;
  // What is being done ("blocks", "logs", "mails"), and how far it is; may be empty.
  std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)> progress{};
};

struct MailCheck {
  mffs::VolumeCheck volume;
  std::uint64_t log_entries = 0;  // Replayed.
  std::uint64_t mails_in_mailboxes = 0;
  std::uint64_t mails_in_queue = 0;
  std::uint64_t mails_damaged = 0;  // Of both.
};

// First the volume (mffs::CheckVolume), then the partitions' logs as a start would read them, then each mail that is in
// a mailbox or in the queue: are its bytes there, whole, and marked as needed?
// Borrows device and findings. Memory: 88 bytes a log record, and 128 MiB. Errors: the volume cannot be checked at all.
async::Task<base::Result<MailCheck>> CheckMail(mffs::BlockDevice* device, MailCheckOptions options,
                                               mffs::Findings* findings);

}  // namespace salvage
