// The volume that a configuration names: opened, or made at the first start.
#pragma once

#include <memory>

#include "app/config.h"
#include "async/asio.h"
#include "base/result.h"
#include "mffs/background_zeroer.h"
#include "mffs/block_device.h"

namespace app {

struct OpenedVolumeFile {
  std::unique_ptr<mffs::BlockDevice> device;
  std::unique_ptr<mffs::BackgroundZeroer> zeroer;
  bool is_new = false;  // Made just now: it has to be formatted.
};

// Blocks: for start-up. A missing file is allocated at volume.size; an existing one is used as it is. Errors: one
// sentence each.
base::Result<OpenedVolumeFile> OpenVolumeFile(async::Executor executor, const NodeConfig& config);

}  // namespace app
