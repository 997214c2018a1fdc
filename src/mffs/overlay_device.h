// OverlayDevice: a device whose writes stay in memory, in their order, while the device below is only read. So a change
// can be made, looked at, and then applied or forgotten.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/block_device.h"
#include "mffs/device_io.h"

namespace mffs {

// Borrows the device below, which outlives it.
//
// Thread: one shard, that of the executor. Reads see what was written. Writes and flushes always succeed and never
// reach the device below. Memory: what was written.
class OverlayDevice final : public BlockDevice {
 public:
  struct Written {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
  };

  OverlayDevice(async::Executor executor, BlockDevice* below) : executor_(executor), below_(below) {}

  std::uint64_t size_bytes() const override { return below_->size_bytes(); }
  const std::string& name() const override { return below_->name(); }
  void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) override;
  void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) override;
  void Flush(IoDone done) override;
  void Submit() override { below_->Submit(); }
  void RegisterBuffers(base::MutableByteSpan) override {}  // One may have been registered below already.

  // In the order in which they were made.
  const std::vector<Written>& writes() const { return writes_; }
  // The sectors that were written, by offset: their newest bytes.
  const std::map<std::uint64_t, std::vector<std::byte>>& sectors() const { return sectors_; }

 private:
  void Patch(std::uint64_t offset, base::MutableByteSpan into) const;

  async::Executor executor_;
  BlockDevice* below_;
  std::vector<Written> writes_;
  std::map<std::uint64_t, std::vector<std::byte>> sectors_;
};

// Makes the same writes, each durable before the next one, on a device that holds what the overlay was made over.
// Errors: kIo, kTimeout: some were made.
async::Task<base::Result<>> ApplyWrites(const OverlayDevice* overlay, BlockDevice* device, IoDeadline deadline);

}  // namespace mffs
