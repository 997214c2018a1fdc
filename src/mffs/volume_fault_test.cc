// Rot, failing and hanging devices, damaged superblocks, reuse of segments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "async/task_group.h"
#include "mffs/format.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

// --- Rot ---

// Where blocks of records lie: everything that was written to segments behind `from`.
std::vector<std::uint64_t> SectorsThatDiffer(const SimImage& before, const SimImage& after) {
  std::vector<std::uint64_t> sectors;
  for (std::uint64_t i = kMiB / kSectorBytes; i < (after.size_bytes() - kMiB) / kSectorBytes; ++i) {
    if (before.Sector(i) != after.Sector(i)) sectors.push_back(i);
  }
  return sectors;
}

TEST(Rot, ABitFlippedInAnyAcknowledgedSectorIsReportedAndHarmsOnlyWhatItTouches) {
  VolumeOptions options = TestMachine::Options();
  options.cover_after = 1ms;
  OpenVolume opened(options);
  const SimImage before = opened.machine.device.Snapshot();
  std::map<std::uint64_t, Location> written;
  for (std::uint64_t i = 1; i <= 6; ++i) written[i] = opened.Append(i, std::string(i * 1500, 'a'), Stream::kMailbox);
  async::RunTask(opened.machine.context, async::Sleep(20ms));  // The covering block.
  const SimImage image = opened.machine.device.Snapshot();
  std::set<std::uint64_t> header_sectors;  // Of segments: harmless, since the first block says the same.
  for (std::uint32_t i = 0; i < 16; ++i) header_sectors.insert((i + 1) * kMiB / kSectorBytes);
  int reported = 0;
  for (const std::uint64_t sector : SectorsThatDiffer(before, image)) {
    SCOPED_TRACE("sector " + std::to_string(sector));
    SimImage rotten = image;
    rotten.FlipBit(sector * kSectorBytes + sector * 37 % kSectorBytes, static_cast<int>(sector % 8));
    TestMachine machine(rotten);
    ASSERT_TRUE(machine.Open());
    const RecoveryReport& report = machine.volume->recovery();
    std::set<std::uint64_t> found;
    for (const SeenRecord& seen : machine.Scan()) {
      if (seen.key.type == ModelOwner::kRecordType) found.insert(seen.key.index);
    }
    std::set<std::uint64_t> touched;
    for (const auto& [index, location] : written) {
      const std::uint64_t from = (location.segment + 1) * kMiB + location.offset;
      if (sector >= from / kSectorBytes && sector <= (from + location.size - 1) / kSectorBytes) touched.insert(index);
    }
    for (const auto& [index, location] : written) {
      if (touched.contains(index)) continue;
      EXPECT_TRUE(found.contains(index)) << "record " << index << " was lost to a bit elsewhere";
      EXPECT_TRUE(machine.Read(location)) << index;
    }
    // The very last block covers the others and holds nothing.
    const bool is_last_block = touched.empty() && report.corruptions.empty();
    if (header_sectors.contains(sector) || is_last_block) continue;
    EXPECT_THAT(report.corruptions, testing::Not(testing::IsEmpty()));
    ++reported;
  }
  EXPECT_GE(reported, 10);
}

TEST(Rot, ASectorThatCannotBeReadIsReportedLikeRot) {
  OpenVolume opened;
  const Location bad = opened.Append(1, std::string(9000, 'x'));
  const Location good = opened.Append(2, "y");
  const std::uint64_t at = (bad.segment + 1) * kMiB + bad.offset + 5000;
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kFail,
                               .on = SimOperation::kRead,
                               .times = PlantedFault::kAlways,
                               .from = at,
                               .to = at + 1});
  EXPECT_EQ(opened.machine.Read(bad).error().code(), base::Errc::kCorrupt);
  EXPECT_EQ(opened.machine.Read(good)->body, "y");
  const auto run = async::RunTask(opened.machine.context, opened.machine.volume->ReadRun(good, 100'000));
  EXPECT_TRUE(run);
  EXPECT_EQ(opened.machine.volume->Status().corrupt_blocks, 1u);
}

TEST(Rot, AWriteThatTheDeviceLostIsNotReadAsWhatWasThereBefore) {
  OpenVolume opened;
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kLose, .from = kMiB});
  const Location lost = opened.Append(1, "first");
  EXPECT_EQ(opened.machine.Read(lost).error().code(), base::Errc::kCorrupt);
}

