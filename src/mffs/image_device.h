// ImageDevice: a device of which nothing is ever written, read as if it were as large as the volume on it says.
#pragma once

#include <memory>
#include <string>

#include "async/asio.h"
#include "mffs/block_device.h"

namespace mffs {

// What tools that save mail read through. Borrows the device below, which outlives it.
//
// Thread: one shard, that of the executor. Writes and flushes end with kReadOnly and do not reach the device below.
// A read that leaves the device below (an image that was cut short) ends with kIo, as a bad sector does.
class ImageDevice final : public BlockDevice {
 public:
  ImageDevice(async::Executor executor, BlockDevice* below) : executor_(executor), below_(below) {}

  std::uint64_t size_bytes() const override { return below_->size_bytes(); }
  const std::string& name() const override { return below_->name(); }
  void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) override;
  void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) override;
  void Flush(IoDone done) override;
  void Submit() override { below_->Submit(); }
  void RegisterBuffers(base::MutableByteSpan memory) override { below_->RegisterBuffers(memory); }

  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  void Refuse(IoDone done);

  async::Executor executor_;
  BlockDevice* below_;
  std::uint64_t bytes_read_ = 0;
};

// Opens a file or block device for reading only. Blocks: for start-up. Errors: those of DeviceFile::OpenReadOnly.
base::Result<std::unique_ptr<BlockDevice>> OpenImage(async::Executor executor, const std::string& path);

}  // namespace mffs
