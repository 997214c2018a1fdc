// Redpanda#4113: a valid batch whose checksum happened to be 0 was taken for empty space. Here zero means nothing.
#include <array>
#include <bit>
#include <functional>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "mffs/format.h"
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

constexpr Geometry kGeometry{.segment_bytes = 1u << 20};
constexpr int kBits = 48;

// Bits that make a checksum zero: a CRC is linear in them, but for a constant.
std::optional<std::uint64_t> BitsForZero(const std::function<std::uint32_t(std::uint64_t bits)>& checksum) {
  const std::uint32_t constant = checksum(0);
  std::array<std::pair<std::uint32_t, std::uint64_t>, 32> basis{};  // By the highest bit that it changes.
  for (int bit = 0; bit < kBits; ++bit) {
    std::uint64_t bits = std::uint64_t{1} << bit;
    std::uint32_t change = checksum(bits) ^ constant;
    while (change != 0) {
      auto& [known, known_bits] = basis.at(31 - static_cast<std::size_t>(std::countl_zero(change)));
      if (known == 0) {
        known = std::exchange(change, 0);
        known_bits = bits;
      } else {
        change ^= known;
        bits ^= known_bits;
      }
    }
  }
  std::uint32_t left = constant;
  std::uint64_t chosen = 0;
  while (left != 0) {
    const auto& [known, known_bits] = basis.at(31 - static_cast<std::size_t>(std::countl_zero(left)));
    if (known == 0) return std::nullopt;
    left ^= known;
    chosen ^= known_bits;
  }
  return chosen;
}

std::uint32_t U32At(base::ByteSpan bytes, std::size_t at) {
  return base::Decoder(base::AsText(bytes.subspan(at, 4))).U32();
}

std::uint32_t U32At(const SimImage& image, std::uint64_t at) {
  std::array<std::byte, 4> bytes;
  image.Read(at, bytes);
  return U32At(bytes, 0);
}

std::string BodyWith(std::uint64_t bits, std::size_t at) {
  std::string body(9'000, 'x');
  for (std::size_t i = 0; i < kBits / 8; ++i) body[at + i] = static_cast<char>(bits >> (8 * i));
  return body;
}

// A volume whose power was cut when it had acknowledged one record.
struct Written {
  SimImage image;
  Location place;
};
Written Write(const std::string& body) {
  base::SystemClock clock;
  asio::io_context context;
  SimDevice device(context.get_executor(), 32u << 20);
  const FormatOptions format{.segment_bytes = kGeometry.segment_bytes, .uuid = kUuid};
  EXPECT_TRUE(async::RunTask(context, Volume::Format(&device, format)));
  NoOwner owner;
  auto volume = async::RunTask(context, Volume::Open(&device, &clock, {}));
  EXPECT_TRUE(volume);
  (*volume)->Start(&owner);
  const auto appended = async::RunTask(context, (*volume)->AppendCopy(Stream::kTransit, kKey, "", body));
  EXPECT_TRUE(appended);
  device.CutPowerNow();
  device.FailWhatWasCut();
  EXPECT_FALSE(async::RunTask(context, (*volume)->Close()));
  return {.image = device.ImageAfter({}, 1), .place = *appended};
}

void ExpectRecord(const Written& written, const std::string& body) {
  base::SystemClock clock;
  asio::io_context context;
  for (const RecoveryBase base : {RecoveryBase::kSuperblock, RecoveryBase::kScan, RecoveryBase::kNothing}) {
    SimDevice again(context.get_executor(), written.image);
    auto volume = async::RunTask(context, Volume::Open(&again, &clock, {.recover_from = base}));
    ASSERT_TRUE(volume) << volume.error().message();
    EXPECT_EQ((*volume)->recovery().records_found, 1u);
    EXPECT_TRUE((*volume)->recovery().corruptions.empty());
    const auto record = async::RunTask(context, (*volume)->Read(written.place));
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->body, body);
  }
}

// docs/format/mffs.md, "Commit block" and "Record". All that a block has of checksums, each made zero by bytes of a
// mail.
TEST(ZeroChecksum, ARecordIsARecordAfterACrashWhicheverChecksumIsZero) {
  const struct {
    const char* label;
    std::size_t bits_at;  // In the body.
    std::uint64_t (*field_at)(std::uint64_t record, std::uint64_t block);
  } rows[] = {
      {"of the record's header", 20, [](std::uint64_t record, std::uint64_t) { return record; }},
      {"of head and body", 20, [](std::uint64_t record, std::uint64_t) { return record + 4; }},
      {"of the block's first sector", 20, [](std::uint64_t, std::uint64_t block) { return block + 4; }},
      {"of the block's second sector", 5'000, [](std::uint64_t, std::uint64_t block) { return block + 64; }},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.label);
    const auto stored = [&](const Written& written) {
      const std::uint64_t record = kGeometry.SegmentOffset(written.place.segment) + written.place.offset;
      return U32At(written.image, row.field_at(record, record - U32At(written.image, record + 40)));
    };
    const auto bits = BitsForZero([&](std::uint64_t tried) { return stored(Write(BodyWith(tried, row.bits_at))); });
    ASSERT_TRUE(bits.has_value());
    const std::string body = BodyWith(*bits, row.bits_at);
    const Written written = Write(body);
    ASSERT_EQ(stored(written), 0u) << "the test does not make what it wants to test";
    ExpectRecord(written, body);
  }
}

Uuid UuidWith(std::uint64_t bits) {
  Uuid uuid{};
  for (std::size_t i = 0; i < kBits / 8; ++i) uuid.at(i) = static_cast<std::byte>(bits >> (8 * i));
  return uuid;
}

TEST(ZeroChecksum, ASuperblockAndASegmentHeaderAreWhatTheyAreWithChecksumZeroToo) {
  std::array<std::byte, kSectorBytes> sector;
  Superblock superblock{.geometry = {.segment_bytes = 1u << 20, .segment_count = 14, .end = 16u << 20}, .sequence = 7};
  const auto of_superblock = [&](std::uint64_t bits) {
    superblock.geometry.uuid = UuidWith(bits);
    EncodeSuperblock(superblock, 1, sector);
    return U32At(sector, 12);
  };
  const auto for_superblock = BitsForZero(of_superblock);
  ASSERT_TRUE(for_superblock.has_value());
  ASSERT_EQ(of_superblock(*for_superblock), 0u);
  const auto superblock_read = DecodeSuperblock(sector, 1);
  ASSERT_TRUE(superblock_read.has_value()) << superblock_read.error().message();
  EXPECT_EQ(*superblock_read, superblock);

  const SegmentHeader header{.segment = 3, .generation = 2, .stream = Stream::kMailbox, .first_lsn = Lsn(9)};
  const auto of_header = [&](std::uint64_t bits) {
    EncodeSegmentHeader(header, UuidWith(bits), sector);
    return U32At(sector, 8);
  };
  const auto for_header = BitsForZero(of_header);
  ASSERT_TRUE(for_header.has_value());
  ASSERT_EQ(of_header(*for_header), 0u);
  const auto header_read = DecodeSegmentHeader(sector, UuidWith(*for_header), 3);
  ASSERT_TRUE(header_read.has_value());
  EXPECT_EQ(header_read->first_lsn, header.first_lsn);
}

}  // namespace
}  // namespace mffs