TEST(Rot, AMisdirectedWriteIsNotReadAsTheRecordThatBelongsThere) {
  OpenVolume opened;
  const Location one = opened.Append(1, "one");
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kMisdirect, .from = kMiB, .shift_bytes = 7 * kMiB});
  const Location two = opened.Append(2, "two");
  EXPECT_EQ(opened.machine.Read(two).error().code(), base::Errc::kCorrupt);
  EXPECT_EQ(opened.machine.Read(one)->body, "one");
}

// --- A process that was killed: what it wrote is visible to the next one, but may not be durable ---

TEST(Reopening, WhatIsReadAtOpeningSurvivesAPowerCutAfterIt) {
  OpenVolume opened;
  opened.machine.device.IgnoreSync(true);  // Nothing of the first process gets beyond the disk's cache.
  opened.Append(1, "seen by the second process");
  ASSERT_TRUE(opened.machine.Close());
  opened.machine.volume.reset();
  opened.machine.device.BeginNextProcess();
  opened.machine.device.IgnoreSync(false);
  ASSERT_TRUE(opened.machine.Open());
  const auto seen = opened.machine.Scan();
  ASSERT_EQ(seen.size(), 1u);
  opened.machine.device.CutPowerNow();
  TestMachine after(opened.machine.device.ImageAfter(std::span<const WriteFate>(), 1));
  ASSERT_TRUE(after.Open());
  EXPECT_EQ(after.Scan(), seen);
}

TEST(Reopening, ADeviceThatCannotBeFlushedIsNotOpened) {
  TestMachine machine(FormattedImage());
  machine.device.Plant({.kind = PlantedFault::Kind::kFail, .on = SimOperation::kFlush});
  const auto opened = machine.Open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), base::Errc::kIo);
}

// --- Superblocks ---

class Superblocks : public testing::TestWithParam<int> {};

TEST_P(Superblocks, AnyTwoEqualCopiesOpenTheVolume) {
  OpenVolume opened;
  const Location location = opened.Append(1, "kept");
  ASSERT_TRUE(opened.machine.Close());
  SimImage image = opened.machine.device.Snapshot();
  int damaged = 0;
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    if ((GetParam() >> copy & 1) == 0) continue;
    image.FlipBit(SuperblockOffset(copy, TestMachine::kDiskBytes) + 50, 3);
    ++damaged;
  }
  TestMachine machine(image);
  const auto result = machine.Open();
  ASSERT_EQ(result.has_value(), damaged <= 2);
  if (damaged <= 2) {
    EXPECT_EQ(machine.Read(location)->body, "kept");
  } else {
    EXPECT_EQ(result.error().code(), base::Errc::kCorrupt);
    EXPECT_THAT(result.error().message(), testing::HasSubstr("no two superblock copies agree"));
  }
}
INSTANTIATE_TEST_SUITE_P(EachSubset, Superblocks, testing::Range(0, 16));

TEST(Superblock, AnotherFormatVersionIsLeftAlone) {
  SimImage image = FormattedImage();
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    image.FlipBit(SuperblockOffset(copy, TestMachine::kDiskBytes) + 8, 2);
  }
  TestMachine machine(image);
  const auto result = machine.Open();
  EXPECT_EQ(result.error().code(), base::Errc::kUnsupported);
  EXPECT_THAT(result.error().message(), testing::HasSubstr("format version 5"));
}

