// Awaitable reads and writes of a BlockDevice, with deadlines, for everything off the hot path.
//
// The cancellation of the caller unwinds as boost::system::system_error (operation_aborted); the operation goes on. The
// memory belongs to the operation until the device has ended it, however long the caller waits.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/bytes.h"
#include "base/result.h"
#include "mffs/block_device.h"

namespace mffs {

// Memory that a device can use: aligned to a sector. Movable; an empty one has no memory.
class IoMemory {
 public:
  enum class Content : std::uint8_t { kZeroes, kAny };

  IoMemory() = default;
  explicit IoMemory(std::size_t bytes, Content content = Content::kZeroes);

  std::byte* data() { return memory_.get(); }
  const std::byte* data() const { return memory_.get(); }
  std::size_t size() const { return bytes_; }
  base::MutableByteSpan span() { return {memory_.get(), bytes_}; }
  base::ByteSpan span() const { return {memory_.get(), bytes_}; }

 private:
  struct Free {
    std::size_t bytes;
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t bytes_ = 0;
};

using IoDeadline = std::chrono::steady_clock::duration;

// A read that was begun, so that others can be begun before it is waited for. A default one was not. Movable.
class PendingRead {
 public:
  // Reads whole sectors into `memory` from its byte `skip` to its end.
  static async::Task<PendingRead> Begin(BlockDevice* device, std::uint64_t offset, IoMemory memory, std::size_t skip,
                                        IoDeadline deadline);
  bool is_begun() const { return operation_ != nullptr; }
  // Waits for the end, and gives the memory back. Errors: as ReadSectors. It must be awaited before the device's end:
  // who loses interest waits all the same.
  async::Task<base::Result<IoMemory>> Finish();

 private:
  std::shared_ptr<struct DeviceOperation> operation_;  // Other owners: see there.
  std::string what_;
};

// Reads whole sectors. Errors: kIo, kTimeout (the operation goes on; its memory lives until it ends).
async::Task<base::Result<IoMemory>> ReadSectors(BlockDevice* device, std::uint64_t offset, std::uint64_t bytes,
                                                IoDeadline deadline);

// Sectors of which those that cannot be read are zero, and said so: a read error is isolated to its sector.
struct SectorsRead {
  IoMemory memory;
  std::vector<bool> is_read;
};
// Reads `count` sectors in one read, and one by one only if that fails.
async::Task<SectorsRead> ReadSectorsSingly(BlockDevice* device, std::uint64_t offset, std::uint32_t count,
                                           IoDeadline deadline);

// Reads the same number of sectors at each of the offsets, all at once, into one piece of memory, in their order. What
// cannot be read, or not in time, is left zero.
async::Task<IoMemory> ReadMany(BlockDevice* device, std::vector<std::uint64_t> offsets, std::uint64_t bytes_each,
                               IoDeadline deadline);

// Writes `memory` durably. Errors: as above; after kTimeout the write may still land at any time.
async::Task<base::Result<>> WriteDurably(BlockDevice* device, std::uint64_t offset, IoMemory memory,
                                         IoDeadline deadline);

// Makes durable whatever the device holds. Errors: kIo, kTimeout: nothing is known then.
async::Task<base::Result<>> FlushDevice(BlockDevice* device, IoDeadline deadline);

}  // namespace mffs
