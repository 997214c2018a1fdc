// The format does not change silently: an image that an earlier build wrote is read, and the same work writes it again.
// To add the image of a new format version: POSTHORN_WRITE_GOLDEN=1 mffs_test --gtest_filter='*Golden.*'
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/image_text.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

std::string PathOf(std::uint32_t version) {
  return "test/golden/mffs-" + std::to_string(version) + ".image";
}

struct GoldenRecord {
  std::uint64_t index;
  Stream stream;
  std::string head;
  std::string body;
  bool is_live = true;
};

// What the image holds, in LSN order. Of the released one the segment is still there.
std::vector<GoldenRecord> GoldenRecords(std::uint32_t version) {
  std::vector<GoldenRecord> records{
      {1, Stream::kTransit, "golden head", "golden body"},
      {2, Stream::kTransit, "dead head", "dead body", false},
      {3, Stream::kMailbox, "", std::string(9000, 'g')},
      {4, Stream::kParked, "parked", std::string(100, '\0')},
      {5, Stream::kHistory, std::string(kHeadBytesMax, 'h'), ""},
      {6, Stream::kMeta, "note", "meta of the owner"},
      // Of the second mount, which ends by a power cut: nothing but its blocks tells of them.
      {7, Stream::kTransit, "tail one", "in no checkpoint"},
      {8, Stream::kMailbox, "tail two", std::string(5000, 't')},
  };
  if (version == kFormatVersionBrief) {
    // The first one of stream brief asks for the version; until the superblock names it, it is kept as mail that stays.
    records.push_back({9, Stream::kMailbox, "asks", "for the stream"});
    records.push_back({10, Stream::kBrief, "brief", std::string(3000, 'b')});
  }
  return records;
}

void AppendGolden(TestMachine& machine, std::uint64_t first, std::uint64_t last) {
  for (const GoldenRecord& record : GoldenRecords(kFormatVersionBrief)) {
    if (record.index < first || record.index > last) continue;
    const auto location = machine.Append(record.index >= 9 ? Stream::kBrief : record.stream, TestKey(record.index),
                                         record.head, record.body);
    CHECK(location.has_value());
    if (!record.is_live) machine.volume->Release(*location);
  }
}

VolumeOptions WithoutCleaning() {
  VolumeOptions options = TestMachine::Options();
  options.clean_below_live_percent = 0;
  return options;
}

SimImage WriteGolden(std::uint32_t version) {
  Uuid uuid;
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(0x10 + i);
  TestMachine first{SimImage(TestMachine::kDiskBytes)};
  CHECK(async::RunTask(first.context, Volume::Format(&first.device, {.segment_bytes = 1u << 20, .uuid = uuid}))
            .has_value());
  ModelOwner owner;
  CHECK(first.Open(WithoutCleaning()).has_value());
  first.Start(&owner);
  CHECK(first.Checkpoint().has_value());
  AppendGolden(first, 1, 3);
  CHECK(first.Checkpoint().has_value());
  AppendGolden(first, 4, 6);
  CHECK(first.Close().has_value());

  TestMachine second(first.device.Snapshot());
  CHECK(second.Open(WithoutCleaning()).has_value());
  second.Start(&owner);
  CHECK(second.Checkpoint().has_value());
  AppendGolden(second, 7, 8);
  if (version == kFormatVersionBrief) {
    AppendGolden(second, 9, 9);
    CHECK(second.Checkpoint().has_value());
    AppendGolden(second, 10, 10);
  }
  second.device.CutPowerNow();
  return second.device.ImageAfter(std::span<const WriteFate>(), 1);
}

class Golden : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(EachVersion, Golden, testing::Values(kFormatVersion, kFormatVersionBrief));

TEST_P(Golden, TheImageIsRead) {
  const auto image = LoadImage(PathOf(GetParam()));
  ASSERT_TRUE(image.has_value()) << PathOf(GetParam()) << " cannot be read: run in the top folder";
  const std::vector<GoldenRecord> records = GoldenRecords(GetParam());
  const std::string state = GetParam() == kFormatVersion ? "state 6" : "state 7";
  for (const RecoveryBase base : {RecoveryBase::kSuperblock, RecoveryBase::kScan, RecoveryBase::kNothing}) {
    SCOPED_TRACE(static_cast<int>(base));
    TestMachine machine(*image);
    VolumeOptions options = TestMachine::Options();
    options.recover_from = base;
    ASSERT_TRUE(machine.Open(options));
    EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
    EXPECT_EQ(machine.volume->owner_state(), base == RecoveryBase::kNothing ? "" : state);
    const std::vector<SeenRecord> seen = machine.Scan();
    ASSERT_EQ(seen.size(), records.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const GoldenRecord& expected = records[i];
      SCOPED_TRACE("record " + std::to_string(expected.index));
      EXPECT_EQ(seen[i].key, TestKey(expected.index));
      EXPECT_EQ(seen[i].stream, expected.stream);
      EXPECT_EQ(seen[i].head, expected.head);
      EXPECT_EQ(seen[i].is_live, expected.is_live || base == RecoveryBase::kNothing);
      const auto record = machine.Read(seen[i].location);
      ASSERT_TRUE(record);
      EXPECT_TRUE(record->body == expected.body);
    }
  }
}

TEST_P(Golden, IsWhatTheSameWorkWrites) {
  const std::string written = ImageText(WriteGolden(GetParam()));
  if (std::getenv("POSTHORN_WRITE_GOLDEN") != nullptr) std::ofstream(PathOf(GetParam())) << written;
  std::ifstream in(PathOf(GetParam()));
  const std::string golden((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_LT(golden.size(), 100u << 10);
  // Not EXPECT_EQ: it would print both.
  EXPECT_TRUE(written == golden) << "the disk format, or the order of writes, has changed";
}

TEST_P(Golden, TextIsTheImage) {
  const SimImage image = WriteGolden(GetParam());
  const auto again = ImageOf(ImageText(image));
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(*again == image);
  EXPECT_FALSE(ImageOf("size 1000\n0 00").has_value());
  EXPECT_FALSE(ImageOf("size 1000\nffff " + std::string(64, '0')).has_value());
}

}  // namespace
}  // namespace mffs
