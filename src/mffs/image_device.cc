#include "mffs/image_device.h"

#include <utility>

#include <fmt/format.h>

#include "mffs/device_file.h"
#include "mffs/thread_pool_device.h"

namespace mffs {
namespace {

// A few large reads at a time are all that a scan needs.
constexpr std::size_t kThreads = 4;

}  // namespace

void ImageDevice::Write(std::uint64_t, base::ByteSpan, Sync, IoDone done) {
  Refuse(std::move(done));
}

void ImageDevice::Flush(IoDone done) {
  Refuse(std::move(done));
}

void ImageDevice::Refuse(IoDone done) {
  asio::post(executor_, [done = std::move(done), name = name()]() mutable {
    done(base::Error(base::Errc::kReadOnly, name + " was opened for reading only"));
  });
}

void ImageDevice::Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) {
  const std::uint64_t size = below_->size_bytes();
  if (offset > size || into.size() > size - offset) {
    asio::post(executor_, [done = std::move(done), offset, bytes = into.size()]() mutable {
      done(base::Error(base::Errc::kIo, fmt::format("{} bytes at {} lie behind the end of the image", bytes, offset)));
    });
    return;
  }
  bytes_read_ += into.size();
  below_->Read(offset, into, std::move(done));
}

base::Result<std::unique_ptr<BlockDevice>> OpenImage(async::Executor executor, const std::string& path) {
  ASSIGN_OR_RETURN(DeviceFile file, DeviceFile::OpenReadOnly(path));
  return std::make_unique<ThreadPoolDevice>(executor, std::move(file), ThreadPoolDevice::Options{.threads = kThreads});
}

}  // namespace mffs
