// MeteredDevice: a block device that counts what is written, and can be made as slow as a disk of former days.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "async/asio.h"
#include "mffs/block_device.h"

namespace bench {

// Zero: no limit.
struct DeviceLimits {
  double operations_per_second = 0;
  double bytes_per_second = 0;
};

// Passes everything on to `device`. With limits it does one operation after the other, each as long as both limits ask;
// `done` is called at the end of that time, or when the real device has ended, if that is later.
//
// Thread: one shard, that of the executor. Borrows the device, which outlives it. Fault model: that of `device`.
class MeteredDevice final : public mffs::BlockDevice {
 public:
  MeteredDevice(async::Executor executor, mffs::BlockDevice* device, DeviceLimits limits)
      : executor_(executor), device_(device), limits_(limits) {}

  std::uint64_t size_bytes() const override { return device_->size_bytes(); }
  const std::string& name() const override { return device_->name(); }

  void Write(std::uint64_t offset, base::ByteSpan data, mffs::Sync sync, mffs::IoDone done) override {
    writes_ += 1;
    bytes_written_ += data.size();
    device_->Write(offset, data, sync, Delay(data.size(), std::move(done)));
  }
  void Read(std::uint64_t offset, base::MutableByteSpan into, mffs::IoDone done) override {
    device_->Read(offset, into, Delay(into.size(), std::move(done)));
  }
  void Flush(mffs::IoDone done) override { device_->Flush(Delay(0, std::move(done))); }
  void Submit() override { device_->Submit(); }
  void RegisterBuffers(base::MutableByteSpan memory) override { device_->RegisterBuffers(memory); }

  std::uint64_t writes() const { return writes_; }
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  // Takes the operation's turn at the limited disk; what it returns calls `done` when that is over.
  mffs::IoDone Delay(std::size_t bytes, mffs::IoDone done);

  async::Executor executor_;
  mffs::BlockDevice* device_;
  DeviceLimits limits_;
  std::chrono::steady_clock::time_point free_at_{};  // When the limited disk has done all that it was asked.
  std::uint64_t writes_ = 0;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace bench
