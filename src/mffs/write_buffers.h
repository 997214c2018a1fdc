// WriteBuffers: the few block-sized buffers of the gathering writer, in one piece of memory that the device registers.
#pragma once

#include <memory>
#include <vector>

#include "mffs/block_builder.h"
#include "mffs/block_device.h"

namespace mffs {

// Thread: one shard. Buffers may outlive the pool: a write that is overdue still uses its buffer.
class WriteBuffers {
 public:
  struct Buffer {
    BlockBuilder builder;
    std::shared_ptr<void> memory;  // Owners: the pool and the buffers cut from it.
  };
  // Owners: a lane or a block in flight, and the device's callback while the write goes on.
  using Ref = std::shared_ptr<Buffer>;

  // `count` buffers, registered with the device. More are made, unregistered, while writes hang.
  WriteBuffers(BlockDevice* device, std::size_t count, std::uint32_t volume_seed);

  Ref Take();
  void GiveBack(Ref buffer);

 private:
  std::uint32_t volume_seed_;
  std::vector<Ref> free_;  // The last one used is taken first: it is warm in the processor's cache.
};

}  // namespace mffs