TEST(Superblock, ADeviceCutShortIsNamedWithBothSizes) {
  const SimImage image = FormattedImage();
  SimImage shorter(TestMachine::kDiskBytes / 2);
  for (std::uint64_t i = 0; i < shorter.size_bytes() / kSectorBytes; ++i) shorter.SetSector(i, image.Sector(i));
  TestMachine machine(shorter);
  const auto result = machine.Open();
  EXPECT_EQ(result.error().code(), base::Errc::kCorrupt);
  EXPECT_THAT(result.error().message(), testing::HasSubstr(std::to_string(TestMachine::kDiskBytes)));
  EXPECT_THAT(result.error().message(), testing::HasSubstr(std::to_string(TestMachine::kDiskBytes / 2)));
}

TEST(Superblock, ADeviceThatGrewOpens) {
  const SimImage image = FormattedImage();
  SimImage larger(2 * TestMachine::kDiskBytes);
  for (std::uint64_t i = 0; i < image.size_bytes() / kSectorBytes; ++i) larger.SetSector(i, image.Sector(i));
  larger.FlipBit(SuperblockOffset(0, 0) + 50, 1);
  larger.FlipBit(SuperblockOffset(2, TestMachine::kDiskBytes) + 50, 1);
  TestMachine machine(larger);
  EXPECT_TRUE(machine.Open());
}

TEST(Superblock, AMountRepairsDamagedCopiesBeforeItsFirstUpdate) {
  // Only the two copies agree that an update writes first.
  SimImage image = FormattedImage();
  image.FlipBit(SuperblockOffset(1, TestMachine::kDiskBytes) + 50, 1);
  image.FlipBit(SuperblockOffset(3, TestMachine::kDiskBytes) + 50, 1);
  for (std::uint64_t cut = 0;; ++cut) {
    ModelOwner owner;
    TestMachine machine(image);
    ASSERT_TRUE(machine.Open());
    machine.device.CutPowerAfter(cut);
    machine.Start(&owner);
    RunReady(machine.context);
    if (!machine.device.PowerWasCut()) {
      EXPECT_GT(cut, 4u);                       // Two repairs, and more.
      machine.device.CutPowerAfter(1'000'000);  // Not while it is closed.
      break;
    }
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      TestMachine again(machine.device.ImageAfter(seed));
      const auto opened = again.Open();
      EXPECT_TRUE(opened) << "cut " << cut << " seed " << seed << ": " << opened.error().message();
    }
  }
}

// --- Reuse ---

