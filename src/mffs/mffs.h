// libmffs: all that a program needs to use MFFS by itself. docs/libmffs.md
#pragma once

#include "async/run_to_end.h"  // RunToEnd: for a program that blocks.
#include "async/shard.h"       // Shard: the thread on which a volume lives.
#include "base/clock.h"        // SystemClock.
#include "base/result.h"       // Result, Error, ASSIGN_OR_CO_RETURN.
#include "mffs/open_device.h"  // OpenDevice: a file or a block device.
#include "mffs/preallocate.h"  // PreallocateFile: a new file for a volume.
#include "mffs/volume.h"       // Volume.
