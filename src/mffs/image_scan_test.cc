// Reading images of which much is gone: geometry without superblocks, records without checkpoints.
#include "mffs/image_scan.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"
#include "mffs/image_device.h"
#include "mffs/image_geometry.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using testing::HasSubstr;

std::string BodyOf(std::uint64_t index) {
  return std::string(index % 7 == 0 ? 150'000 : 2'000 + index * 13, static_cast<char>('a' + index % 26));
}

constexpr std::uint64_t kRecords = 70;

// Records 1 to kRecords in two streams and several segments.
SimImage WriteVolume() {
  ModelOwner owner;
  TestMachine machine{SimImage(TestMachine::kDiskBytes)};
  CHECK(machine.Format().has_value());
  CHECK(machine.Open().has_value());
  machine.Start(&owner);
  for (std::uint64_t i = 1; i <= kRecords; ++i) {
    const Stream stream = i % 2 == 0 ? Stream::kMailbox : Stream::kTransit;
    CHECK(machine.Append(stream, TestKey(i), "head", BodyOf(i)).has_value());
  }
  CHECK(machine.Close().has_value());
  return machine.device.Snapshot();
}

void EraseSuperblocks(SimImage& image) {
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    image.Write(SuperblockOffset(copy, TestMachine::kDiskBytes), base::Bytes(kSectorBytes));
  }
}

// One reading of an image.
struct Reading {
  explicit Reading(SimImage image)
      : device(context.get_executor(), std::move(image)), read_only(context.get_executor(), &device) {}

  base::Result<FoundGeometry> Geometry() {
    return async::RunTask(context, FindGeometry(&read_only, std::chrono::seconds(30)));
  }
  // The indexes of the whole records; checks their bytes.
  std::set<std::uint64_t> Scan(const mffs::Geometry& geometry) {
    std::set<std::uint64_t> found;
    ImageScanOptions options;
    options.visit = [&found](const SurveyedRecord& record) {
      if (record.header.key.type != ModelOwner::kRecordType || !record.body_is_readable) return;
      EXPECT_EQ(record.body, BodyOf(record.header.key.index));
      found.insert(record.header.key.index);
    };
    result = async::RunTask(context, ScanImage(&read_only, geometry, options));
    EXPECT_EQ(device.counters().writes, 0u);
    return found;
  }

  asio::io_context context{1};
  SimDevice device;
  ImageDevice read_only;
  ImageScan result;
};

TEST(Crc32cBackwards, FindsTheSeedOfAnyChecksum) {
  base::Random random(7);
  for (int i = 0; i < 200; ++i) {
    base::Bytes bytes(random.Below(300));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next());
    const auto seed = static_cast<std::uint32_t>(random.Next());
    EXPECT_EQ(Crc32cSeedOf(bytes, base::Crc32c(bytes, seed)), seed);
    EXPECT_EQ(VolumeSeed(UuidOfSeed(seed)), seed);
  }
}

TEST(ImageGeometry, IsThatOfTheSuperblockWhileOneIsLeft) {
  SimImage image = WriteVolume();
  const Geometry whole = Reading(image).Geometry()->geometry;
  for (std::size_t copy = 0; copy < 3; ++copy) {
    image.FlipBit(SuperblockOffset(copy, TestMachine::kDiskBytes) + 20, 1);
    const auto found = Reading(image).Geometry();
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->from_segments);
    EXPECT_EQ(found->geometry, whole);
    EXPECT_EQ(found->superblock_copies, 3 - copy);
    EXPECT_EQ(found->notes.size(), copy + 1);
  }
}

TEST(ImageGeometry, ComesFromSegmentHeadersWithoutSuperblocks) {
  SimImage image = WriteVolume();
  const Geometry whole = Reading(image).Geometry()->geometry;
  EraseSuperblocks(image);
  Reading reading(image);
  const auto found = reading.Geometry();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->from_segments);
  EXPECT_EQ(found->geometry.segment_bytes, whole.segment_bytes);
  EXPECT_GE(found->geometry.segment_count, whole.segment_count);
  EXPECT_EQ(VolumeSeed(found->geometry.uuid), VolumeSeed(whole.uuid));
  EXPECT_EQ(reading.Scan(found->geometry).size(), kRecords);
}

