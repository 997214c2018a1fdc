#include "mffs/format.h"

#include <array>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "base/random.h"
#include "mffs/block_builder.h"
#include "mffs/device_io.h"
#include "mffs/live_map.h"

namespace mffs {
namespace {

Uuid SomeUuid() {
  Uuid uuid;
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(i * 17);
  return uuid;
}
Geometry SomeGeometry() {
  return {.uuid = SomeUuid(), .segment_bytes = 1u << 20, .segment_count = 16, .end = 18u << 20};
}
Location SomeLocation() {
  return {.segment = 3, .generation = 9, .offset = 5440, .size = 100, .ordinal = 2};
}

Superblock SomeSuperblock() {
  return {.geometry = SomeGeometry(),
          .sequence = 42,
          .newest = {.base_lsn = Lsn(1000), .durable_lsn = Lsn(1003), .root = SomeLocation()},
          .previous = {}};
}

// Each bit of the sector flipped, one after the other.
template <class F>
int CountAccepted(IoMemory& sector, F decodes) {
  int accepted = 0;
  for (std::size_t bit = 0; bit < kSectorBytes * 8; ++bit) {
    sector.span()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    accepted += decodes() ? 1 : 0;
    sector.span()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  return accepted;
}

TEST(Format, ASuperblockComesBackAndEachFlippedBitIsFound) {
  IoMemory sector(kSectorBytes);
  EncodeSuperblock(SomeSuperblock(), 2, sector.span());
  const auto decoded = DecodeSuperblock(sector.span(), 2);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, SomeSuperblock());
  EXPECT_FALSE(DecodeSuperblock(sector.span(), 1)) << "a copy at another place";
  EXPECT_EQ(CountAccepted(sector, [&] { return DecodeSuperblock(sector.span(), 2).has_value(); }), 0);
}

TEST(Format, ASegmentHeaderComesBackAndEachFlippedBitIsFound) {
  IoMemory sector(kSectorBytes);
  const SegmentHeader header{.segment = 5, .generation = 7, .stream = Stream::kCold, .first_lsn = Lsn(99)};
  EncodeSegmentHeader(header, SomeUuid(), sector.span());
  const auto decoded = DecodeSegmentHeader(sector.span(), SomeUuid(), 5);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->generation, 7u);
  EXPECT_EQ(decoded->stream, Stream::kCold);
  EXPECT_EQ(decoded->first_lsn, Lsn(99));
  EXPECT_FALSE(DecodeSegmentHeader(sector.span(), SomeUuid(), 6));
  EXPECT_FALSE(DecodeSegmentHeader(sector.span(), Uuid(), 5)) << "another volume's";
  EXPECT_EQ(CountAccepted(sector, [&] { return DecodeSegmentHeader(sector.span(), SomeUuid(), 5).has_value(); }), 0);
}

TEST(Format, AFooterComesBackAndEachFlippedBitIsFound) {
  IoMemory sector(kSectorBytes);
  const Footer footer{.segment = 5,
                      .generation = 7,
                      .end_sector = 100,
                      .records = 12,
                      .summary_sector = 250,
                      .summary_bytes = 999,
                      .summary_checksum = 0x12345678,
                      .first_lsn = Lsn(3),
                      .last_lsn = Lsn(8)};
  EncodeFooter(footer, SomeGeometry(), sector.span());
  const auto decoded = DecodeFooter(sector.span(), SomeGeometry(), 5, 7);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->summary_checksum, 0x12345678u);
  EXPECT_EQ(decoded->last_lsn, Lsn(8));
  EXPECT_FALSE(DecodeFooter(sector.span(), SomeGeometry(), 5, 6)) << "of an earlier generation";
  EXPECT_EQ(CountAccepted(sector, [&] { return DecodeFooter(sector.span(), SomeGeometry(), 5, 7).has_value(); }), 0);
}

