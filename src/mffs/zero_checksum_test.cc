// Redpanda#4113: a valid batch whose checksum happened to be 0 was taken for empty space. Here zero means nothing.
#include <cstring>

#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "mffs/format.h"
#include "mffs/image_geometry.h"
#include "mffs/sim_device.h"
#include "mffs/volume.h"

namespace mffs {
namespace {

constexpr Uuid kUuid{std::byte{1}, std::byte{2}, std::byte{3}};
constexpr RecordKey kKey{.type = 1, .partition = 1, .epoch = 1, .index = 1};

class NoOwner final : public RecordOwner {
 public:
  async::Task<base::Result<>> Moved(std::vector<Move>) override { co_return base::Result<>(); }
  CheckpointState TakeCheckpointState() override { return {}; }
  void CheckpointDurable() override {}
};

base::ByteSpan BytesOf(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// CRC is linear, so four bytes at the end make any checksum.
std::string BodyWithChecksumZero(std::string text) {
  const std::string zeroes(4, '\0');
  const std::uint32_t end = Crc32cSeedOf(BytesOf(zeroes), 0) ^ base::Crc32c(BytesOf(text), VolumeSeed(kUuid));
  for (int shift = 0; shift < 32; shift += 8) text.push_back(static_cast<char>(end >> shift));
  EXPECT_EQ(base::Crc32c(BytesOf(text), VolumeSeed(kUuid)), 0u);
  return text;
}

// What the record's checksum is on the disk.
std::uint32_t StoredChecksum(const SimImage& image, const Location& place) {
  const Geometry geometry{.segment_bytes = 1u << 20};
  std::array<std::byte, 4> bytes;
  image.Read(geometry.SegmentOffset(place.segment) + place.offset + 4, bytes);
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<std::uint32_t>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

TEST(ZeroChecksum, ARecordWhoseChecksumIsZeroIsARecordAfterACrash) {
  const std::string body = BodyWithChecksumZero("Subject: unlucky\r\n\r\n");
  base::SystemClock clock;
  asio::io_context context;
  SimDevice device(context.get_executor(), 32u << 20);
  ASSERT_TRUE(async::RunTask(context, Volume::Format(&device, {.segment_bytes = 1u << 20, .uuid = kUuid})));
  Location place;
  {
    NoOwner owner;
    auto volume = async::RunTask(context, Volume::Open(&device, &clock, {}));
    ASSERT_TRUE(volume);
    (*volume)->Start(&owner);
    const auto appended = async::RunTask(context, (*volume)->AppendCopy(Stream::kTransit, kKey, "", body));
    ASSERT_TRUE(appended);
    place = *appended;
    device.CutPowerNow();
    device.FailWhatWasCut();
    EXPECT_FALSE(async::RunTask(context, (*volume)->Close()));
  }
  const SimImage image = device.ImageAfter({}, 1);
  ASSERT_EQ(StoredChecksum(image, place), 0u) << "the test does not make what it wants to test";
  for (const RecoveryBase base : {RecoveryBase::kSuperblock, RecoveryBase::kScan, RecoveryBase::kNothing}) {
    SimDevice again(context.get_executor(), image);
    auto volume = async::RunTask(context, Volume::Open(&again, &clock, {.recover_from = base}));
    ASSERT_TRUE(volume);
    EXPECT_EQ((*volume)->recovery().records_found, 1u);
    EXPECT_TRUE((*volume)->recovery().corruptions.empty());
    const auto record = async::RunTask(context, (*volume)->Read(place));
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->body, body);
  }
}

}  // namespace
}  // namespace mffs
