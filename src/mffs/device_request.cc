#include "mffs/device_request.h"

#include <fmt/format.h>

#include "base/check.h"

namespace mffs {

void CheckAligned(std::uint64_t offset, base::ByteSpan memory) {
  CHECK(!memory.empty());
  CHECK(offset % kSectorBytes == 0);
  CHECK(memory.size() % kSectorBytes == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % kSectorBytes == 0);
}

base::Result<> CheckWithin(const BlockDevice& device, std::uint64_t offset, std::uint64_t size) {
  if (offset <= device.size_bytes() && size <= device.size_bytes() - offset) return {};
  return base::Error(base::Errc::kInvalid, fmt::format("{}: bytes {} to {} lie past its end at {}", device.name(),
                                                       offset, offset + size, device.size_bytes()));
}

}  // namespace mffs
