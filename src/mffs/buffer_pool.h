// BufferPool: the one budget of mail-sized memory. Aligned pieces; when the budget is used up, callers wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"

namespace mffs {

class BufferPool;

// A piece of the pool's memory, page-aligned, given back by the destructor. Movable. A default Buffer has no memory.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  char* data() { return data_; }
  const char* data() const { return data_; }
  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t size() const { return size_; }
  void set_size(std::uint32_t size) { size_ = size; }
  std::string_view view() const { return {data_, size_}; }

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, char* data, std::uint32_t capacity) : pool_(pool), data_(data), capacity_(capacity) {}
  BufferPool* pool_ = nullptr;
  char* data_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;
};

// Thread: one shard; buffers are given back there. Outlives its buffers and the tasks that wait in Acquire().
// Size classes 8 KiB, 64 KiB and 256 KiB: a small mail fits the first, parts of a large one fill the last.
// Each class has its own address range as large as the budget, so that no mixture of sizes can fragment it; memory is
// taken from the kernel when it is first touched, and given back when more than `keep_free_bytes` of a class lie idle.
class BufferPool {
 public:
  struct Options {
    std::uint64_t budget_bytes = 256u << 20;     // At least kLargeBytes.
    std::chrono::milliseconds wait_max{10'000};  // Then kBusy: the client is told 451.
    std::uint64_t keep_free_bytes = 8u << 20;    // Of each size class; above it a freed buffer's memory goes back.
  };
  BufferPool(async::Executor executor, Options options);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  static constexpr std::uint32_t kSmallBytes = 8u << 10;
  static constexpr std::uint32_t kMediumBytes = 64u << 10;
  static constexpr std::uint32_t kLargeBytes = 256u << 10;

  // A buffer of the class that holds `bytes` (at most kLargeBytes), or one without memory when the budget is used up or
  // somebody waits already.
  Buffer TryAcquire(std::uint32_t bytes);
  // Waits for room, in the order of the calls. Errors: kBusy after wait_max.
  async::Task<base::Result<Buffer>> Acquire(std::uint32_t bytes);

  // `free_one` is asked, when the budget is used up, to give back a buffer that is only kept because it may be of use;
  // false: there is none. Null: nobody keeps any.
  void SetReclaim(std::function<bool()> free_one) { free_one_ = std::move(free_one); }

  // Counts whole buffers, not the bytes in them.
  std::uint64_t used_bytes() const { return used_bytes_; }
  std::uint64_t budget_bytes() const { return options_.budget_bytes; }
  std::size_t waiting() const { return waiters_.size(); }

 private:
  friend class Buffer;
  class SizeClass;
  struct Waiter;
  using Waiters = std::list<Waiter*>;  // Each lives in the frame of its Acquire().

  Buffer Take(SizeClass& size_class);
  void GiveBack(char* data, std::uint32_t capacity);
  void ServeWaiters();
  SizeClass& ClassFor(std::uint32_t bytes);

  async::Executor executor_;
  Options options_;
  std::vector<SizeClass> classes_;  // By size.
  Waiters waiters_;
  std::function<bool()> free_one_;
  bool is_reclaiming_ = false;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace mffs