TEST(ImageGeometry, HeadersInMailDoNotDeceive) {
  SimImage image = WriteVolume();
  EraseSuperblocks(image);
  const Geometry whole = Reading(image).Geometry()->geometry;
  // A mail full of headers of another volume, in segments that are not in use.
  for (std::uint64_t offset = 9 * kMiB; offset < 16 * kMiB; offset += kSectorBytes) {
    base::Bytes sector(kSectorBytes);
    EncodeSegmentHeader({.segment = 1, .generation = 3, .stream = Stream::kMailbox, .first_lsn = Lsn(9)}, Uuid{},
                        sector);
    image.Write(offset, sector);
  }
  const auto found = Reading(image).Geometry();
  ASSERT_TRUE(found);
  EXPECT_EQ(VolumeSeed(found->geometry.uuid), VolumeSeed(whole.uuid));
  EXPECT_EQ(found->geometry.segment_bytes, whole.segment_bytes);
}

TEST(ImageGeometry, AnotherFormatVersionIsLeftAlone) {
  SimImage image = WriteVolume();
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    image.FlipBit(SuperblockOffset(copy, TestMachine::kDiskBytes) + 8, 2);
  }
  const auto found = Reading(image).Geometry();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), base::Errc::kUnsupported);
}

TEST(ImageGeometry, RandomBytesAreNoVolume) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    base::Random random(seed);
    SimImage image(4 * kMiB);
    base::Bytes bytes(4 * kMiB);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next());
    image.Write(0, bytes);
    const auto found = Reading(image).Geometry();
    ASSERT_FALSE(found) << "seed " << seed;
    EXPECT_EQ(found.error().code(), base::Errc::kCorrupt);
  }
  EXPECT_FALSE(Reading(SimImage(kMiB)).Geometry());
}

TEST(ImageScan, FindsEveryRecordOfAWholeImage) {
  Reading reading(WriteVolume());
  EXPECT_EQ(reading.Scan(reading.Geometry()->geometry).size(), kRecords);
  EXPECT_EQ(reading.result.records_damaged, 0u);
  EXPECT_EQ(reading.result.segments_missing, 0u);
}

// Any one sector gone: at most the records that touch it.
TEST(ImageScan, ADamagedSectorCostsOnlyTheRecordsThatTouchIt) {
  const SimImage image = WriteVolume();
  const Geometry geometry = Reading(image).Geometry()->geometry;
  std::uint64_t tried = 0;
  for (std::uint64_t offset = kMiB; offset < image.size_bytes() - 2 * kMiB; offset += 7 * kSectorBytes) {
    if (image.Sector(offset / kSectorBytes) == nullptr) continue;
    SimImage rotten = image;
    rotten.Write(offset, base::Bytes(kSectorBytes));
    Reading reading(rotten);
    // The smallest record has 2 KiB: at most three touch a sector; a block's first sector may cost as many.
    EXPECT_GE(reading.Scan(geometry).size(), kRecords - 3) << "offset " << offset;
    ++tried;
  }
  EXPECT_GT(tried, 40u);
}

TEST(ImageScan, ATruncatedImageGivesWhatIsOnIt) {
  const SimImage image = WriteVolume();
  SimImage half(3 * kMiB + 5 * kSectorBytes);
  for (std::uint64_t sector = 0; sector < half.size_bytes() / kSectorBytes; ++sector) {
    half.SetSector(sector, image.Sector(sector));
  }
  Reading reading(half);
  const auto found = reading.Geometry();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->geometry, Reading(image).Geometry()->geometry);
  EXPECT_THAT(testing::PrintToString(found->notes), HasSubstr("what lay behind is lost"));
  const auto records = reading.Scan(found->geometry);
  EXPECT_GT(records.size(), 5u);
  EXPECT_LT(records.size(), kRecords);
  EXPECT_GT(reading.result.segments_missing, 0u);
}

TEST(ImageDevice, NeverWrites) {
  Reading reading(WriteVolume());
  std::vector<base::Errc> errors;
  const auto note = [&errors](base::Result<> result) { errors.push_back(result.error().code()); };
  IoMemory memory(kSectorBytes);
  reading.read_only.Write(0, memory.span(), Sync::kYes, note);
  reading.read_only.Flush(note);
  reading.read_only.Read(reading.device.size_bytes(), memory.span(), note);
  reading.read_only.Submit();
  EXPECT_TRUE(errors.empty());  // Never inside the call.
  reading.context.run();
  EXPECT_EQ(errors, (std::vector{base::Errc::kReadOnly, base::Errc::kReadOnly, base::Errc::kIo}));
  EXPECT_EQ(reading.device.counters().operations(), 0u);
}

}  // namespace
}  // namespace mffs
