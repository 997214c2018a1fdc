#include "replog/body_cache.h"

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "replog/log_rig.h"

namespace replog {
namespace {

constexpr PartitionId kQueue0{kFirstQueuePartition};
constexpr std::uint32_t kSmall = mffs::BufferPool::kSmallBytes;

mffs::Location PlaceOf(std::uint32_t n) {
  return {.segment = 1, .generation = 1, .offset = n * 4096, .size = 3000, .ordinal = n};
}

class BodyCacheTest : public ::testing::Test {
 protected:
  void Put(std::uint32_t n, mffs::Stream stream) { cache_.PutCopy(PlaceOf(n), stream, "mail " + std::to_string(n)); }
  std::string Known() const {
    std::string numbers;
    for (std::uint32_t n = 0; n < 20; ++n) {
      if (cache_.Contains(PlaceOf(n))) numbers += std::to_string(n) + " ";
    }
    return numbers;
  }

  asio::io_context context_;
  mffs::BufferPool pool_{context_.get_executor(), {.budget_bytes = 256u << 10}};
  BodyCache cache_{&pool_, std::uint64_t{4} * kSmall};
};

TEST_F(BodyCacheTest, KeepsWhatIsPutUntilItIsDropped) {
  Put(1, mffs::Stream::kTransit);
  EXPECT_EQ(cache_.Find(PlaceOf(1)), "mail 1");
  EXPECT_FALSE(cache_.Find(PlaceOf(2)).has_value());
  // Another generation of the segment is another place.
  mffs::Location later = PlaceOf(1);
  later.generation = 2;
  EXPECT_FALSE(cache_.Find(later).has_value());
  cache_.Drop(PlaceOf(1));
  cache_.Drop(PlaceOf(1));
  EXPECT_EQ(Known(), "");
  EXPECT_EQ(cache_.bytes(), 0u);
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

TEST_F(BodyCacheTest, TheOldestOfTheLowestClassGoesFirst) {
  Put(1, mffs::Stream::kTransit);
  Put(2, mffs::Stream::kParked);
  Put(3, mffs::Stream::kParked);
  Put(4, mffs::Stream::kTransit);
  const char* const kAfterEachPut[] = {"1 3 4 5 ", "1 4 5 6 ", "4 5 6 7 ", "5 6 7 8 "};
  for (std::uint32_t n = 5; n <= 8; ++n) {
    Put(n, mffs::Stream::kTransit);
    EXPECT_EQ(Known(), kAfterEachPut[n - 5]);
    EXPECT_EQ(cache_.bytes(), 4 * kSmall);
  }
}

TEST_F(BodyCacheTest, MailInFlightGetsTheMemory) {
  for (std::uint32_t n = 1; n <= 4; ++n) Put(n, mffs::Stream::kTransit);
  const mffs::Buffer large = pool_.TryAcquire(mffs::BufferPool::kLargeBytes);
  EXPECT_EQ(large.capacity(), mffs::BufferPool::kLargeBytes);
  EXPECT_EQ(Known(), "");
  Put(5, mffs::Stream::kTransit);
  EXPECT_EQ(Known(), "") << "there is no memory to keep it in";
}

async::Task<void> AcquireOne(mffs::BufferPool* pool, std::uint32_t bytes, bool* served) {
  const auto buffer = co_await pool->Acquire(bytes);
  *served = buffer.has_value();
}

TEST_F(BodyCacheTest, WhatIsWaitedForIsNotKept) {
  mffs::Buffer mine = pool_.TryAcquire(mffs::BufferPool::kLargeBytes);
  bool served = false;
  async::TaskGroup waiters(context_.get_executor(), "waiters");
  waiters.Spawn(AcquireOne(&pool_, mffs::BufferPool::kLargeBytes, &served));
  context_.poll();
  ASSERT_EQ(pool_.waiting(), 1u);
  BodyCache roomy(&pool_, 1u << 20);
  roomy.Put(PlaceOf(1), mffs::Stream::kTransit, std::move(mine));
  EXPECT_FALSE(roomy.Contains(PlaceOf(1)));
  context_.poll();
  EXPECT_TRUE(served);
  async::RunTask(context_, waiters.Stop());
}

// ---- In the log ----

async::Task<void> ReadInto(LogRig* rig, BodyRef body, std::string* mail) {
  const auto read = co_await rig->log->ReadBody(std::move(body), 0, kSmall, Prefetch::kNeighbours);
  if (read.has_value()) *mail = *read;
}

class LogBodyCache : public ::testing::Test {
 protected:
  static constexpr int kMails = 40;

  void Start(std::uint64_t cache_bytes_max) {
    RigOptions options;
    options.log.body_cache_bytes_max = cache_bytes_max;
    rig_ = std::make_unique<LogRig>(options, &coordinator_);
    ASSERT_TRUE(rig_->Open().has_value());
    for (int n = 0; n < kMails; ++n) {
      const auto put = rig_->Put(kQueue0, "m", TextOf(n), mffs::Stream::kTransit);
      ASSERT_TRUE(put.has_value());
      indexes_.push_back(put->index);
    }
  }
  // A new process on the same disk: nothing is in memory.
  void Restart() {
    ASSERT_TRUE(rig_->Close().has_value());
    auto image = rig_->device.Snapshot();
    const RigOptions options = rig_->options;
    rig_ = std::make_unique<LogRig>(options, &coordinator_, std::move(image));
    ASSERT_TRUE(rig_->Open().has_value());
  }
  static std::string TextOf(int n) { return PatternText(static_cast<std::uint64_t>(n), 3000); }
  BodyRef BodyOf(int n) {
    return rig_->machine->partitions[kQueue0].kept.at(indexes_[static_cast<std::size_t>(n)]).body;
  }
  // Where these bytes lie on the device.
  std::uint64_t OnDisk(std::string_view text) {
    std::string disk(rig_->device.size_bytes(), '\0');
    rig_->device.Snapshot().Read(0, std::as_writable_bytes(std::span(disk)));
    const std::size_t at = disk.find(text);
    CHECK(at != std::string::npos);
    return at;
  }
  // The device's reads that it took to read these mails, all at once.
  std::uint64_t ReadAll(int begin, int end) {
    const std::uint64_t before = rig_->device.counters().reads;
    std::vector<std::string> mails(static_cast<std::size_t>(end - begin));
    async::TaskGroup readers(rig_->context.get_executor(), "readers");
    for (int n = begin; n < end; ++n) {
      readers.Spawn(ReadInto(rig_.get(), BodyOf(n), &mails[static_cast<std::size_t>(n - begin)]));
    }
    rig_->Run(readers.Join());
    rig_->Run(readers.Stop());
    for (int n = begin; n < end; ++n) EXPECT_EQ(mails[static_cast<std::size_t>(n - begin)], TextOf(n)) << n;
    return rig_->device.counters().reads - before;
  }

  MapCoordinator coordinator_;
  std::unique_ptr<LogRig> rig_;
  std::vector<Index> indexes_;
};

TEST_F(LogBodyCache, MailJustWrittenIsReadFromMemory) {
  Start(1u << 20);
  EXPECT_EQ(ReadAll(0, kMails), 0u);
  EXPECT_EQ(rig_->log->Status().bodies_from_memory, static_cast<std::uint64_t>(kMails));
}

TEST_F(LogBodyCache, OneReadBringsTheNeighbours) {
  Start(1u << 20);
  Restart();
  // 40 mails of 3000 bytes, each in a block of two sectors: 320 KiB, two reads.
  ReadAll(0, kMails);
  EXPECT_EQ(rig_->log->Status().bodies_from_disk, 2u);
  EXPECT_EQ(rig_->log->Status().bodies_from_memory, std::uint64_t{kMails} - 2);
}

TEST_F(LogBodyCache, WithoutMemoryEachMailIsReadFromTheDisk) {
  Start(0);
  EXPECT_GE(ReadAll(0, kMails), static_cast<std::uint64_t>(kMails));
  EXPECT_EQ(rig_->log->Status().bodies_from_memory, 0u);
}

TEST_F(LogBodyCache, ReleasedMailLeavesTheMemoryAndIsNotFetchedAgain) {
  Start(1u << 20);
  const std::uint64_t full = rig_->log->Status().body_cache_bytes;
  EXPECT_EQ(full, std::uint64_t{kMails} * kSmall);
  for (int n = 10; n < kMails; ++n) {
    ASSERT_TRUE(rig_->Remove(kQueue0, indexes_[static_cast<std::size_t>(n)]).has_value());
  }
  EXPECT_EQ(rig_->log->Status().body_cache_bytes, std::uint64_t{10} * kSmall);
  Restart();
  ReadAll(0, 1);
  // The first itself is not kept: it was handed out.
  EXPECT_EQ(rig_->log->Status().body_cache_bytes, std::uint64_t{9} * kSmall);
}

TEST_F(LogBodyCache, ADamagedNeighbourHarmsOnlyItself) {
  Start(1u << 20);
  Restart();
  rig_->device.FlipBit(OnDisk(TextOf(5)), 3);
  EXPECT_GT(ReadAll(0, 5) + ReadAll(6, kMails), 0u);
  const auto read = rig_->Run(rig_->log->ReadBody(BodyOf(5), 0, kSmall, Prefetch::kNeighbours));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), base::Errc::kCorrupt);
}

}  // namespace
}  // namespace replog
