// The four superblock copies of a volume: choosing the state that counts, and updating it so that a power cut at any
// moment leaves either the old or the new one.
//
// Invariant: at every moment two copies are durable and equal, and no two others are equal with a higher sequence.
// - An update begins with four equal copies. While it writes 0 and 2, the copies 1 and 3 hold the old state; while it
//   writes 1 and 3, the copies 0 and 2 hold the new one.
// - A cut may leave only two equal ones, in any places (0 and 2 new, 1 torn, 3 old; 0 new, 1 to 3 old). An update on
// top
//   of those could break up the only pair. So a mount first makes all four equal, writing only those that differ.
// - A write that fails is tried once more in its place: the other copies hold the invariant whatever it has left.
// - An update that fails (a write twice, or one that hangs) ends the updates of the mount: the next mount starts from
//   what two copies say.
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

// Writes `superblock`, which LoadSuperblock gave, over the copies that do not hold it; durable when it succeeds. Before
// the first StoreSuperblock of a mount. Errors: kIo (a write failed twice), kTimeout: no StoreSuperblock may follow.
async::Task<base::Result<>> RepairSuperblock(BlockDevice* device, Superblock superblock, IoDeadline deadline);

// Writes copies 0 and 2, then 1 and 3, all of which are equal before; durable when it succeeds. Errors: kIo (a write
// failed twice), kTimeout: two copies agree on the old or on the new state still, and no further StoreSuperblock may
// follow.
async::Task<base::Result<>> StoreSuperblock(BlockDevice* device, Superblock superblock, IoDeadline deadline);

}  // namespace mffs
