#include "mffs/sim_device.h"

#include <cstring>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/testing.h"

namespace mffs {
namespace {

constexpr std::uint64_t kSize = 64 * kSectorBytes;

// A disk, its executor, and sectors filled with one letter.
class SimDeviceTest : public testing::Test {
 protected:
  struct alignas(kSectorBytes) Sectors {
    std::array<std::byte, 4 * kSectorBytes> bytes;
  };

  // The buffer lives as long as the test.
  base::ByteSpan Filled(char letter, std::size_t sectors = 1) {
    auto& memory = buffers_.emplace_back(std::make_unique<Sectors>());
    std::memset(memory->bytes.data(), letter, memory->bytes.size());
    return base::ByteSpan(memory->bytes).first(sectors * kSectorBytes);
  }

  void Start(std::uint64_t sector, char letter, Sync sync, std::size_t sectors = 1) {
    const std::size_t index = outcomes_.size();
    outcomes_.emplace_back();
    device_.Write(sector * kSectorBytes, Filled(letter, sectors), sync, [this, index](base::Result<> result) {
      outcomes_[index] = result ? "ok" : result.error().message();
    });
    device_.Submit();
  }
  void StartFlush() {
    const std::size_t index = outcomes_.size();
    outcomes_.emplace_back();
    device_.Flush(
        [this, index](base::Result<> result) { outcomes_[index] = result ? "ok" : result.error().message(); });
    device_.Submit();
  }
  void Run() {
    context_.restart();
    context_.run();
  }
  // The letter that a sector holds in each of its units.
  static std::string Units(const SimImage& image, std::uint64_t sector) {
    std::array<std::byte, kSectorBytes> bytes;
    image.Read(sector * kSectorBytes, bytes);
    std::string units;
    for (std::size_t at = 0; at < kSectorBytes; at += 512) {
      units.push_back(bytes[at] == std::byte{0} ? '.' : static_cast<char>(bytes[at]));
    }
    return units;
  }
  std::string Read(std::uint64_t sector) { return Units(device_.Snapshot(), sector); }

  asio::io_context context_;
  SimDevice device_{context_.get_executor(), kSize};
  std::vector<std::unique_ptr<Sectors>> buffers_;
  std::vector<std::string> outcomes_;
};

TEST_F(SimDeviceTest, NothingHappensBeforeSubmit) {
  bool done = false;
  device_.Write(0, Filled('a'), Sync::kYes, [&](base::Result<>) { done = true; });
  Run();
  EXPECT_FALSE(done);
  device_.Submit();
  EXPECT_FALSE(done);
  Run();
  EXPECT_TRUE(done);
}

TEST_F(SimDeviceTest, ASyncedWriteSurvivesWhateverHappensToTheOthers) {
  Start(0, 'a', Sync::kNo);
  Start(1, 'b', Sync::kYes);
  Start(2, 'c', Sync::kNo);
  Run();
  device_.CutPowerNow();
  ASSERT_EQ(device_.UnflushedWrites(), 2u);
  const SimImage lost = device_.ImageAfter({}, 0);
  EXPECT_EQ(Units(lost, 0), "........");
  EXPECT_EQ(Units(lost, 1), "bbbbbbbb");
  EXPECT_EQ(Units(lost, 2), "........");
}

TEST_F(SimDeviceTest, FatesKeepLoseAndTearAt512Bytes) {
  const struct {
    WriteFate fate;
    std::string units;
  } kRows[] = {{WriteFate::kLost, "........"},
               {WriteFate::kKept, "aaaaaaaa"},
               {WriteFate::kTornHead, "aaaaa..."},
               {WriteFate::kTornTail, ".....aaa"}};
  Start(3, 'a', Sync::kNo);
  Run();
  device_.CutPowerNow();
  for (const auto& row : kRows) EXPECT_EQ(Units(device_.ImageAfter({{row.fate}}, 1), 3), row.units);
  std::set<std::string> mixed;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    mixed.insert(Units(device_.ImageAfter({{WriteFate::kTornMixed}}, seed), 3));
  }
  EXPECT_GT(mixed.size(), 10u);
}

TEST_F(SimDeviceTest, FatesCountUpThroughAllCombinations) {
  std::vector<WriteFate> fates(3);
  int count = 1;
  while (NextFates(fates)) ++count;
  EXPECT_EQ(count, kWriteFateCount * kWriteFateCount * kWriteFateCount);
  EXPECT_EQ(fates, std::vector<WriteFate>(3));
}

TEST_F(SimDeviceTest, AFlushCoversOnlyWhatHadCompletedBefore) {
  Start(0, 'a', Sync::kNo);
  Run();
  Start(1, 'b', Sync::kNo);
  StartFlush();  // Begins while the second write is still in flight.
  Start(2, 'c', Sync::kNo);
  Run();
  device_.CutPowerNow();
  EXPECT_EQ(device_.UnflushedWrites(), 2u);
  EXPECT_EQ(Units(device_.ImageAfter({}, 0), 0), "aaaaaaaa");
}

TEST_F(SimDeviceTest, TheCutLeavesTheOperationAtItsTurnAndAllInFlightUndecided) {
  device_.CutPowerAfter(1);
  Start(0, 'a', Sync::kYes);
  Start(1, 'b', Sync::kYes);
  Start(2, 'c', Sync::kYes);
  Run();
  EXPECT_TRUE(device_.PowerWasCut());
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"ok", "", ""}));
  EXPECT_EQ(device_.UnflushedWrites(), 2u);
  Start(3, 'd', Sync::kYes);
  Run();
  EXPECT_EQ(outcomes_[3], "");
  EXPECT_EQ(device_.UnflushedWrites(), 2u);
  device_.RestartWith({{WriteFate::kLost, WriteFate::kKept}}, 0);
  EXPECT_EQ(Read(0), "aaaaaaaa");
  EXPECT_EQ(Read(1), "........");
  EXPECT_EQ(Read(2), "cccccccc");
  Start(3, 'd', Sync::kYes);
  Run();
  EXPECT_EQ(outcomes_[4], "ok");
}

