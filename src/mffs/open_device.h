// OpenDevice: opens a volume's file or block device with the best device that this machine allows.
#pragma once

#include <memory>
#include <string>

#include "async/asio.h"
#include "mffs/block_device.h"
#include "mffs/thread_pool_device.h"
#include "mffs/uring_device.h"

namespace mffs {

enum class DeviceChoice : std::uint8_t {
  kAuto,   // io_uring, else the thread pool with a warning that says why.
  kUring,  // Fails where io_uring is refused.
  kThreadPool,
};

struct DeviceOptions {
  DeviceChoice choice = DeviceChoice::kAuto;
  UringDevice::Options uring{};
  ThreadPoolDevice::Options thread_pool{};
};

// Blocks: for start-up. Errors: those of DeviceFile::Open, and kUnsupported when kUring was asked for and is refused.
base::Result<std::unique_ptr<BlockDevice>> OpenDevice(async::Executor executor, const std::string& path,
                                                      DeviceOptions options);

}  // namespace mffs