// Found by the fuzzer: arithmetic on them went round, and recovery with it.
TEST(Format, LsnsAndGenerationsThatCouldOverflowAreNotValid) {
  IoMemory sector(kSectorBytes);
  for (const std::uint64_t above : {0, 1}) {
    SCOPED_TRACE(above);
    const Lsn lsn(kLsnMax + above);
    EncodeSegmentHeader({.segment = 5, .generation = 7, .first_lsn = lsn}, SomeUuid(), sector.span());
    EXPECT_EQ(DecodeSegmentHeader(sector.span(), SomeUuid(), 5).has_value(), above == 0);
    const auto generation = static_cast<std::uint32_t>(kGenerationMax + above);
    EncodeSegmentHeader({.segment = 5, .generation = generation}, SomeUuid(), sector.span());
    EXPECT_EQ(DecodeSegmentHeader(sector.span(), SomeUuid(), 5).has_value(), above == 0);
    const BlockHeader highest{.segment = 5, .generation = 7, .sector_count = 1, .used_bytes = kRecordsOffset};
    for (Lsn BlockHeader::* field :
         {&BlockHeader::lsn, &BlockHeader::commit_lsn, &BlockHeader::mount_first, &BlockHeader::mount_cut}) {
      BlockHeader header = highest;
      header.*field = lsn;
      SealBlock(header, SegmentSeed(SomeUuid(), 5, 7), 9, {}, sector.span());
      EXPECT_EQ(DecodeBlockHeader(sector.span(), SomeUuid(), 5, 9).has_value(), above == 0);
    }
    Superblock superblock{.geometry = SomeGeometry(), .sequence = 1};
    superblock.newest.durable_lsn = lsn;
    EncodeSuperblock(superblock, 1, sector.span());
    EXPECT_EQ(DecodeSuperblock(sector.span(), 1).has_value(), above == 0);
  }
}

class BlockTest : public testing::Test {
 protected:
  BlockTest() : memory_(BlockBuilder::kMemoryBytes), builder_(memory_.span(), VolumeSeed(SomeUuid())) {}

  void Add(std::uint64_t index, std::string_view head, std::string_view body) {
    AppendRequest request;
    request.key = {.type = 1, .partition = 2, .epoch = 3, .index = index};
    request.head = head;
    request.body = {body.substr(0, body.size() / 2), {}, body.substr(body.size() / 2)};
    builder_.Add(request, 0);
  }
  base::MutableByteSpan Seal(std::uint32_t segment, std::uint32_t generation, std::uint32_t sector) {
    const BlockPlace place{.segment = segment,
                           .generation = generation,
                           .stream = Stream::kMailbox,
                           .first_sector = sector,
                           .first_ordinal = 10,
                           .seed = SegmentSeed(SomeUuid(), segment, generation)};
    return builder_.Seal(place, {.lsn = Lsn(77), .commit_lsn = Lsn(70), .mount_first = Lsn(60), .mount_cut = Lsn(50)},
                         SomeUuid());
  }

  IoMemory memory_;
  BlockBuilder builder_;
};

