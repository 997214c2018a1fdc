// The volume that a configuration names: opened, or made at the first start.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "async/asio.h"
#include "base/result.h"
#include "mffs/background_zeroer.h"
#include "mffs/block_device.h"
#include "mffs/volume.h"

namespace app {

struct OpenedVolumeFile {
  std::unique_ptr<mffs::BlockDevice> device;
  std::unique_ptr<mffs::BackgroundZeroer> zeroer;  // From StartZeroing on, if there is something to zero.
  std::string path;                                // Its name until it is formatted, then the configured one.
  bool is_new = false;                             // Made just now: it has to be formatted.
  bool may_need_zeroing = true;                    // False: made just now of zeroes that are on the disk.
};

// Blocks: for start-up. A missing file is allocated at volume.size under its name with ".unfinished" added, and deleted
// again when it cannot be opened; one that a start left behind, cut off before it had formatted it, is taken up. An
// existing file is used as it is, but others than its owner lose their rights to it (0600), with a warning. Errors: one
// sentence each.
base::Result<OpenedVolumeFile> OpenVolumeFile(async::Executor executor, const NodeConfig& config);

// Formats the volume if its file is new, and gives the file its name. A new file that cannot be formatted is deleted:
// the next start, with a better configuration, begins anew. Both arguments outlive the task.
async::Task<base::Result<>> FormatIfNew(OpenedVolumeFile* file, const NodeConfig* config);

// Options of a volume that asks the zeroer before it takes unused space. `file` outlives the volume.
mffs::VolumeOptions WithClaims(OpenedVolumeFile* file, mffs::VolumeOptions options);

// Zeroes the unused space of `volume`, opened with those options and not started yet, ahead of use. Zeroing spares
// first writes the file system's metadata; what goes wrong here only makes them slower.
void StartZeroing(OpenedVolumeFile* file, mffs::Volume* volume);

}  // namespace app
