// What every device checks of a request before it takes it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "mffs/block_device.h"

namespace mffs {

// CHECKs that offset, size and address are multiples of kSectorBytes and that there is something to do.
void CheckAligned(std::uint64_t offset, base::ByteSpan memory);

// kInvalid when [offset, offset + size) does not lie within the device; names device and numbers.
base::Result<> CheckWithin(const BlockDevice& device, std::uint64_t offset, std::uint64_t size);

}  // namespace mffs
