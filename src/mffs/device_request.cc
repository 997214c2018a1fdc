#include "mffs/device_request.h"

#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"

namespace mffs {
namespace {

std::string_view Name(RequestKind kind) {
  switch (kind) {
    case RequestKind::kWrite:
      return "write";
    case RequestKind::kRead:
      return "read";
    case RequestKind::kFlush:
      return "flush";
  }
  return "request";
}

}  // namespace

DeviceRequest DeviceRequest::Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) {
  CheckAligned(offset, data);
  // The kernel's interfaces take one pointer type for both directions; a write never changes the memory.
  auto* memory = const_cast<std::byte*>(data.data());
  return {RequestKind::kWrite, sync, offset, memory, data.size(), std::move(done)};
}

DeviceRequest DeviceRequest::Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) {
  CheckAligned(offset, into);
  return {RequestKind::kRead, Sync::kNo, offset, into.data(), into.size(), std::move(done)};
}

DeviceRequest DeviceRequest::Flush(IoDone done) {
  return {.done = std::move(done)};
}

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

base::Result<> RequestResult(const std::string& device, const DeviceRequest& request, std::int64_t answer) {
  if (answer == static_cast<std::int64_t>(request.size)) return {};
  const std::string what =
      fmt::format("{}: {} of {} bytes at byte {}", device, Name(request.kind), request.size, request.offset);
  if (answer < 0) {
    return base::Error(base::Errc::kIo, fmt::format("{} failed: {}", what, std::strerror(static_cast<int>(-answer))));
  }
  return base::Error(base::Errc::kIo, fmt::format("{} was short: {} bytes", what, answer));
}

}  // namespace mffs
