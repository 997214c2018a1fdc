// What a power cut left of the writes in flight: the next mount drops it, and neither it nor a later one takes it up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/segment_survey.h"
#include "mffs/superblock.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

constexpr std::array kFirstLostSecondKept{WriteFate::kLost, WriteFate::kKept};

// The power goes while the records are being written, each in a stream of its own.
SimImage CutWhileWriting(OpenVolume& open, std::span<const Stream> streams, std::size_t body_bytes,
                         std::span<const WriteFate> fates) {
  open.machine.device.CutPowerAfter(0);
  const std::string body(body_bytes, 'd');
  std::deque<AppendRequest> requests;
  for (const Stream stream : streams) {
    AppendRequest& request =
        requests.emplace_back(AppendRequest{.stream = stream, .key = TestKey(100), .body = {body}});
    request.done = [](const base::Result<Location>& location) { EXPECT_FALSE(location); };
    open.machine.volume->Append(&request);
  }
  open.machine.context.restart();
  open.machine.context.run();
  CHECK(open.machine.device.PowerWasCut() && open.machine.device.UnflushedWrites() == fates.size());
  SimImage image = open.machine.device.ImageAfter(fates, 1);
  open.machine.Shutdown();
  return image;
}

std::vector<std::uint64_t> LiveIndexes(TestMachine& machine) {
  std::vector<std::uint64_t> indexes;
  for (const SeenRecord& seen : machine.Scan()) {
    if (seen.is_live) indexes.push_back(seen.key.index);
  }
  return indexes;
}

