// One request to a real device, and what every device checks of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "mffs/block_device.h"

namespace mffs {

enum class RequestKind : std::uint8_t { kWrite, kRead, kFlush };

// A request on its way. The memory is the caller's.
struct DeviceRequest {
  RequestKind kind = RequestKind::kFlush;
  Sync sync = Sync::kNo;
  std::uint64_t offset = 0;
  std::byte* memory = nullptr;
  std::size_t size = 0;
  IoDone done{};

  static DeviceRequest Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done);
  static DeviceRequest Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done);
  static DeviceRequest Flush(IoDone done);
};

// CHECKs that offset, size and address are multiples of kSectorBytes and that there is something to do.
void CheckAligned(std::uint64_t offset, base::ByteSpan memory);

// kInvalid when [offset, offset + size) does not lie within the device; names device and numbers.
base::Result<> CheckWithin(const BlockDevice& device, std::uint64_t offset, std::uint64_t size);

// What the kernel's answer (bytes moved, or -errno) means for the request: anything but all of its bytes is kIo.
base::Result<> RequestResult(const std::string& device, const DeviceRequest& request, std::int64_t answer);

}  // namespace mffs