TEST_F(BlockTest, EverySectorAndRecordProvesItsPlace) {
  Add(1, "head", std::string(9000, 'b'));
  Add(2, "", "");
  const base::ByteSpan bytes = Seal(4, 6, 20);
  ASSERT_EQ(bytes.size(), 3 * kSectorBytes);
  const auto header = DecodeBlockHeader(bytes.first(kSectorBytes), SomeUuid(), 4, 20);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->lsn, Lsn(77));
  EXPECT_EQ(header->commit_lsn, Lsn(70));
  EXPECT_EQ(header->mount_first, Lsn(60));
  EXPECT_EQ(header->mount_cut, Lsn(50));
  EXPECT_EQ(header->sector_count, 3);
  EXPECT_EQ(header->record_count, 2);
  EXPECT_EQ(header->stream, Stream::kMailbox);
  EXPECT_FALSE(DecodeBlockHeader(bytes.first(kSectorBytes), SomeUuid(), 4, 21)) << "misdirected by a sector";
  const SegmentSeed seed(SomeUuid(), 4, 6);
  const base::ByteSpan second = bytes.subspan(kSectorBytes, kSectorBytes);
  EXPECT_TRUE(BlockSectorIsValid(bytes, 1, second, seed, 20));
  EXPECT_FALSE(BlockSectorIsValid(bytes, 2, second, seed, 20));
  EXPECT_FALSE(BlockSectorIsValid(bytes, 1, second, SegmentSeed(SomeUuid(), 4, 5), 20)) << "an earlier generation";

  const Location location = builder_.LocationOf(1);
  EXPECT_EQ(location.ordinal, 11u);
  EXPECT_EQ(location.size, RecordHeader::kEncodedSize);
  const auto record = DecodeRecordHeader(bytes.subspan(location.offset - 20 * kSectorBytes), seed, location.offset);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->key.index, 2u);
  EXPECT_FALSE(DecodeRecordHeader(bytes.subspan(location.offset - 20 * kSectorBytes), seed, location.offset + 4096));
}

TEST_F(BlockTest, TheFirstBlockOfASegmentBringsTheSegmentHeader) {
  Add(1, "h", "b");
  const base::ByteSpan bytes = Seal(4, 6, 1);
  ASSERT_EQ(bytes.size(), 2 * kSectorBytes);
  EXPECT_TRUE(DecodeSegmentHeader(bytes.first(kSectorBytes), SomeUuid(), 4));
  EXPECT_TRUE(DecodeBlockHeader(bytes.subspan(kSectorBytes), SomeUuid(), 4, 1));
}

TEST_F(BlockTest, WhatTheBufferHeldBeforeDoesNotReachTheDisk) {
  Add(1, "", std::string(3000, 's'));
  builder_.Clear();
  Add(2, "h", "b");
  const base::ByteSpan bytes = Seal(4, 6, 20);
  ASSERT_EQ(bytes.size(), kSectorBytes);
  EXPECT_EQ(base::AsText(bytes).find('s'), std::string_view::npos);
}

TEST_F(BlockTest, CanBeSealedAgainForAnotherPlace) {
  Add(1, "h", std::string(5000, 'x'));
  Seal(4, 6, 20);
  IoMemory memory(BlockBuilder::kMemoryBytes);
  BlockBuilder other(memory.span(), VolumeSeed(SomeUuid()));
  builder_.CopyTo(other);
  const base::ByteSpan bytes =
      other.Seal({.segment = 9, .generation = 1, .first_sector = 1, .seed = SegmentSeed(SomeUuid(), 9, 1)},
                 {.lsn = Lsn(77), .flags = BlockHeader::kRewritten}, SomeUuid());
  const auto header = DecodeBlockHeader(bytes.subspan(kSectorBytes, kSectorBytes), SomeUuid(), 9, 1);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->flags, BlockHeader::kRewritten);
  EXPECT_EQ(other.LocationOf(0).ordinal, 0u);
}

