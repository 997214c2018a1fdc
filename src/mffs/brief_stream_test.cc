// Stream brief: a volume of version 1 learns it with the first checkpoint that follows its first record; what survives
// cleaning stays in it.
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "mffs/superblock.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

class BriefStream : public testing::Test {
 protected:
  void Begin(std::uint64_t disk_bytes = TestMachine::kDiskBytes) {
    machine_.emplace(SimImage(disk_bytes));
    ASSERT_TRUE(machine_->Format());
    Mount();
  }
  void Mount() {
    ASSERT_TRUE(machine_->Open());
    machine_->Start(&owner_);
  }
  void MountAnew() {
    ASSERT_TRUE(machine_->Close());
    SimImage image(machine_->device.Snapshot());
    machine_.reset();
    machine_.emplace(std::move(image));
    Mount();
  }
  Location Append(std::uint64_t index, std::size_t bytes) {
    const auto location = machine_->Append(Stream::kBrief, TestKey(index), "head", std::string(bytes, 'b'));
    CHECK(location.has_value());
    owner_.records[index] = {.head = "head", .body = std::string(bytes, 'b'), .location = *location};
    return *location;
  }
  std::uint64_t LiveBytes(Stream stream) const {
    return machine_->volume->Status().live_bytes_by_stream[static_cast<std::size_t>(stream)];
  }
  std::uint32_t Version() {
    const auto superblock = async::RunTask(machine_->context, LoadSuperblock(&machine_->device, 10s));
    return superblock.has_value() ? superblock->version : 0;
  }
  // A sealed segment of stream brief with three small live records is cleaned.
  void CleanASegment() {
    Append(1, 1000);
    ASSERT_TRUE(machine_->Checkpoint());
    std::vector<Location> kept;
    for (std::uint64_t i = 2; i <= 4; ++i) kept.push_back(Append(i, 10'000));
    std::vector<Location> dead;
    while (dead.empty() || dead.back().segment == kept[0].segment) {
      dead.push_back(Append(100 + dead.size(), 300'000));
    }
    for (const Location& location : dead) machine_->volume->Release(location);
    ASSERT_TRUE(machine_->Checkpoint());
    for (int i = 0; i < 5000 && machine_->volume->Status().segments_cleaned == 0; ++i) {
      async::RunTask(machine_->context, async::Sleep(1ms));
    }
    ASSERT_GT(machine_->volume->Status().segments_cleaned, 0u);
    for (std::uint64_t i = 2; i <= 4; ++i) {
      const auto record = machine_->Read(*owner_.records[i].location);
      ASSERT_TRUE(record) << record.error().message();
      EXPECT_EQ(record->body, owner_.records[i].body);
      EXPECT_NE(owner_.records[i].location->segment, kept[0].segment);
    }
  }

  ModelOwner owner_;
  std::optional<TestMachine> machine_;
};

TEST_F(BriefStream, IsLearntWithTheCheckpointAfterItsFirstRecord) {
  Begin();
  ASSERT_TRUE(machine_->Checkpoint());
  EXPECT_EQ(Version(), 1u) << "nobody has asked for the stream";
  Append(1, 100);
  EXPECT_EQ(LiveBytes(Stream::kBrief), 0u) << "a build that knows version 1 alone could open the volume still";
  EXPECT_GT(LiveBytes(Stream::kMailbox), 0u);
  ASSERT_TRUE(machine_->Checkpoint());
  EXPECT_EQ(Version(), 2u);
  Append(2, 100);
  EXPECT_GT(LiveBytes(Stream::kBrief), 0u);
}

TEST_F(BriefStream, IsKnownAfterAMountAndItsRecordsAreThere) {
  Begin();
  Append(1, 100);
  ASSERT_TRUE(machine_->Checkpoint());
  Append(2, 200);
  MountAnew();
  EXPECT_EQ(Version(), 2u);
  const std::uint64_t before = LiveBytes(Stream::kBrief);
  EXPECT_GT(before, 0u);
  Append(3, 300);
  EXPECT_GT(LiveBytes(Stream::kBrief), before);
  for (const auto& [index, model] : owner_.records) {
    const auto record = machine_->Read(*model.location);
    ASSERT_TRUE(record) << "record " << index << ": " << record.error().message();
    EXPECT_EQ(record->body, model.body);
  }
}

TEST_F(BriefStream, KeepsWhatSurvivesCleaning) {
  Begin(std::uint64_t{80} << 20);
  CleanASegment();
  EXPECT_EQ(LiveBytes(Stream::kCold), 0u);
  EXPECT_GE(LiveBytes(Stream::kBrief), 30'000u);
}

TEST_F(BriefStream, GivesItToColdInAVolumeOfFewSegments) {
  Begin();
  CleanASegment();
  EXPECT_GE(LiveBytes(Stream::kCold), 30'000u);
}

}  // namespace
}  // namespace mffs
