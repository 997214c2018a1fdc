#include "mffs/buffer_pool.h"

#include <cstring>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>
#include <unistd.h>

#include "async/deadline.h"
#include "async/task_group.h"
#include "async/testing.h"
#include "base/check.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1u << 20;

// Memory of this process in bytes.
std::uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

async::Task<void> AcquireInto(BufferPool* pool, std::uint32_t bytes, std::vector<std::uint32_t>* order,
                              std::vector<Buffer>* buffers) {
  auto buffer = co_await pool->Acquire(bytes);
  CHECK(buffer.has_value());
  order->push_back(bytes);
  buffers->push_back(*std::move(buffer));
}

// Keeps every buffer it is given until the pool asks for them.
struct Keeper {
  std::vector<Buffer> kept;
  bool GiveUpOne() {
    if (kept.empty()) return false;
    kept.erase(kept.begin());
    return true;
  }
};

TEST(BufferPool, KeptBuffersMakeRoomForThoseInUse) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = kMiB});
  Keeper keeper;
  pool.SetReclaim([&] { return keeper.GiveUpOne(); });
  for (int i = 0; i < 16; ++i) keeper.kept.push_back(pool.TryAcquire(BufferPool::kMediumBytes));
  EXPECT_EQ(pool.used_bytes(), kMiB);
  // A large one takes the place of four.
  const Buffer large = pool.TryAcquire(BufferPool::kLargeBytes);
  EXPECT_EQ(large.capacity(), BufferPool::kLargeBytes);
  EXPECT_EQ(keeper.kept.size(), 12u);
  EXPECT_EQ(pool.used_bytes(), kMiB);
  std::vector<Buffer> in_use;
  for (int i = 0; i < 12; ++i) in_use.push_back(pool.TryAcquire(BufferPool::kMediumBytes));
  EXPECT_TRUE(keeper.kept.empty());
  EXPECT_EQ(pool.TryAcquire(1).capacity(), 0u);
  pool.SetReclaim(nullptr);
}

TEST(BufferPool, WhatIsReclaimedGoesToTheOneItWasReclaimedFor) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = kMiB});
  Keeper keeper;
  pool.SetReclaim([&] { return keeper.GiveUpOne(); });
  std::vector<Buffer> in_use;
  for (int i = 0; i < 4; ++i) in_use.push_back(pool.TryAcquire(BufferPool::kLargeBytes));
  std::vector<std::uint32_t> order;
  std::vector<Buffer> served;
  async::TaskGroup group(context.get_executor(), "waiters");
  group.Spawn(AcquireInto(&pool, BufferPool::kLargeBytes, &order, &served));
  group.Spawn(AcquireInto(&pool, BufferPool::kSmallBytes, &order, &served));
  context.poll();
  EXPECT_EQ(pool.waiting(), 2u);
  // Two kept small buffers and one in use go: the large waiter has to be served before the small one, and nothing that
  // is reclaimed for the first may be taken by the second.
  in_use.pop_back();
  context.poll();
  EXPECT_EQ(order, (std::vector<std::uint32_t>{BufferPool::kLargeBytes}));
  keeper.kept.push_back(std::move(served.back()));
  served.clear();
  in_use.pop_back();
  context.poll();
  EXPECT_EQ(order, (std::vector<std::uint32_t>{BufferPool::kLargeBytes, BufferPool::kSmallBytes}));
  async::RunTask(context, group.Stop());
  pool.SetReclaim(nullptr);
}

TEST(BufferPool, HandsOutTheClassThatHoldsTheBytesAligned) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {});
  const struct {
    std::uint32_t bytes;
    std::uint32_t capacity;
  } kRows[] = {{0, BufferPool::kSmallBytes},      {8192, BufferPool::kSmallBytes},  {8193, BufferPool::kMediumBytes},
               {65536, BufferPool::kMediumBytes}, {65537, BufferPool::kLargeBytes}, {262144, BufferPool::kLargeBytes}};
  for (const auto& row : kRows) {
    const Buffer buffer = pool.TryAcquire(row.bytes);
    EXPECT_EQ(buffer.capacity(), row.capacity) << row.bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 4096, 0u);
    EXPECT_EQ(pool.used_bytes(), row.capacity);
  }
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(BufferPool, MovingABufferMovesItsMemory) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {});
  Buffer a = pool.TryAcquire(100);
  std::memcpy(a.data(), "mail", 4);
  a.set_size(4);
  Buffer b = std::move(a);
  EXPECT_EQ(b.view(), "mail");
  Buffer c = pool.TryAcquire(100);
  EXPECT_EQ(pool.used_bytes(), 2 * BufferPool::kSmallBytes);
  c = std::move(b);
  EXPECT_EQ(c.view(), "mail");
  EXPECT_EQ(pool.used_bytes(), BufferPool::kSmallBytes);
  c = Buffer();
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(BufferPool, NeverExceedsItsBudgetInAnyMixture) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = kMiB});
  std::vector<Buffer> buffers;
  for (int i = 0; i < 32; ++i) buffers.push_back(pool.TryAcquire(BufferPool::kSmallBytes));
  for (int i = 0; i < 3; ++i) buffers.push_back(pool.TryAcquire(BufferPool::kLargeBytes));
  EXPECT_EQ(pool.used_bytes(), kMiB);
  EXPECT_EQ(pool.TryAcquire(1).data(), nullptr);
  // Every second small one goes: a large one still fits once a quarter of a MiB is free, wherever it is.
  std::erase_if(buffers, [](const Buffer& buffer) { return buffer.capacity() == BufferPool::kSmallBytes; });
  EXPECT_NE(pool.TryAcquire(BufferPool::kLargeBytes).data(), nullptr);
}

