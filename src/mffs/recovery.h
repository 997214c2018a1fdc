// Recovery: from an image, whatever happened to it, to the state of the volume. Writes nothing.
// The rule of torn and rotten: docs/format/mffs.md, "Recovery".
#pragma once

#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/checkpoint.h"
#include "mffs/gathering_writer.h"
#include "mffs/superblock.h"
#include "mffs/volume.h"

namespace mffs {

struct Recovered {
  Superblock superblock;
  SegmentTable table;
  MountLsns lsns;                            // Of the new mount.
  Checkpoint base;                           // Its table is moved out.
  std::vector<Location> checkpoint_records;  // Of the base and, if it can be read, the checkpoint before it.
  RecoveryReport report;
};

// Errors: those of LoadSuperblock.
async::Task<base::Result<Recovered>> Recover(BlockDevice* device, IoDeadline deadline, RecoveryBase from,
                                             ProgressHook progress = {});

}  // namespace mffs
