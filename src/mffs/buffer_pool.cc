#include "mffs/buffer_pool.h"

#include <new>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/check.h"

namespace mffs {

Buffer::Buffer(Buffer&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  Buffer old(std::move(other));
  std::swap(pool_, old.pool_);
  std::swap(data_, old.data_);
  std::swap(capacity_, old.capacity_);
  std::swap(size_, old.size_);
  return *this;
}

Buffer::~Buffer() {
  if (pool_ != nullptr) pool_->GiveBack(data_, capacity_);
}

// The memory of one size. Owns an address range of which only touched pages cost memory.
class BufferPool::SizeClass {
 public:
  SizeClass(std::uint32_t buffer_bytes, const Options& options)
      : buffer_bytes_(buffer_bytes),
        keep_free_bytes_(options.keep_free_bytes),
        range_bytes_(options.budget_bytes / buffer_bytes * buffer_bytes) {
    void* range =
        ::mmap(nullptr, range_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) throw std::bad_alloc();
    range_ = static_cast<char*>(range);
    // A huge page under one small buffer would take 2 MiB for 8 KiB. Advice: it does not matter if the kernel declines.
    ::madvise(range_, range_bytes_, MADV_NOHUGEPAGE);
  }
  ~SizeClass() {
    if (range_ != nullptr) ::munmap(range_, range_bytes_);
  }
  SizeClass(SizeClass&& other) noexcept
      : buffer_bytes_(other.buffer_bytes_),
        keep_free_bytes_(other.keep_free_bytes_),
        range_bytes_(other.range_bytes_),
        range_(std::exchange(other.range_, nullptr)),
        fresh_at_(other.fresh_at_),
        resident_(std::move(other.resident_)),
        returned_(std::move(other.returned_)) {}
  SizeClass& operator=(SizeClass&&) = delete;

  std::uint32_t buffer_bytes() const { return buffer_bytes_; }

  // The caller has checked the budget, so the range cannot be exhausted.
  char* Take() {
    // Warm memory first, then pages that the kernel has to fault in.
    for (std::vector<char*>* list : {&resident_, &returned_}) {
      if (list->empty()) continue;
      char* data = list->back();
      list->pop_back();
      return data;
    }
    CHECK(fresh_at_ < range_bytes_);
    return range_ + std::exchange(fresh_at_, fresh_at_ + buffer_bytes_);
  }

  void GiveBack(char* data) {
    CHECK(data >= range_ && data < range_ + range_bytes_);
    if (resident_.size() * buffer_bytes_ < keep_free_bytes_) {
      resident_.push_back(data);
      return;
    }
    CHECK(::madvise(data, buffer_bytes_, MADV_DONTNEED) == 0);
    returned_.push_back(data);
  }

 private:
  std::uint32_t buffer_bytes_;
  std::uint64_t keep_free_bytes_;
  std::uint64_t range_bytes_;
  char* range_ = nullptr;
  std::uint64_t fresh_at_ = 0;   // Never handed out from here on.
  std::vector<char*> resident_;  // Free, in memory; the warmest last.
  std::vector<char*> returned_;  // Free, their pages given back.
};

// One call of Acquire() that waits. In the list from construction until it is served or destroyed (time-out,
// cancellation).
struct BufferPool::Waiter {
  Waiter(BufferPool* owner, std::uint32_t wanted)
      : pool(owner), bytes(wanted), timer(owner->executor_, owner->options_.wait_max) {
    self = pool->waiters_.insert(pool->waiters_.end(), this);
  }
  ~Waiter() {
    if (served) return;
    pool->waiters_.erase(self);
    // The next may want less than this one did.
    pool->ServeWaiters();
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  BufferPool* pool;
  std::uint32_t bytes;
  async::SteadyTimer timer;
  Waiters::iterator self;
  bool served = false;
  Buffer buffer;
};

BufferPool::BufferPool(async::Executor executor, Options options) : executor_(executor), options_(options) {
  CHECK(options_.budget_bytes >= kLargeBytes);
  for (const std::uint32_t bytes : {kSmallBytes, kMediumBytes, kLargeBytes}) classes_.emplace_back(bytes, options_);
}

BufferPool::~BufferPool() {
  CHECK(used_bytes_ == 0);
  CHECK(waiters_.empty());
}

Buffer BufferPool::TryAcquire(std::uint32_t bytes) {
  if (!waiters_.empty()) return {};
  return Take(ClassFor(bytes));
}

async::Task<base::Result<Buffer>> BufferPool::Acquire(std::uint32_t bytes) {
  Buffer buffer = TryAcquire(bytes);
  if (buffer.data() != nullptr) co_return buffer;
  Waiter waiter(this, bytes);
  // Being served ends the wait as a cancellation of the timer; a cancelled task unwinds at its next co_await.
  const auto [ec] = co_await waiter.timer.async_wait(async::as_result);
  if (!waiter.served && !ec) {
    co_return base::Error(base::Errc::kBusy, fmt::format("no mail buffer was free within {} ms; all {} MiB are in use",
                                                         options_.wait_max.count(), options_.budget_bytes >> 20));
  }
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  CHECK(waiter.served);
  co_return std::move(waiter.buffer);
}

Buffer BufferPool::Take(SizeClass& size_class) {
  const std::uint32_t bytes = size_class.buffer_bytes();
  is_reclaiming_ = true;
  while (options_.budget_bytes - used_bytes_ < bytes && free_one_ && free_one_()) {
  }
  is_reclaiming_ = false;
  if (options_.budget_bytes - used_bytes_ < bytes) return {};
  used_bytes_ += bytes;
  return Buffer(this, size_class.Take(), bytes);
}

void BufferPool::GiveBack(char* data, std::uint32_t capacity) {
  ClassFor(capacity).GiveBack(data);
  CHECK(used_bytes_ >= capacity);
  used_bytes_ -= capacity;
  if (!is_reclaiming_) ServeWaiters();  // What is reclaimed goes to the one it was reclaimed for.
}

void BufferPool::ServeWaiters() {
  while (!waiters_.empty()) {
    Waiter& first = *waiters_.front();
    first.buffer = Take(ClassFor(first.bytes));
    if (first.buffer.data() == nullptr) return;
    first.served = true;
    waiters_.pop_front();
    first.timer.cancel();
  }
}

BufferPool::SizeClass& BufferPool::ClassFor(std::uint32_t bytes) {
  for (SizeClass& size_class : classes_) {
    if (bytes <= size_class.buffer_bytes()) return size_class;
  }
  CHECK(bytes <= kLargeBytes);
  std::unreachable();
}

}  // namespace mffs
