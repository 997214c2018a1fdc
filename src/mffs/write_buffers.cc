#include "mffs/write_buffers.h"

#include <memory>

#include <sys/mman.h>

#include "base/check.h"

namespace mffs {
namespace {

// In huge pages where the kernel has some: each mail is copied to another place, and the device is told of each page.
std::shared_ptr<void> MapMemory(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const std::size_t reserved = AlignUp(bytes, kHugePage) + kHugePage;
  void* mapped = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(mapped != MAP_FAILED);
  const std::shared_ptr<void> mapping(mapped, [reserved](void* m) { munmap(m, reserved); });
  void* memory = mapped;
  std::size_t space = reserved;
  CHECK(std::align(kHugePage, AlignUp(bytes, kHugePage), memory, space) != nullptr);
  madvise(memory, AlignUp(bytes, kHugePage), MADV_HUGEPAGE);  // Advice: it does not matter if the kernel declines.
  return {mapping, memory};
}

WriteBuffers::Ref MakeBuffer(const std::shared_ptr<void>& memory, std::size_t offset, std::uint32_t volume_seed) {
  const base::MutableByteSpan span(static_cast<std::byte*>(memory.get()) + offset, BlockBuilder::kMemoryBytes);
  return std::make_shared<WriteBuffers::Buffer>(BlockBuilder(span, volume_seed), memory);
}

}  // namespace

WriteBuffers::WriteBuffers(BlockDevice* device, std::size_t count, std::uint32_t volume_seed)
    : volume_seed_(volume_seed) {
  const std::size_t bytes = count * BlockBuilder::kMemoryBytes;
  const auto memory = MapMemory(bytes);
  device->RegisterBuffers({static_cast<std::byte*>(memory.get()), bytes});
  for (std::size_t i = count; i > 0; --i) {
    free_.push_back(MakeBuffer(memory, (i - 1) * BlockBuilder::kMemoryBytes, volume_seed));
  }
}

WriteBuffers::Ref WriteBuffers::Take() {
  if (free_.empty()) return MakeBuffer(MapMemory(BlockBuilder::kMemoryBytes), 0, volume_seed_);
  Ref buffer = std::move(free_.back());
  free_.pop_back();
  buffer->builder.Clear();
  return buffer;
}

void WriteBuffers::GiveBack(Ref buffer) {
  free_.push_back(std::move(buffer));
}

}  // namespace mffs
