// The four superblock copies of a volume: choosing the state that counts, and updating it so that a power cut at any
// moment leaves either the old or the new one.
#pragma once

#include "async/asio.h"
#include "base/result.h"
#include "mffs/device_io.h"
#include "mffs/format.h"

namespace mffs {

// Reads all copies and returns the highest sequence of which two agree.
// Errors: kCorrupt (no two agree, or the device is shorter than the volume: the sentence says what was found),
// kUnsupported (another format version).
async::Task<base::Result<Superblock>> LoadSuperblock(BlockDevice* device, IoDeadline deadline);

// Writes copies 0 and 2, then 1 and 3; durable when it succeeds. Errors: kIo, kTimeout: two copies agree on the old or
// on the new state still.
async::Task<base::Result<>> StoreSuperblock(BlockDevice* device, Superblock superblock, IoDeadline deadline);

}  // namespace mffs
