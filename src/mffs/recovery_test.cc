// Where recovery starts from, and that it does not matter: checkpoints, summaries, scans.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

constexpr std::array kBases{RecoveryBase::kSuperblock, RecoveryBase::kScan, RecoveryBase::kNothing};

struct Found {
  std::vector<SeenRecord> records;
  std::string owner_state;
  std::vector<std::string> corruptions;
  std::uint64_t scan_bytes_read = 0;
};

Found Recover(const SimImage& image, RecoveryBase base) {
  TestMachine machine(image);
  VolumeOptions options = TestMachine::Options();
  options.recover_from = base;
  CHECK(machine.Open(options).has_value());
  const std::uint64_t before = machine.device.counters().bytes_read;
  Found found{.records = machine.Scan()};
  found.scan_bytes_read = machine.device.counters().bytes_read - before;
  found.owner_state = machine.volume->owner_state();
  found.corruptions = machine.volume->recovery().corruptions;
  return found;
}

TEST(Recovery, AllBasesGiveTheSameRecords) {
  OpenVolume open;
  std::vector<Location> all;
  for (std::uint64_t i = 1; i <= 30; ++i) {
    all.push_back(*open.machine.Append(static_cast<Stream>(1 + i % 3), TestKey(i), "h" + std::to_string(i),
                                       std::string(i * 4000, 'x')));
    if (i % 10 == 0) ASSERT_TRUE(open.machine.Checkpoint());
  }
  open.machine.volume->Release(all[3]);
  ASSERT_TRUE(open.machine.Checkpoint());
  ASSERT_TRUE(open.machine.Append(Stream::kTransit, TestKey(31), "h", "b"));
  open.machine.device.CutPowerNow();
  const SimImage image = open.machine.device.ImageAfter(3);

  std::map<RecoveryBase, Found> found;
  for (const RecoveryBase base : kBases) {
    found[base] = Recover(image, base);
    EXPECT_THAT(found[base].corruptions, testing::IsEmpty());
  }
  Found& newest = found[RecoveryBase::kSuperblock];
  EXPECT_EQ(newest.records.size(), 31u);
  EXPECT_FALSE(newest.records[3].is_live);
  EXPECT_EQ(newest.records, found[RecoveryBase::kScan].records);
  EXPECT_EQ(newest.owner_state, found[RecoveryBase::kScan].owner_state);
  EXPECT_NE(newest.owner_state, "");
  // Without any checkpoint nothing is known of releases.
  for (SeenRecord& record : newest.records) record.is_live = true;
  EXPECT_EQ(newest.records, found[RecoveryBase::kNothing].records);
  EXPECT_EQ(found[RecoveryBase::kNothing].owner_state, "");
}

TEST(Recovery, ADamagedCheckpointIsReportedAndTheOneBeforeIsUsed) {
  OpenVolume open;
  const Location kept = *open.machine.Append(Stream::kTransit, TestKey(1), "head", "kept");
  ASSERT_TRUE(open.machine.Checkpoint());
  const int state = open.owner.states_taken;
  const SimImage before = open.machine.device.Snapshot();
  ASSERT_TRUE(open.machine.Checkpoint());
  SimImage image = open.machine.device.Snapshot();
  for (std::uint64_t i = kMiB / kSectorBytes; i < 17 * kMiB / kSectorBytes; ++i) {
    // The records of the last checkpoint.
    if (image.Sector(i) != before.Sector(i)) image.FlipBit(i * kSectorBytes + kRecordsOffset + 60, 1);
  }
  ModelOwner owner;
  TestMachine machine(image);
  ASSERT_TRUE(machine.Open());
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::Not(testing::IsEmpty()));
  const auto record = machine.Read(kept);
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->body, "kept");
  EXPECT_EQ(machine.volume->owner_state(), "state " + std::to_string(state));
  // The first checkpoint of the mount heals it.
  machine.Start(&owner);
  ASSERT_TRUE(machine.Close());
  TestMachine again(machine.device.Snapshot());
  ASSERT_TRUE(again.Open());
  EXPECT_THAT(again.volume->recovery().corruptions, testing::IsEmpty());
  // Cleaning may have moved it.
  std::vector<std::string> live;
  for (const SeenRecord& seen : again.Scan()) {
    if (seen.key == TestKey(1) && seen.is_live) live.push_back(again.Read(seen.location)->body);
  }
  EXPECT_THAT(live, testing::ElementsAre("kept"));
}

