#include "app/volume_file.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/log.h"
#include "mffs/open_device.h"
#include "mffs/preallocate.h"

namespace app {
namespace {

mffs::DeviceChoice ChoiceOf(const std::string& io) {
  if (io == "io_uring") return mffs::DeviceChoice::kUring;
  if (io == "threads") return mffs::DeviceChoice::kThreadPool;
  return mffs::DeviceChoice::kAuto;
}

}  // namespace

base::Result<OpenedVolumeFile> OpenVolumeFile(async::Executor executor, const NodeConfig& config) {
  const std::string path = config.VolumePath();
  OpenedVolumeFile opened;
  std::error_code error;
  opened.is_new = !std::filesystem::exists(path, error);
  bool is_written = true;
  if (opened.is_new) {
    base::LogInfo("volume_make", {{"path", path}, {"bytes", config.volume_bytes}});
    auto allocated = mffs::PreallocateFile(path, config.volume_bytes, {});
    if (!allocated) return std::move(allocated).error().In("make the volume " + path);
    is_written = *allocated;
  }
  ASSIGN_OR_RETURN(opened.device, mffs::OpenDevice(executor, path, {.choice = ChoiceOf(config.volume_io)}));
  if (!is_written || !opened.is_new) {
    // Zeroing spares first writes the file system's metadata; a volume without it is merely slower at first.
    auto zeroer = mffs::BackgroundZeroer::Open(path, {});
    if (zeroer) opened.zeroer = *std::move(zeroer);
  }
  return opened;
}

}  // namespace app