TEST_F(SimDeviceTest, WhatWasCutCanBeMadeToFailWithoutTouchingTheDisk) {
  Start(0, 'a', Sync::kYes);
  device_.CutPowerNow();
  const SimImage before = device_.ImageAfter({}, 0);
  device_.FailWhatWasCut();
  Start(1, 'b', Sync::kYes);
  Run();
  EXPECT_THAT(outcomes_[0], testing::HasSubstr("power is off"));
  EXPECT_THAT(outcomes_[1], testing::HasSubstr("power is off"));
  EXPECT_EQ(device_.ImageAfter({}, 0), before);
}

TEST_F(SimDeviceTest, AFailedFlushIsNotHealedByALaterOne) {
  device_.Plant({.on = SimOperation::kFlush});
  Start(0, 'a', Sync::kNo);
  Run();
  StartFlush();
  Run();
  EXPECT_THAT(outcomes_[1], testing::HasSubstr("flush failed"));
  StartFlush();
  Run();
  EXPECT_EQ(outcomes_[2], "ok");
  device_.CutPowerNow();
  EXPECT_EQ(device_.UnflushedWrites(), 1u);
}

TEST_F(SimDeviceTest, FailsTheNthWriteInARange) {
  device_.Plant({.skip = 1, .times = 1, .from = 2 * kSectorBytes, .to = 3 * kSectorBytes});
  Start(1, 'a', Sync::kYes);
  Start(2, 'b', Sync::kYes);
  Start(2, 'c', Sync::kYes);
  Start(2, 'd', Sync::kYes);
  Run();
  EXPECT_EQ(outcomes_[0], "ok");
  EXPECT_EQ(outcomes_[1], "ok");
  EXPECT_THAT(outcomes_[2], testing::HasSubstr("write failed"));
  EXPECT_EQ(outcomes_[3], "ok");
}

TEST_F(SimDeviceTest, AShortWriteLeavesItsHead) {
  device_.Plant({.kind = PlantedFault::Kind::kShort});
  Start(0, 'a', Sync::kYes);
  Run();
  EXPECT_THAT(outcomes_[0], testing::HasSubstr("short write"));
  EXPECT_EQ(Read(0), "aaaaa...");
}

TEST_F(SimDeviceTest, LostAndMisdirectedWritesClaimSuccess) {
  device_.Plant({.kind = PlantedFault::Kind::kLose});
  Start(0, 'a', Sync::kYes);
  Run();
  EXPECT_EQ(Read(0), "........");
  device_.Plant({.kind = PlantedFault::Kind::kMisdirect, .shift_bytes = 5 * kSectorBytes});
  Start(1, 'b', Sync::kYes);
  Run();
  EXPECT_EQ(Read(1), "........");
  EXPECT_EQ(Read(6), "bbbbbbbb");
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"ok", "ok"}));
}