TEST(BufferPool, ServesWaitersInTheOrderOfTheirCalls) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = BufferPool::kLargeBytes, .wait_max = 1h});
  async::TaskGroup group(context.get_executor(), "test");
  std::optional<Buffer> all = pool.TryAcquire(BufferPool::kLargeBytes);
  std::vector<std::uint32_t> order;
  std::vector<Buffer> buffers;
  for (const std::uint32_t bytes : {60'000u, 100u, 200u}) group.Spawn(AcquireInto(&pool, bytes, &order, &buffers));
  while (pool.waiting() < 3) context.run_one();
  all.reset();
  // Nobody overtakes those who were served but have not run yet.
  EXPECT_EQ(pool.used_bytes(), BufferPool::kMediumBytes + 2 * BufferPool::kSmallBytes);
  async::RunTask(context, group.Join());
  EXPECT_EQ(order, (std::vector<std::uint32_t>{60'000, 100, 200}));
}

TEST(BufferPool, ALargeRequestIsNotOvertakenBySmallOnes) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = BufferPool::kLargeBytes, .wait_max = 1h});
  async::TaskGroup group(context.get_executor(), "test");
  std::optional<Buffer> one = pool.TryAcquire(1);
  std::vector<std::uint32_t> order;
  std::vector<Buffer> buffers;
  group.Spawn(AcquireInto(&pool, BufferPool::kLargeBytes, &order, &buffers));
  while (pool.waiting() < 1) context.run_one();
  EXPECT_EQ(pool.TryAcquire(1).data(), nullptr);
  one.reset();
  async::RunTask(context, group.Join());
  EXPECT_EQ(buffers.at(0).capacity(), BufferPool::kLargeBytes);
}

TEST(BufferPool, AnswersBusyWhenNothingIsFreedInTime) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = BufferPool::kLargeBytes, .wait_max = 5ms});
  const Buffer all = pool.TryAcquire(BufferPool::kLargeBytes);
  const auto result = async::RunTask(context, pool.Acquire(1));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), base::Errc::kBusy);
  EXPECT_EQ(pool.waiting(), 0u);
}

TEST(BufferPool, ACancelledWaitLeavesTheQueue) {
  asio::io_context context;
  BufferPool pool(context.get_executor(), {.budget_bytes = BufferPool::kLargeBytes, .wait_max = 1h});
  std::optional<Buffer> all = pool.TryAcquire(BufferPool::kLargeBytes);
  async::TaskGroup group(context.get_executor(), "test");
  std::vector<std::uint32_t> order;
  std::vector<Buffer> buffers;
  group.Spawn(AcquireInto(&pool, 1, &order, &buffers));
  group.Spawn(AcquireInto(&pool, 2, &order, &buffers));
  while (pool.waiting() < 2) context.run_one();
  async::RunTask(context, group.Stop());
  EXPECT_EQ(pool.waiting(), 0u);
  all.reset();
  EXPECT_EQ(pool.used_bytes(), 0u);
  EXPECT_TRUE(buffers.empty());
}

TEST(BufferPool, TakesMemoryWhenItIsTouchedAndReturnsItWhenIdle) {
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer's shadow of the memory stays resident";
#endif
  asio::io_context context;
  const std::uint64_t at_start = ResidentBytes();
  BufferPool pool(context.get_executor(), {.budget_bytes = 128 * kMiB, .keep_free_bytes = 4 * kMiB});
  EXPECT_LT(ResidentBytes(), at_start + 8 * kMiB);
  for (const std::uint32_t bytes : {BufferPool::kSmallBytes, BufferPool::kMediumBytes, BufferPool::kLargeBytes}) {
    std::vector<Buffer> buffers;
    for (;;) {
      Buffer buffer = pool.TryAcquire(bytes);
      if (buffer.data() == nullptr) break;
      std::memset(buffer.data(), 1, buffer.capacity());
      buffers.push_back(std::move(buffer));
    }
    EXPECT_GT(ResidentBytes(), at_start + 120 * kMiB);
    buffers.clear();
    EXPECT_LT(ResidentBytes(), at_start + 32 * kMiB) << bytes;
  }
}

}  // namespace
}  // namespace mffs
