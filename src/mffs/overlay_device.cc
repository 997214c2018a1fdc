#include "mffs/overlay_device.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace mffs {

void OverlayDevice::Write(std::uint64_t offset, base::ByteSpan data, Sync, IoDone done) {
  CHECK(offset % kSectorBytes == 0 && data.size() % kSectorBytes == 0);
  writes_.push_back({.offset = offset, .bytes = {data.begin(), data.end()}});
  for (std::size_t at = 0; at < data.size(); at += kSectorBytes) {
    const base::ByteSpan sector = data.subspan(at, kSectorBytes);
    sectors_[offset + at].assign(sector.begin(), sector.end());
  }
  asio::post(executor_, [done = std::move(done)]() mutable { done({}); });
}

void OverlayDevice::Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) {
  const auto first = sectors_.lower_bound(offset);
  const auto end = sectors_.lower_bound(offset + into.size());
  const auto covered = static_cast<std::size_t>(std::distance(first, end)) * kSectorBytes;
  if (covered == into.size()) {
    // Also where the device below cannot be read.
    Patch(offset, into);
    asio::post(executor_, [done = std::move(done)]() mutable { done({}); });
    return;
  }
  below_->Read(offset, into, [this, offset, into, done = std::move(done)](base::Result<> result) mutable {
    if (result.has_value()) Patch(offset, into);
    done(std::move(result));
  });
}

void OverlayDevice::Flush(IoDone done) {
  asio::post(executor_, [done = std::move(done)]() mutable { done({}); });
}

void OverlayDevice::Patch(std::uint64_t offset, base::MutableByteSpan into) const {
  for (auto at = sectors_.lower_bound(offset); at != sectors_.end() && at->first < offset + into.size(); ++at) {
    std::ranges::copy(at->second, into.begin() + static_cast<std::ptrdiff_t>(at->first - offset));
  }
}

async::Task<base::Result<>> ApplyWrites(const OverlayDevice* overlay, BlockDevice* device, IoDeadline deadline) {
  for (const OverlayDevice::Written& write : overlay->writes()) {
    IoMemory memory(write.bytes.size());
    std::ranges::copy(write.bytes, memory.data());
    CO_RETURN_IF_ERROR(co_await WriteDurably(device, write.offset, std::move(memory), deadline));
  }
  co_return co_await FlushDevice(device, deadline);
}

}  // namespace mffs