// What stood in a segment was acknowledged and is gone: a write went astray, or the disk gave back another time's
// sectors.
TEST(Recovery, ASegmentInsteadOfTheOneThatTheCheckpointKnowsIsReported) {
  OpenVolume open;
  std::uint64_t next = 1;
  const auto append = [&] {
    return *open.machine.Append(Stream::kTransit, TestKey(next++), "", std::string(400'000, 'x'));
  };
  const Location lost = append();
  ASSERT_TRUE(open.machine.Checkpoint());
  SimImage image = open.machine.device.Snapshot();
  open.machine.volume->Release(lost);
  bool is_reused = false;
  for (int i = 0; i < 100 && !is_reused; ++i) {
    const Location location = append();
    is_reused = location.segment == lost.segment && location.generation != lost.generation;
    open.machine.volume->Release(location);
    if (i % 4 == 0) ASSERT_TRUE(open.machine.Checkpoint());
  }
  ASSERT_TRUE(is_reused);
  EXPECT_THAT(Recover(image, RecoveryBase::kSuperblock).corruptions, testing::IsEmpty());
  const SimImage later = open.machine.device.Snapshot();
  for (std::uint64_t i = 0; i < kMiB / kSectorBytes; ++i) {
    const std::uint64_t sector = (lost.segment + 1) * kMiB / kSectorBytes + i;
    image.SetSector(sector, later.Sector(sector));
  }
  EXPECT_THAT(Recover(image, RecoveryBase::kSuperblock).corruptions,
              testing::Contains(testing::HasSubstr("but the checkpoint knows live records of generation")));
}

async::Task<void> CheckpointOnce(Volume* volume) {
  base::Ignore(co_await volume->Checkpoint());
}

TEST(Recovery, ABlockThatBecameDurableDuringACheckpointIsMissedWhenItIsGone) {
  OpenVolume open;
  SimDevice& device = open.machine.device;
  device.HoldSyncs(true);
  async::TaskGroup group(open.machine.context.get_executor(), "checkpoint");
  group.Spawn(CheckpointOnce(open.machine.volume.get()));
  RunReady(open.machine.context);
  ASSERT_EQ(device.held(), 1u);  // The table is taken, its first part is being written.
  TestAppender appender(open.machine.volume.get(), 100);
  appender.Append(Stream::kTransit, 1);
  device.HoldSyncs(false);
  async::RunTask(open.machine.context, group.Join());
  ASSERT_EQ(appender.done().size(), 1u);
  const Location location = appender.done()[0];
  SimImage image = device.Snapshot();
  image.SetSector(((location.segment + 1) * kMiB + location.offset) / kSectorBytes, nullptr);
  TestMachine machine(image);
  ASSERT_TRUE(machine.Open());
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::Not(testing::IsEmpty()));
}

TEST(Recovery, ACheckpointOfChangedSegmentsKnowsEveryRelease) {
  VolumeOptions options = TestMachine::Options();
  options.clean_below_live_percent = 0;
  OpenVolume open(options);
  std::vector<Location> all;
  for (std::uint64_t i = 1; i <= 12; ++i) {
    all.push_back(*open.machine.Append(Stream::kMailbox, TestKey(i), "", std::string(400'000, 'x')));
  }
  // A full one; then some that name the segments of the full one and what has changed since.
  for (const std::uint64_t released : {0, 2, 4, 6}) {
    ASSERT_TRUE(open.machine.Checkpoint());
    open.machine.volume->Release(all[released]);
  }
  ASSERT_TRUE(open.machine.Checkpoint());
  const VolumeStatus before = open.machine.volume->Status();
  open.machine.device.CutPowerNow();
  TestMachine machine(open.machine.device.ImageAfter(1));
  ASSERT_TRUE(machine.Open());
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
  for (std::uint64_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(machine.volume->IsLive(all[i]), i % 2 == 1 || i > 6) << "record " << i + 1;
  }
  EXPECT_EQ(machine.volume->Status().live_bytes_by_stream, before.live_bytes_by_stream);
  EXPECT_EQ(machine.volume->Status().space.live_bytes, before.space.live_bytes);
}

// Its state is so large that each checkpoint fills a segment.
class LargeOwner final : public RecordOwner {
 public:
  async::Task<base::Result<>> Moved(std::vector<Move>) override { co_return base::Result<>(); }
  CheckpointState TakeCheckpointState() override {
    taken = std::string(900'000, static_cast<char>('a' + count++ % 26));
    return {.state = taken, .releases = {}};
  }
  void CheckpointDurable() override { durable = taken; }
  std::string taken;
  std::string durable;
  int count = 0;
};

TEST(Recovery, TheNewestCheckpointKeepsWhatItSharesWithOlderOnes) {
  VolumeOptions options = TestMachine::Options();
  options.clean_below_live_percent = 0;
  LargeOwner owner;
  TestMachine machine{SimImage(66 * kMiB)};
  ASSERT_TRUE(machine.Format());
  ASSERT_TRUE(machine.Open(options));
  machine.volume->Start(&owner);
  machine.started = true;
  const auto append = [&](std::uint64_t index) {
    return *machine.Append(Stream::kMailbox, TestKey(index), "", std::string(510'000, 'x'));
  };
  for (std::uint64_t i = 1; machine.volume->Status().space.free_segments > 12; ++i) append(i);
  // One after the other names the parts of a full one, while two mails at a time overwrite every segment that becomes
  // free.
  for (std::uint64_t turn = 1; turn <= 20; ++turn) {
    SCOPED_TRACE("checkpoint " + std::to_string(turn));
    for (std::uint64_t i = 1; i <= 2; ++i) machine.volume->Release(append(100 * turn + i));
    ASSERT_TRUE(machine.Checkpoint());
    TestMachine again(machine.device.Snapshot());
    ASSERT_TRUE(again.Open());
    ASSERT_THAT(again.volume->recovery().corruptions, testing::IsEmpty());
    // Another one may have begun since.
    const std::string& state = again.volume->owner_state();
    ASSERT_TRUE(state == owner.durable || state == owner.taken) << state.substr(0, 3);
  }
}

TEST(Recovery, WhatACheckpointThatWasCutLeftTakesNoSpaceForEver) {
  OpenVolume open;
  const std::uint64_t before = open.machine.volume->Status().live_bytes_by_stream[0];
  // Parts and root are durable, the superblock is not.
  open.machine.device.Plant({.kind = PlantedFault::Kind::kHang, .to = kSectorBytes});
  async::TaskGroup group(open.machine.context.get_executor(), "checkpoint");
  group.Spawn(CheckpointOnce(open.machine.volume.get()));
  RunUntil(open.machine.context, [&] { return open.machine.device.hanging() == 1; });
  EXPECT_GT(open.machine.volume->Status().live_bytes_by_stream[0], before);
  TestMachine machine(open.machine.device.Snapshot());
  ASSERT_TRUE(machine.Open());
  EXPECT_EQ(machine.volume->Status().live_bytes_by_stream[0], before);
  open.machine.device.Unhang();
  async::RunTask(open.machine.context, group.Join());
}

// Sealed segments of small and large records, cleanly closed, so that each has a summary.
SimImage Sealed() {
  VolumeOptions options = TestMachine::Options();
  options.clean_below_live_percent = 0;
  OpenVolume open(options);
  for (std::uint64_t i = 1; i <= 60; ++i) {
    const std::size_t bytes = i % 4 == 0 ? 200'000 : i * 50;
    CHECK(open.machine
              .Append(i % 5 == 0 ? Stream::kTransit : Stream::kMailbox, TestKey(i), "head " + std::to_string(i),
                      std::string(bytes, 'x'))
              .has_value());
  }
  CHECK(open.machine.Close().has_value());
  return open.machine.device.Snapshot();
}

TEST(Summaries, EqualAScanOfTheBlocksAndSpareTheBodies) {
  const SimImage image = Sealed();
  const Found by_summary = Recover(image, RecoveryBase::kSuperblock);
  EXPECT_EQ(by_summary.records.size(), 60u);
  // What is not sealed is read: a piece of the open segment.
  EXPECT_LT(by_summary.scan_bytes_read, 1'200'000u);
  SimImage without = image;
  for (std::uint32_t segment = 0; segment < 16; ++segment) {
    without.SetSector((segment + 2) * kMiB / kSectorBytes - 1, nullptr);  // The footer.
  }
  const Found by_blocks = Recover(without, RecoveryBase::kSuperblock);
  EXPECT_GT(by_blocks.scan_bytes_read, 3'000'000u);
  EXPECT_EQ(by_blocks.records, by_summary.records);
  EXPECT_THAT(by_blocks.corruptions, testing::IsEmpty());
}

TEST(Summaries, ADamagedOneIsNotTrusted) {
  const SimImage image = Sealed();
  const Found whole = Recover(image, RecoveryBase::kSuperblock);
  // The summary's last sector, the footer.
  for (const std::uint64_t from_end : {2 * kSectorBytes, kSectorBytes}) {
    // Place and entries of a block; the footer's checksum, generation and more.
    for (const std::uint64_t at : {0, 4, 10, 30, 58, 70}) {
      SimImage damaged = image;
      for (std::uint32_t segment = 0; segment < 16; ++segment) damaged.FlipBit((segment + 2) * kMiB - from_end + at, 1);
      const Found found = Recover(damaged, RecoveryBase::kSuperblock);
      EXPECT_EQ(found.records, whole.records) << from_end << " " << at;
      EXPECT_THAT(found.corruptions, testing::IsEmpty());
    }
  }
}

TEST(UnusedSpace, IsTakenOnlyWhenItMayBe) {
  VolumeOptions options = TestMachine::Options();
  std::set<std::uint64_t> claimed;
  options.claim_unused = [&](std::uint64_t offset, std::uint64_t size) {
    EXPECT_EQ(size, kMiB);
    if (offset == kMiB) return false;  // Still being zeroed.
    claimed.insert(offset);
    return true;
  };
  ModelOwner owner;  // Outlives the volume, which takes a checkpoint when it closes.
  TestMachine machine(FormattedImage());
  ASSERT_TRUE(machine.Open(options));
  EXPECT_EQ(machine.volume->UnusedSpace().size(), 16u);
  machine.Start(&owner);
  const auto location = machine.Append(Stream::kTransit, TestKey(1), "", "");
  ASSERT_TRUE(location);
  EXPECT_TRUE(claimed.contains((location->segment + 1) * kMiB));
  EXPECT_FALSE(claimed.contains(kMiB));
}

}  // namespace
}  // namespace mffs