TEST(Reuse, FiftyWrapsWithEqualRecordsOfZeroesBringNothingStaleBack) {
  // Room for the notes of moves, which the owner of this test never gives up.
  constexpr std::uint64_t kDiskBytes = 26 * kMiB;
  TestMachine formatter{SimImage(kDiskBytes)};
  ASSERT_TRUE(formatter.Format());
  SimImage image = formatter.device.Snapshot();
  ModelOwner owner;
  std::uint64_t index = 1;
  const std::string body(60'000, '\0');
  std::uint64_t written = 0;
  for (int mount = 0; written < 50 * kDiskBytes; ++mount) {
    TestMachine machine(image, static_cast<std::uint64_t>(mount));
    SCOPED_TRACE("mount " + std::to_string(mount));
    ASSERT_TRUE(machine.Open());
    ExpectMatches(machine, owner);
    owner.Adopt(machine);
    machine.Start(&owner);
    for (int i = 0; i < 150; ++i, ++index) {
      const auto location = machine.Append(Stream::kTransit, TestKey(index), "", body);
      ASSERT_TRUE(location) << location.error().message();
      written += body.size();
      owner.records[index] = {.head = "", .body = body, .location = *location};
      if (index <= 40) continue;
      ModelRecord& old = owner.records.at(index - 40);
      ASSERT_TRUE(machine.volume->IsLive(*old.location));
      machine.volume->Release(*old.location);
      old.release_begun = true;
    }
    // Every other mount ends by a power cut.
    if (mount % 2 == 0) {
      ASSERT_TRUE(machine.Close());
      image = machine.device.Snapshot();
    } else {
      machine.device.CutPowerNow();
      image = machine.device.ImageAfter(static_cast<std::uint64_t>(mount));
    }
  }
}

async::Task<void> AppendUntilRefused(Volume* volume, std::vector<Location>* places) {
  for (std::uint64_t index = 100;; ++index) {
    const auto location = co_await volume->AppendCopy(Stream::kTransit, TestKey(index), "", std::string(400'000, '\0'));
    if (!location.has_value()) co_return;
    places->push_back(*location);
  }
}
async::Task<void> CheckpointOnce(Volume* volume) {
  base::Ignore(co_await volume->Checkpoint());
}

TEST(Reuse, SegmentsThatACheckpointFreesWaitForItsSuperblock) {
  OpenVolume opened;
  std::set<std::uint32_t> emptied;
  for (std::uint64_t i = 1; i <= 8; ++i) {
    const Location location = opened.Append(i, std::string(400'000, '\0'));
    emptied.insert(location.segment);
    opened.machine.volume->Release(location);
  }
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kHang, .to = kSectorBytes});
  async::TaskGroup group(opened.machine.context.get_executor(), "test");
  std::vector<Location> places;
  group.Spawn(CheckpointOnce(opened.machine.volume.get()));
  async::RunTask(opened.machine.context, async::Sleep(20ms));
  ASSERT_EQ(opened.machine.device.hanging(), 1u);
  group.Spawn(AppendUntilRefused(opened.machine.volume.get(), &places));
  async::RunTask(opened.machine.context, async::Sleep(50ms));
  EXPECT_GT(places.size(), 4u);
  // The segment that was open goes on being filled.
  for (std::size_t i = 2; i < places.size(); ++i) EXPECT_FALSE(emptied.contains(places[i].segment)) << i;
  const std::size_t before = places.size();
  opened.machine.device.Unhang();
  opened.machine.device.ClearFaults();
  async::RunTask(opened.machine.context, group.Join());
  EXPECT_GT(places.size(), before + 2);
}

TEST(Reuse, ALocationOfAnEarlierGenerationIsNotFoundAndItsReleaseDoesNothing) {
  OpenVolume opened;
  const Location old = opened.Append(1, "old");
  std::vector<Location> all{old};
  // Fills and empties until a record of another generation lies in the segment of the first one.
  std::uint64_t index = 2;
  for (; all.back().segment != old.segment || all.back().generation == old.generation; ++index) {
    all.push_back(opened.Append(index, std::string(400'000, '\0')));
    opened.machine.volume->Release(all[all.size() - 2]);
    ASSERT_LT(index, 200u);
  }
  EXPECT_EQ(opened.machine.Read(old).error().code(), base::Errc::kNotFound);
  EXPECT_FALSE(opened.machine.volume->IsLive(old));
  const std::uint64_t live = opened.machine.volume->Status().space.live_bytes;
  opened.machine.volume->Release(old);
  EXPECT_EQ(opened.machine.volume->Status().space.live_bytes, live);
}

// --- Write errors ---

TEST(WriteErrors, AFailedWriteIsDoneElsewhereOnceAndAcknowledged) {
  OpenVolume opened;
  opened.Append(1, "before");
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kFail, .from = kMiB});
  const Location location = opened.Append(2, "despite the failure");
  EXPECT_FALSE(opened.machine.volume->Status().read_only);
  EXPECT_EQ(opened.machine.Read(location)->body, "despite the failure");
  const Location after = opened.Append(3, "after");
  opened.machine.device.CutPowerNow();
  TestMachine machine(opened.machine.device.ImageAfter(1));
  ASSERT_TRUE(machine.Open());
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
  EXPECT_EQ(machine.Read(location)->body, "despite the failure");
  EXPECT_EQ(machine.Read(after)->body, "after");
}

TEST(WriteErrors, TwoFailuresLatchTheVolumeAndNothingIsAcknowledgedFalsely) {
  OpenVolume opened;
  const Location before = opened.Append(1, "before");
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kFail, .times = 2, .from = kMiB});
  const auto failed = opened.machine.Append(Stream::kTransit, TestKey(2), "", "lost");
  EXPECT_EQ(failed.error().code(), base::Errc::kReadOnly);
  EXPECT_TRUE(opened.machine.volume->Status().read_only);
  EXPECT_EQ(opened.machine.volume->Admit(Stream::kTransit, 1).error().code(), base::Errc::kReadOnly);
  EXPECT_EQ(opened.machine.Append(Stream::kMeta, TestKey(3), "", "").error().code(), base::Errc::kReadOnly);
  EXPECT_EQ(opened.machine.Read(before)->body, "before");
  EXPECT_EQ(opened.machine.Checkpoint().error().code(), base::Errc::kReadOnly);
  EXPECT_EQ(opened.machine.Close().error().code(), base::Errc::kReadOnly);
}

TEST(WriteErrors, AHungWriteIsDoneElsewhereAndItsLateEndChangesNothing) {
  VolumeOptions options = TestMachine::Options();
  options.write_deadline = 20ms;
  OpenVolume opened(options);
  const Location before = opened.Append(1, "before");
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kHang, .from = kMiB});
  const Location moved = opened.Append(2, "moved");
  EXPECT_NE(moved.segment, before.segment);
  EXPECT_EQ(opened.machine.device.hanging(), 1u);
  EXPECT_EQ(opened.machine.Read(moved)->body, "moved");
  opened.machine.device.Unhang();
  const Location after = opened.Append(3, "after");
  EXPECT_EQ(opened.machine.Read(before)->body, "before");
  EXPECT_EQ(opened.machine.Read(after)->body, "after");
  opened.machine.device.CutPowerNow();
  TestMachine machine(opened.machine.device.ImageAfter(1));
  ASSERT_TRUE(machine.Open());
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
  std::multiset<std::uint64_t> found;
  for (const SeenRecord& seen : machine.Scan()) found.insert(seen.key.index);
  EXPECT_THAT(found, testing::ElementsAre(1, 2, 3));
}

