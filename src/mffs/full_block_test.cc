// A next block that is full does not wait for the one in flight: both are with the device.
#include <array>
#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBody = 300'000;             // A block has room for one of these and not for two.
constexpr std::uint32_t kSegmentBytes = 4u << 20;  // Several such blocks.

VolumeOptions SmallBlocks() {
  VolumeOptions options = TestMachine::Options();
  options.block_bytes_max = 400'000;
  return options;
}

// What a writer appends without waiting, and what it was told.
class Writer {
 public:
  explicit Writer(ModelOwner* model) : model_(model) {}
  void Append(Stream stream, std::uint64_t index, std::size_t body_bytes) {
    ModelRecord& record = model_->records[index];
    record.body.assign(body_bytes, static_cast<char>('a' + index % 26));
    AppendRequest& request = requests_.emplace_back();
    request.stream = stream;
    request.key = TestKey(index);
    request.body[0] = record.body;
    request.done = [this, index](const base::Result<Location>& location) {
      if (!location) return;
      model_->records.at(index).location = *location;
      acknowledged_.push_back(index);
    };
    model_->volume->Append(&request);
  }
  const std::vector<std::uint64_t>& acknowledged() const { return acknowledged_; }

 private:
  ModelOwner* model_;
  std::deque<AppendRequest> requests_;
  std::vector<std::uint64_t> acknowledged_;
};

// A volume of larger segments; syncs do not end while held.
class FullBlock : public testing::Test {
 protected:
  FullBlock() : machine_(Formatted()) {
    CHECK(machine_.Open(SmallBlocks()).has_value());
    machine_.Start(&owner_);
    CHECK(machine_.Checkpoint().has_value());
    machine_.device.HoldSyncs(true);
  }
  static SimImage Formatted() {
    TestMachine machine{SimImage(std::uint64_t{16} * kSegmentBytes + (2u << 20))};
    CHECK(machine.Format(kSegmentBytes).has_value());
    return machine.device.Snapshot();
  }
  void Release() {
    machine_.device.HoldSyncs(false);
    RunReady(machine_.context);
  }
  // The next computer finds what was acknowledged, and nothing by halves.
  void ExpectMatchesAfterRestart(SimImage image) {
    machine_.Shutdown();
    TestMachine after(std::move(image));
    ASSERT_TRUE(after.Open(SmallBlocks()));
    ExpectMatches(after, owner_);
  }

  enum class Segment : std::uint8_t { kFresh, kUsed };
  void CutPowerWithTwoInFlight(Segment segment, std::uint64_t completed);

  // In this order: the machine's end completes what is in flight.
  ModelOwner owner_;
  Writer writer_{&owner_};
  TestMachine machine_;
};

TEST_F(FullBlock, GoesToTheDeviceBehindTheOneInFlight) {
  for (std::uint64_t i = 1; i <= 4; ++i) writer_.Append(Stream::kTransit, i, kBody);
  RunReady(machine_.context);
  EXPECT_EQ(machine_.device.held(), 2u);
  EXPECT_THAT(writer_.acknowledged(), testing::IsEmpty());
  Release();
  EXPECT_THAT(writer_.acknowledged(), testing::ElementsAre(1, 2, 3, 4));
}

