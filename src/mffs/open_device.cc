#include "mffs/open_device.h"

#include <utility>

#include "base/log.h"
#include "mffs/device_file.h"

namespace mffs {

base::Result<std::unique_ptr<BlockDevice>> OpenDevice(async::Executor executor, const std::string& path,
                                                      DeviceOptions options) {
  ASSIGN_OR_RETURN(DeviceFile file, DeviceFile::Open(path));
  if (options.choice != DeviceChoice::kThreadPool) {
    auto device = UringDevice::Create(executor, std::move(file), options.uring);
    if (device) return *std::move(device);
    if (options.choice == DeviceChoice::kUring) return std::move(device).error().In("open " + path + " with io_uring");
    base::LogWarning(
        "io_uring_refused",
        {{"device", path},
         {"why", device.error().message()},
         {"now", "using a thread pool, which is slower"},
         {"hint", "allow io_uring_setup in the container's seccomp profile, or sysctl kernel.io_uring_disabled=0"}});
  }
  // UringDevice::Create takes the file only on success.
  return std::make_unique<ThreadPoolDevice>(executor, std::move(file),  // NOLINT(bugprone-use-after-move): see above.
                                            options.thread_pool);
}

}  // namespace mffs
