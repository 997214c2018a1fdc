// ChunkedVector: a sequence that grows at its end without moving what it holds, in large pieces of memory.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace base {

// Thread: one. An element's place never changes. A std::deque takes 512 bytes a piece, and so, of small elements, a
// tenth more memory than they need.
template <class T, std::size_t kChunk = 1024>
class ChunkedVector {
 public:
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return (*chunks_[i / kChunk])[i % kChunk]; }
  const T& operator[](std::size_t i) const { return (*chunks_[i / kChunk])[i % kChunk]; }
  void emplace_back() {
    if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<std::array<T, kChunk>>());
    ++size_;
  }
  // What it takes, without what the allocator adds.
  std::size_t memory_bytes() const { return chunks_.size() * sizeof(std::array<T, kChunk>); }

 private:
  std::vector<std::unique_ptr<std::array<T, kChunk>>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace base