TEST_F(FullBlock, ABlockThatCanStillGrowWaits) {
  writer_.Append(Stream::kTransit, 1, kBody);
  RunReady(machine_.context);
  for (std::uint64_t i = 2; i <= 20; ++i) writer_.Append(Stream::kTransit, i, 10'000);
  RunReady(machine_.context);
  EXPECT_EQ(machine_.device.held(), 1u);
}

TEST_F(FullBlock, JoinsAsSoonAsItIsFull) {
  writer_.Append(Stream::kTransit, 1, kBody);
  RunReady(machine_.context);
  ASSERT_EQ(machine_.device.held(), 1u);
  writer_.Append(Stream::kTransit, 2, kBody);
  writer_.Append(Stream::kTransit, 3, kBody);
  RunReady(machine_.context);
  EXPECT_EQ(machine_.device.held(), 2u);
}

TEST_F(FullBlock, DoesNotHoldUpAnotherStream) {
  writer_.Append(Stream::kTransit, 1, kBody);
  RunReady(machine_.context);
  writer_.Append(Stream::kMailbox, 2, 100);
  for (std::uint64_t i = 3; i <= 6; ++i) writer_.Append(Stream::kTransit, i, kBody);
  RunReady(machine_.context);
  EXPECT_EQ(machine_.device.held(), 1u);
  machine_.device.HoldSyncs(false);
  RunUntil(machine_.context, [&] { return writer_.acknowledged().size() == 6; });
  // It is in the very next round, and does not wait until the other stream has run dry.
  EXPECT_THAT(std::vector(writer_.acknowledged().begin(), writer_.acknowledged().begin() + 3),
              testing::UnorderedElementsAre(1, 2, 3));
}

TEST_F(FullBlock, EitherMayFailAndBothAreWrittenElsewhere) {
  for (std::uint64_t failing = 0; failing < 2; ++failing) {
    SCOPED_TRACE(failing == 0 ? "the first fails" : "the second fails");
    machine_.device.HoldSyncs(true);
    const std::uint64_t first = 10 * failing + 1;
    for (std::uint64_t i = first; i < first + 4; ++i) writer_.Append(Stream::kTransit, i, kBody);
    machine_.device.Plant({.kind = PlantedFault::Kind::kFail, .skip = failing});
    RunReady(machine_.context);
    Release();
    EXPECT_EQ(writer_.acknowledged().size(), 4 * (failing + 1));
    EXPECT_TRUE(std::ranges::is_sorted(writer_.acknowledged()));
    EXPECT_FALSE(machine_.volume->Status().read_only);
  }
  machine_.device.CutPowerNow();
  ExpectMatchesAfterRestart(machine_.device.ImageAfter(std::span<const WriteFate>(), 1));
}

TEST_F(FullBlock, AFirstThatHangsIsWrittenElsewhereWithTheSecondThatWasDone) {
  machine_.Shutdown();
  TestMachine hanging(Formatted());
  VolumeOptions options = SmallBlocks();
  options.write_deadline = 20ms;
  ASSERT_TRUE(hanging.Open(options));
  hanging.Start(&owner_);
  ASSERT_TRUE(hanging.Checkpoint());
  hanging.device.Plant({.kind = PlantedFault::Kind::kHang});
  for (std::uint64_t i = 1; i <= 4; ++i) writer_.Append(Stream::kTransit, i, kBody);
  RunReady(hanging.context);
  ASSERT_EQ(hanging.device.hanging(), 1u);
  EXPECT_THAT(writer_.acknowledged(), testing::IsEmpty());
  RunUntil(hanging.context, [&] { return writer_.acknowledged().size() == 4; });
  // The overdue write lands at last: over nothing that counts.
  hanging.device.Unhang();
  RunReady(hanging.context);
  hanging.device.CutPowerNow();
  const SimImage image = hanging.device.ImageAfter(std::array{WriteFate::kKept, WriteFate::kKept}, 1);
  hanging.Shutdown();
  TestMachine after(image);
  ASSERT_TRUE(after.Open(SmallBlocks()));
  ExpectMatches(after, owner_);
}

TEST_F(FullBlock, BothFailingTwiceLatchesAndAcknowledgesNothing) {
  machine_.device.Plant({.kind = PlantedFault::Kind::kFail, .times = PlantedFault::kAlways});
  for (std::uint64_t i = 1; i <= 4; ++i) writer_.Append(Stream::kTransit, i, kBody);
  RunReady(machine_.context);
  Release();
  EXPECT_TRUE(machine_.volume->Status().read_only);
  EXPECT_THAT(writer_.acknowledged(), testing::IsEmpty());
}

// Each fate of the two writes in flight; what the mount after it accepts is acknowledged too, and survives the next.
void FullBlock::CutPowerWithTwoInFlight(Segment segment, std::uint64_t completed) {
  Release();
  if (segment == Segment::kUsed) writer_.Append(Stream::kTransit, 1, 5000);
  RunReady(machine_.context);
  machine_.device.HoldSyncs(true);
  for (std::uint64_t i = 2; i <= 4; ++i) writer_.Append(Stream::kTransit, i, kBody);
  RunReady(machine_.context);
  ASSERT_EQ(machine_.device.held(), 2u);
  machine_.device.CutPowerAfter(completed);
  machine_.device.HoldSyncs(false);
  machine_.context.restart();
  machine_.context.run();
  std::vector<WriteFate> fates(machine_.device.UnflushedWrites(), WriteFate::kLost);
  ASSERT_EQ(fates.size(), 2 - completed);
  int images = 0;
  do {
    SCOPED_TRACE(images++);
    ModelOwner owner = owner_;
    TestMachine after(machine_.device.ImageAfter(fates, 1));
    ASSERT_TRUE(after.Open(SmallBlocks()));
    ExpectMatches(after, owner);
    owner.Adopt(after);
    after.Start(&owner);
    Writer next(&owner);
    for (std::uint64_t i = 11; i <= 13; ++i) next.Append(Stream::kTransit, i, kBody);
    RunReady(after.context);
    ASSERT_EQ(next.acknowledged().size(), 3u);
    after.device.CutPowerNow();
    TestMachine third(after.device.ImageAfter(std::span<const WriteFate>(), 1));
    ASSERT_TRUE(third.Open(SmallBlocks()));
    ExpectMatches(third, owner);
    after.Shutdown();
  } while (NextFates(fates));
  EXPECT_EQ(images, completed == 0 ? kWriteFateCount * kWriteFateCount : kWriteFateCount);
}

TEST_F(FullBlock, APowerCutLeavesNeitherAcknowledgedAndNothingByHalves) {
  CutPowerWithTwoInFlight(Segment::kUsed, 0);
}

TEST_F(FullBlock, APowerCutAfterTheFirstLeavesNothingOfTheSecondByHalves) {
  CutPowerWithTwoInFlight(Segment::kUsed, 1);
}

TEST_F(FullBlock, APowerCutInAFreshSegmentLeavesNeitherAcknowledged) {
  CutPowerWithTwoInFlight(Segment::kFresh, 0);
}

// The second lands alone in a fresh segment. The next mount uses the segment with the same generation, and its first
// block rots: what lies behind that is not the old second block.
TEST_F(FullBlock, WhatLandedAloneDoesNotComeBackWhenTheBlockThatTookItsSegmentRots) {
  for (std::uint64_t i = 2; i <= 4; ++i) writer_.Append(Stream::kTransit, i, kBody);
  RunReady(machine_.context);
  ASSERT_EQ(machine_.device.held(), 2u);
  machine_.device.CutPowerAfter(0);
  machine_.device.HoldSyncs(false);
  machine_.context.restart();
  machine_.context.run();
  TestMachine next(machine_.device.ImageAfter(std::array{WriteFate::kLost, WriteFate::kKept}, 1));
  ASSERT_TRUE(next.Open(SmallBlocks()));
  next.Start(&owner_);
  // One small block in each segment until the one of the stale block is taken.
  std::vector<Location> taken;
  for (std::uint64_t i = 11; i <= 20; ++i) {
    const auto location = next.Append(Stream::kTransit, TestKey(i), "", std::string(kBody, 'n'));
    ASSERT_TRUE(location);
    if (taken.empty() || taken.back().segment != location->segment) taken.push_back(*location);
  }
  next.device.CutPowerNow();
  for (const Location& first : taken) {
    SCOPED_TRACE("segment " + std::to_string(first.segment));
    SimImage image = next.device.ImageAfter(std::span<const WriteFate>(), 1);
    image.FlipBit((std::uint64_t{1} << 20) + std::uint64_t{first.segment} * kSegmentBytes + kSectorBytes + 20, 3);
    TestMachine after(image);
    ASSERT_TRUE(after.Open(SmallBlocks()));
    EXPECT_THAT(after.volume->recovery().corruptions, testing::Not(testing::IsEmpty()));
    for (const SeenRecord& seen : after.Scan()) {
      EXPECT_FALSE(seen.is_live && seen.key.type == ModelOwner::kRecordType && seen.key.index <= 4)
          << "record " << seen.key.index << " was never acknowledged, and came back";
    }
  }
}

}  // namespace
}  // namespace mffs
