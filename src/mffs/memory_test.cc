// What docs/benchmarks.md states of the memory of a segment and of an open volume.
#include <gtest/gtest.h>
#include <malloc.h>

#include "async/testing.h"
#include "base/clock.h"
#include "mffs/block_builder.h"
#include "mffs/segment_table.h"
#include "mffs/sim_device.h"
#include "mffs/volume.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POSTHORN_OTHER_ALLOCATOR 1
#endif
#endif

namespace mffs {
namespace {

// The bytes that the allocator has given out.
std::uint64_t AllocatedBytes() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Notes what a volume registers, which is not the allocator's.
class NotingDevice final : public BlockDevice {
 public:
  explicit NotingDevice(BlockDevice* device) : device_(device) {}
  std::uint64_t size_bytes() const override { return device_->size_bytes(); }
  const std::string& name() const override { return device_->name(); }
  void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) override {
    device_->Write(offset, data, sync, std::move(done));
  }
  void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) override {
    device_->Read(offset, into, std::move(done));
  }
  void Flush(IoDone done) override { device_->Flush(std::move(done)); }
  void Submit() override { device_->Submit(); }
  void RegisterBuffers(base::MutableByteSpan memory) override {
    registered_bytes_ += memory.size();
    device_->RegisterBuffers(memory);
  }
  std::uint64_t registered_bytes() const { return registered_bytes_; }

 private:
  BlockDevice* device_;
  std::uint64_t registered_bytes_ = 0;
};

class Memory : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef POSTHORN_OTHER_ALLOCATOR
    GTEST_SKIP() << "mallinfo tells nothing of a sanitizer's allocator";
#endif
  }
};

// 256 of 64 MiB: a volume of 16 GiB.
TEST_F(Memory, ASegmentTakes72BytesAndABitARecordWhileSomeAreLive) {
  constexpr std::uint32_t kSegments = 256;
  constexpr std::uint32_t kRecords = 16'384;  // Of 4 KiB.
  static_assert(sizeof(Segment) == 72);
  const std::uint64_t before = AllocatedBytes();
  SegmentTable table(Geometry{.segment_bytes = 64u << 20, .segment_count = kSegments});
  for (std::uint32_t i = 0; i < kSegments; ++i) {
    const auto taken = table.Take(Stream::kTransit, Lsn(i + 1), 0);
    ASSERT_TRUE(taken.has_value());
    table.BlockDurable(*taken, Lsn(i + 1), 2, kRecords, kRecords * 64);
    table.Seal(*taken);
  }
  const std::uint64_t uniform = AllocatedBytes() - before;
  EXPECT_LE(uniform, std::uint64_t{kSegments} * 72 + 256);
  for (std::uint32_t i = 0; i < kSegments; ++i) {
    ASSERT_TRUE(table.Release({.segment = i, .generation = 1, .offset = 4096, .size = 64, .ordinal = 7}));
  }
  const std::uint64_t mixed = AllocatedBytes() - before;
  constexpr std::uint64_t kMapBytes = kRecords / 8 + 32;
  EXPECT_LE(mixed, uniform + kSegments * kMapBytes);
  EXPECT_LE(mixed, 600'000u);
  EXPECT_GT(mixed, uniform);
}

TEST_F(Memory, AnOpenVolumeTakesItsBlockBuffers) {
  asio::io_context context{1};
  const base::SimClock clock;
  SimDevice disk(context.get_executor(), SimImage(22u << 20));
  NotingDevice device(&disk);
  ASSERT_TRUE(async::RunTask(context, Volume::Format(&device, {.segment_bytes = 1u << 20})).has_value());
  const std::uint64_t before = AllocatedBytes();
  auto volume = async::RunTask(context, Volume::Open(&device, &clock, {}));
  ASSERT_TRUE(volume.has_value()) << volume.error().message();
  EXPECT_LE(AllocatedBytes() - before, 64u << 10);
  EXPECT_EQ(device.registered_bytes(), 19 * BlockBuilder::kMemoryBytes);
  ASSERT_TRUE(async::RunTask(context, (*volume)->Close()).has_value());
}

}  // namespace
}  // namespace mffs