TEST_F(BlockTest, ChecksumsJoinedFromPiecesAreThoseOfTheBytes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    builder_.Clear();
    // From small blocks to those that are stored past the cache.
    for (std::uint64_t left = 1 + random.Below(900'000), index = 0; left > 0; ++index) {
      const std::uint64_t size = std::min(left, random.Below(random.OneIn(3) ? 100 : 30'000) + 1);
      std::string body(size, '\0');
      for (char& byte : body) byte = static_cast<char>(random.Next());
      Add(index, body.substr(0, random.Below(60)), body);
      left -= size;
    }
    const std::uint32_t sector = 2 + static_cast<std::uint32_t>(random.Below(100));
    const base::ByteSpan bytes = Seal(4, 6, sector);
    const SegmentSeed seeds(SomeUuid(), 4, 6);
    ASSERT_TRUE(DecodeBlockHeader(bytes.first(kSectorBytes), SomeUuid(), 4, sector));
    for (std::uint32_t i = 1; i < builder_.sector_count(); ++i) {
      EXPECT_TRUE(BlockSectorIsValid(bytes, i, bytes.subspan(i * kSectorBytes, kSectorBytes), seeds, sector)) << i;
    }
    for (std::uint32_t i = 0; i < builder_.record_count(); ++i) {
      const Location at = builder_.LocationOf(i);
      const base::ByteSpan record = bytes.subspan(at.offset - sector * kSectorBytes, at.size);
      const auto header = DecodeRecordHeader(record, seeds, at.offset);
      ASSERT_TRUE(header) << i;
      EXPECT_EQ(header->payload_checksum,
                base::Crc32c(record.subspan(RecordHeader::kEncodedSize), VolumeSeed(SomeUuid())));
    }
  }
}

TEST_F(BlockTest, WhatChangesInMemoryAfterItWasCopiedIsFound) {
  Add(1, "", std::string(9000, 'x'));
  memory_.span()[2 * kSectorBytes + 100] ^= std::byte{1};
  const base::ByteSpan bytes = Seal(4, 6, 20);
  const SegmentSeed seed(SomeUuid(), 4, 6);
  EXPECT_FALSE(BlockSectorIsValid(bytes, 1, bytes.subspan(kSectorBytes, kSectorBytes), seed, 20));
  EXPECT_TRUE(BlockSectorIsValid(bytes, 2, bytes.subspan(2 * kSectorBytes, kSectorBytes), seed, 20));
}

TEST(BlockRoom, LeavesRoomForTheSummaryUnlessThatIsTooLarge) {
  const BlockRoom room{.sectors = 3, .summary_bytes = 4000, .summary_bytes_max = 8000};
  EXPECT_TRUE(room.Fits(2 * 4096, 96));    // The summary is one sector.
  EXPECT_FALSE(room.Fits(2 * 4096, 97));   // Two.
  EXPECT_TRUE(room.Fits(3 * 4096, 4001));  // None.
  EXPECT_FALSE(room.Fits(3 * 4096 + 1, 4001));
}

TEST(LiveMap, BehavesLikeASetOfBits) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    LiveMap map;
    std::vector<bool> model;
    for (int step = 0; step < 300; ++step) {
      if (random.OneIn(3)) {
        const auto count = static_cast<std::uint32_t>(random.Below(100));
        const bool live = !random.OneIn(4);
        map.Extend(count, live);
        model.resize(model.size() + count, live);
      } else if (!model.empty()) {
        const std::uint64_t at = random.Below(model.size() + 3);
        const bool live = random.OneIn(5);
        EXPECT_EQ(map.Set(static_cast<std::uint32_t>(at), live), at < model.size() && model[at] != live);
        if (at < model.size()) model[at] = live;
      }
    }
    std::string text;
    map.EncodeTo(text);
    LiveMap decoded;
    ASSERT_TRUE(decoded.Decode(static_cast<std::uint8_t>(text[0]), std::string_view(text).substr(1), map.count()));
    EXPECT_EQ(decoded.live(), map.live());
    for (std::uint32_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(map.IsLive(i), model[i]);
      ASSERT_EQ(decoded.IsLive(i), model[i]);
    }
  }
}

TEST(LiveMap, RefusesBitsThatDoNotFit) {
  LiveMap map;
  EXPECT_FALSE(map.Decode(2, "a", 9));
  EXPECT_FALSE(map.Decode(3, "", 0));
  EXPECT_FALSE(map.Decode(1, "a", 8));
  EXPECT_TRUE(map.Decode(2, "\x05", 3));
  EXPECT_EQ(map.live(), 2u);
}

}  // namespace
}  // namespace mffs
