#include "mffs/io_pages.h"

#include <cstdlib>

#include "mffs/block_device.h"

#if __has_feature(address_sanitizer)
#include <array>
#include <bit>
#include <vector>

#include <sanitizer/asan_interface.h>
#endif

namespace mffs {

#if __has_feature(address_sanitizer)

namespace {

// Sizes are powers of two from the first on; smaller pieces the sanitizer keeps itself.
constexpr std::size_t kKeptBytesMin = 64u << 10;
constexpr std::size_t kKeptBytesMax = 2u << 20;
constexpr std::size_t kKeptPerSize = 4;
constexpr std::size_t kSizes = std::countr_zero(kKeptBytesMax / kKeptBytesMin) + 1;

bool IsKept(std::size_t bytes) {
  return bytes >= kKeptBytesMin && bytes <= kKeptBytesMax;
}

// Pieces that were given back. Thread: the one that has it.
class KeptPages {
 public:
  KeptPages() = default;
  KeptPages(const KeptPages&) = delete;
  KeptPages& operator=(const KeptPages&) = delete;
  ~KeptPages() {
    for (std::size_t size = 0; size < kSizes; ++size) {
      for (std::byte* pages : kept_[size]) Free(pages, kKeptBytesMin << size);
    }
  }

  std::byte* Take(std::size_t bytes) {
    const std::size_t capacity = std::bit_ceil(bytes);
    std::vector<std::byte*>& kept = kept_[std::countr_zero(capacity / kKeptBytesMin)];
    std::byte* pages = nullptr;
    if (kept.empty()) {
      pages = static_cast<std::byte*>(std::aligned_alloc(kSectorBytes, capacity));
      if (pages == nullptr) return nullptr;
    } else {
      pages = kept.back();
      kept.pop_back();
    }
    ASAN_UNPOISON_MEMORY_REGION(pages, bytes);
    ASAN_POISON_MEMORY_REGION(pages + bytes, capacity - bytes);
    return pages;
  }
  void GiveBack(std::byte* pages, std::size_t bytes) {
    const std::size_t capacity = std::bit_ceil(bytes);
    std::vector<std::byte*>& kept = kept_[std::countr_zero(capacity / kKeptBytesMin)];
    if (kept.size() >= kKeptPerSize) return Free(pages, capacity);
    ASAN_POISON_MEMORY_REGION(pages, capacity);
    kept.push_back(pages);
  }

 private:
  static void Free(std::byte* pages, std::size_t capacity) {
    ASAN_UNPOISON_MEMORY_REGION(pages, capacity);
    std::free(pages);
  }

  std::array<std::vector<std::byte*>, kSizes> kept_;
};

KeptPages& Kept() {
  thread_local KeptPages kept;
  return kept;
}

}  // namespace

std::byte* TakePages(std::size_t bytes) {
  return IsKept(bytes) ? Kept().Take(bytes) : static_cast<std::byte*>(std::aligned_alloc(kSectorBytes, bytes));
}

void GiveBackPages(std::byte* pages, std::size_t bytes) {
  if (pages != nullptr && IsKept(bytes)) return Kept().GiveBack(pages, bytes);
  std::free(pages);
}

#else

std::byte* TakePages(std::size_t bytes) {
  return static_cast<std::byte*>(std::aligned_alloc(kSectorBytes, bytes));
}

void GiveBackPages(std::byte* pages, std::size_t) {
  std::free(pages);
}

#endif

}  // namespace mffs