TEST_F(SimDeviceTest, AHangEndsOnlyWithUnhang) {
  device_.Plant({.kind = PlantedFault::Kind::kHang});
  Start(0, 'a', Sync::kYes);
  Start(1, 'b', Sync::kYes);
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"", "ok"}));
  EXPECT_EQ(device_.hanging(), 1u);
  device_.Unhang();
  Run();
  EXPECT_EQ(outcomes_[0], "ok");
}

TEST_F(SimDeviceTest, HeldSyncsWaitAndOthersPass) {
  device_.HoldSyncs(true);
  Start(0, 'a', Sync::kYes);
  Start(1, 'b', Sync::kNo);
  StartFlush();
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"", "ok", ""}));
  EXPECT_EQ(device_.held(), 2u);
  device_.HoldSyncs(false);
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"ok", "ok", "ok"}));
}

TEST_F(SimDeviceTest, ALyingDiskLosesWhatItAcknowledged) {
  device_.IgnoreSync(true);
  Start(0, 'a', Sync::kYes);
  Run();
  StartFlush();
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"ok", "ok"}));
  device_.RestartWith({}, 0);
  EXPECT_EQ(Read(0), "........");
}

TEST_F(SimDeviceTest, AFlippedBitIsInEveryCopy) {
  Start(0, 'a', Sync::kYes);
  Start(1, 'a', Sync::kNo);
  Run();
  device_.FlipBit(0, 1);
  device_.FlipBit(kSectorBytes, 1);
  EXPECT_EQ(Read(0), "caaaaaaa");
  device_.RestartWith({{WriteFate::kKept}}, 0);
  EXPECT_EQ(Read(0), "caaaaaaa");
  EXPECT_EQ(Read(1), "caaaaaaa");
}

TEST_F(SimDeviceTest, ImagesCompareAndHashByTheirBytes) {
  const SimImage empty = device_.Snapshot();
  Start(0, 'a', Sync::kYes);
  Run();
  const SimImage one = device_.Snapshot();
  EXPECT_FALSE(one == empty);
  EXPECT_NE(one.Hash(), empty.Hash());
  Start(0, '\0', Sync::kYes);
  Run();
  EXPECT_EQ(device_.Snapshot(), empty);
  EXPECT_EQ(device_.Snapshot().Hash(), empty.Hash());
  SimImage copy = one;
  copy.Write(10, base::AsBytes("b"));
  EXPECT_FALSE(copy == one);
  EXPECT_EQ(Units(one, 0), "aaaaaaaa");
}

TEST_F(SimDeviceTest, ReordersOperationsBySeed) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SimDevice device(context_.get_executor(), SimImage(kSize), {.reorder_seed = seed});
    std::vector<int> order;
    for (int i = 0; i < 4; ++i)
      device.Write(0, Filled('a'), Sync::kNo, [&order, i](base::Result<>) { order.push_back(i); });
    device.Submit();
    Run();
    EXPECT_EQ(order.size(), 4u);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 3u);
}

TEST_F(SimDeviceTest, ThrottlesOperationsByTheRealClock) {
  device_.SetThrottle({.operations_per_second = 200});
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) Start(0, 'a', Sync::kYes);
  Run();
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
}

TEST_F(SimDeviceTest, CountsWhatItDid) {
  Start(0, 'a', Sync::kYes, 4);
  Start(0, 'a', Sync::kNo);
  StartFlush();
  Run();
  EXPECT_EQ(device_.counters().operations(), 3u);
  EXPECT_EQ(device_.counters().syncs, 2u);
  EXPECT_EQ(device_.counters().bytes_written, 5 * kSectorBytes);
  EXPECT_EQ(device_.operations_done(), 3u);
}

TEST_F(SimDeviceTest, PendingCallbacksAreDroppedWithTheDevice) {
  bool called = false;
  {
    SimDevice device(context_.get_executor(), kSize);
    device.Write(0, Filled('a'), Sync::kYes, [&](base::Result<>) { called = true; });
    device.Submit();
  }
  Run();
  EXPECT_FALSE(called);
}

using SimDeviceDeathTest = SimDeviceTest;
TEST_F(SimDeviceDeathTest, ABufferChangedInFlightIsCaught) {
  base::ByteSpan data = Filled('a');
  device_.Write(0, data, Sync::kYes, [](base::Result<>) {});
  device_.Submit();
  buffers_.back()->bytes[7] = std::byte{1};
  EXPECT_DEATH(Run(), "checksum");
}

}  // namespace
}  // namespace mffs