TEST(TornTail, KeepsItsBytesWhileTheMountThatDroppedItLasts) {
  OpenVolume open;
  const Location acknowledged = *open.machine.Append(Stream::kTransit, TestKey(1), "", "acknowledged");
  const SimImage before = open.machine.device.Snapshot();
  const SimImage torn = CutWhileWriting(open, std::array{Stream::kTransit}, 100'000, std::array{WriteFate::kTornHead});
  std::vector<std::uint64_t> tail;
  for (std::uint64_t i = 0; i < torn.size_bytes() / kSectorBytes; ++i) {
    if (torn.Sector(i) != before.Sector(i)) tail.push_back(i);
  }
  ASSERT_GT(tail.size(), 5u);

  ModelOwner owner;
  TestMachine machine(torn);
  ASSERT_TRUE(machine.Open());
  EXPECT_TRUE(machine.volume->recovery().ambiguous_tail);
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
  machine.Start(&owner);
  machine.volume->Release(acknowledged);
  // Three times round the volume.
  for (std::uint64_t i = 0; i < 3 * TestMachine::kDiskBytes / 400'000; ++i) {
    const auto location = machine.Append(Stream::kTransit, TestKey(2), "", std::string(400'000, 'x'));
    ASSERT_TRUE(location) << location.error().message();
    machine.volume->Release(*location);
  }
  for (const std::uint64_t sector : tail) {
    ASSERT_EQ(machine.device.Snapshot().Sector(sector), torn.Sector(sector)) << "sector " << sector;
  }
}

TEST(TornTail, ABlockDroppedForAGapBeforeItDoesNotTakeThePlaceOfALaterOne) {
  OpenVolume open;
  const SimImage gap = CutWhileWriting(open, std::array{Stream::kTransit, Stream::kMailbox}, 100, kFirstLostSecondKept);
  // The mount after it acknowledges records, and ends before its first checkpoint.
  ModelOwner owner;
  TestMachine second(gap);
  ASSERT_TRUE(second.Open());
  EXPECT_TRUE(second.volume->recovery().torn_tail);
  EXPECT_THAT(LiveIndexes(second), testing::IsEmpty());
  second.device.Plant({.kind = PlantedFault::Kind::kHang, .to = kSectorBytes});
  second.Start(&owner);
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_TRUE(second.Append(Stream::kTransit, TestKey(i), "", "acknowledged"));
  ASSERT_EQ(owner.states_durable, 0);
  second.device.CutPowerNow();

  TestMachine third(second.device.ImageAfter(1));
  ASSERT_TRUE(third.Open());
  EXPECT_THAT(third.volume->recovery().corruptions, testing::IsEmpty());
  EXPECT_THAT(LiveIndexes(third), testing::ElementsAre(1, 2, 3, 4, 5));
}

// Two records in one block, the second in its last two sectors; of the write only those are kept.
SimImage CutKeepingTheLastSectors(OpenVolume& open) {
  const std::string first(60'000, 'f');
  const std::string second(2'000, 's');
  std::deque<AppendRequest> requests;
  const auto append = [&](Stream stream, std::uint64_t index, std::string_view body) {
    AppendRequest& request = requests.emplace_back(AppendRequest{.stream = stream, .key = TestKey(index)});
    request.body[0] = body;
    request.done = [](const base::Result<Location>& location) { EXPECT_FALSE(location); };
    open.machine.volume->Append(&request);
  };
  // Takes the segment that the next mount takes for its checkpoint.
  append(Stream::kTransit, 99, "lost");
  append(Stream::kMailbox, 100, first);
  append(Stream::kMailbox, 101, second);
  open.machine.device.CutPowerAfter(0);
  open.machine.context.restart();
  open.machine.context.run();
  const SimCut cut = open.machine.device.IfCutNow();
  const std::vector<std::uint32_t> units = cut.UnflushedUnits();
  CHECK(units.size() == 2);
  const SimImage image = cut.ImageAfter(std::array{KeptUnits{}, KeptUnits{units[1] - 2 * kUnitsInSector, units[1]}});
  open.machine.Shutdown();
  return image;
}

// The records that a walk over the whole segment finds, as rescue does it.
std::vector<RecordKey> SurveyedIn(const SimImage& image, const Location& location) {
  TestMachine machine(image);
  const auto superblock = async::RunTask(machine.context, LoadSuperblock(&machine.device, kSurveyDeadline));
  CHECK(superblock.has_value());
  const Geometry& geometry = superblock->geometry;
  std::vector<RecordKey> keys;
  const SurveyTarget target{
      .segment = location.segment, .generation = location.generation, .end_sector = geometry.footer_sector()};
  const SurveyCalls calls{.record = [&keys](const SurveyedRecord& record) { keys.push_back(record.header.key); }};
  async::RunTask(machine.context, SurveySegment(&machine.device, geometry, target, calls));
  return keys;
}

TEST(TornTail, OfAFirstWriteDoesNotComeBackWhenTheBlockThatTookItsPlaceRots) {
  OpenVolume open;
  const SimImage torn = CutKeepingTheLastSectors(open);
  ModelOwner owner;
  TestMachine second(torn);
  ASSERT_TRUE(second.Open());
  second.Start(&owner);
  ASSERT_TRUE(second.Checkpoint());
  const auto acknowledged = second.Append(Stream::kMailbox, TestKey(1), "", "acknowledged");
  ASSERT_TRUE(acknowledged);
  // It lies where the torn write lay, and leaves its last sectors alone.
  std::uint64_t kept = 0;
  const std::uint64_t first_sector = (acknowledged->segment + 1) * kMiB / kSectorBytes;
  for (std::uint64_t i = 3; i < 30; ++i) kept += torn.Sector(first_sector + i) != nullptr ? 1 : 0;
  ASSERT_EQ(kept, 2u);
  ASSERT_TRUE(second.Append(Stream::kTransit, TestKey(2), "", "proves that the one before was acknowledged"));
  SimImage rotten = second.device.Snapshot();
  rotten.FlipBit((acknowledged->segment + 1) * kMiB + acknowledged->offset + 50, 1);

  TestMachine third(rotten);
  ASSERT_TRUE(third.Open());
  EXPECT_THAT(third.volume->recovery().corruptions, testing::Not(testing::IsEmpty()));
  EXPECT_THAT(LiveIndexes(third), testing::ElementsAre(2));
  for (const SeenRecord& seen : third.Scan()) EXPECT_NE(seen.key.index, 101u);
  EXPECT_THAT(SurveyedIn(rotten, *acknowledged), testing::IsEmpty());
}

// A mount that is cut short before its first checkpoint is in the superblock.
SimImage CutInFirstCheckpoint(const SimImage& image) {
  ModelOwner owner;
  TestMachine machine(image);
  CHECK(machine.Open().has_value());
  machine.device.Plant({.kind = PlantedFault::Kind::kHang, .to = kSectorBytes});
  machine.Start(&owner);
  RunUntil(machine.context, [&machine] { return machine.device.hanging() > 0; });
  machine.device.CutPowerNow();
  return machine.device.ImageAfter(1);
}

// The segment of a checkpoint that was never finished is taken again without a checkpoint that says so, and the first
// write to it may leave the segment header as it was and spoil only the first block. What is void was never
// acknowledged, whatever is left of it.
TEST(TornTail, OfAWriteOverAVoidSegmentIsNoDamage) {
  const SimImage twice = CutInFirstCheckpoint(CutInFirstCheckpoint(FormattedImage()));
  ModelOwner owner;
  TestMachine third(twice);
  ASSERT_TRUE(third.Open());
  third.device.CutPowerAfter(0);
  third.Start(&owner);
  third.context.restart();
  third.context.run();
  constexpr std::uint32_t kOfItsRecord = kUnitsInSector + 2;  // Of a write that begins with the segment header.
  const SimImage torn = third.device.IfCutNow().ImageAfter(std::array{KeptUnits{kOfItsRecord, kOfItsRecord + 1}});
  std::vector<std::uint64_t> spoilt;
  for (std::uint64_t i = 0; i < torn.size_bytes() / kSectorBytes; ++i) {
    if (torn.Sector(i) != twice.Sector(i)) spoilt.push_back(i);
  }
  // The first block of segment 0; those behind it are there still.
  ASSERT_THAT(spoilt, testing::ElementsAre(kMiB / kSectorBytes + 1));
  ASSERT_NE(torn.Sector(spoilt[0] + 1), nullptr);

  TestMachine fourth(torn);
  ASSERT_TRUE(fourth.Open());
  EXPECT_THAT(fourth.volume->recovery().corruptions, testing::IsEmpty());
  EXPECT_THAT(LiveIndexes(fourth), testing::IsEmpty());
}

}  // namespace
}  // namespace mffs