TEST(WriteErrors, AHungWriteKeepsItsSegmentFromBeingReused) {
  VolumeOptions options = TestMachine::Options();
  options.write_deadline = 20ms;
  OpenVolume opened(options);
  const Location first = opened.Append(1, "first");
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kHang, .from = kMiB});
  Location last = opened.Append(2, "moved");
  opened.machine.volume->Release(first);
  for (std::uint64_t i = 3; i < 120; ++i) {
    const Location next = opened.Append(i, std::string(400'000, '\0'));
    EXPECT_NE(next.segment, first.segment);
    opened.machine.volume->Release(last);
    last = next;
  }
  opened.machine.device.Unhang();
  EXPECT_TRUE(opened.machine.Read(last));
}

TEST(WriteErrors, ASuperblockThatFailsOnceIsWrittenAgainAndTheVolumeGoesOn) {
  OpenVolume opened;
  for (int i = 0; i < 3; ++i) {
    opened.machine.device.Plant({.kind = PlantedFault::Kind::kFail, .to = kSectorBytes});
    const auto done = opened.machine.Checkpoint();
    ASSERT_TRUE(done) << done.error().message();
  }
  EXPECT_FALSE(opened.machine.volume->Status().read_only);
}

TEST(WriteErrors, ASuperblockThatCannotBeWrittenLatchesTheVolume) {
  OpenVolume opened;
  opened.machine.device.Plant({.kind = PlantedFault::Kind::kFail, .times = 2, .to = kSectorBytes});
  EXPECT_EQ(opened.machine.Checkpoint().error().code(), base::Errc::kReadOnly);
  EXPECT_TRUE(opened.machine.volume->Status().read_only);
}

}  // namespace
}  // namespace mffs
