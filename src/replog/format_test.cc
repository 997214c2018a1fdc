#include "replog/format.h"

#include <gtest/gtest.h>

#include "replog/slot_map.h"

namespace replog {
namespace {

mffs::Location Place(std::uint32_t n) {
  return {.segment = n, .generation = n + 1, .offset = n * 8, .size = 100 + n, .ordinal = n};
}

TEST(SlotMap, GivesTheSameSlotsForEver) {
  // Golden: computed with an independent CRC-32C.
  const struct {
    std::string_view address;
    std::uint32_t slot, of_256, of_7;
  } rows[] = {
      {"alice@example.test", 47563, 185, 5},     {"bob@example.test", 30214, 118, 3},
      {"postmaster@example.test", 19710, 76, 2}, {"", 0, 0, 0},
      {"üñí@example.test", 43932, 171, 4},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(SlotOf(row.address), row.slot) << row.address;
    EXPECT_EQ(MailboxPartitionOfSlot(row.slot, 256), PartitionId(row.of_256)) << row.address;
    EXPECT_EQ(MailboxPartitionOfSlot(row.slot, 7), PartitionId(row.of_7)) << row.address;
  }
}

TEST(SlotMap, RangesCoverAllSlotsEvenlyAndInOrder) {
  for (const std::uint32_t count : {1u, 3u, 256u, 65'536u}) {
    std::vector<std::uint32_t> slots(count);
    std::uint32_t last = 0;
    for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
      const std::uint32_t partition = MailboxPartitionOfSlot(slot, count).value();
      ASSERT_LT(partition, count);
      ASSERT_GE(partition, last);
      last = partition;
      slots[partition] += 1;
    }
    const std::uint32_t share = kSlotCount / count;
    for (const std::uint32_t n : slots) EXPECT_NEAR(n, share, 1) << count;
  }
}

TEST(SlotMap, SpreadsAddresses) {
  std::vector<int> users(256);
  for (int i = 0; i < 256 * 100; ++i) {
    users[MailboxPartitionOfSlot(SlotOf("user" + std::to_string(i) + "@example.test"), 256).value()] += 1;
  }
  for (const int n : users) {
    EXPECT_GT(n, 50);
    EXPECT_LT(n, 160);
  }
}

TEST(EntryHead, IsReadBackAsWritten) {
  EntryHead head{.type = 3,
                 .cls = mail::Class::kSuspect,
                 .flags = EntryHead::kHasMail | EntryHead::kMailInParts,
                 .checksum = 0x11223344,
                 .mail_digest = 0x55667788,
                 .meta_bytes = 4,
                 .parts = 7,
                 .body = BodyId(kPartsBodyBit | 9),
                 .mail_bytes = 1'234'567,
                 .committed = Index(42),
                 .meta = "meta"};
  std::string bytes;
  head.EncodeTo(bytes);
  EXPECT_EQ(bytes.size(), EntryHead::kFixedBytes + 4);
  const auto read = EntryHead::Decode(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->type, 3);
  EXPECT_EQ(read->cls, mail::Class::kSuspect);
  EXPECT_TRUE(read->mail_in_parts());
  EXPECT_EQ(read->checksum, 0x11223344u);
  EXPECT_EQ(read->mail_digest, 0x55667788u);
  EXPECT_EQ(read->parts, 7u);
  EXPECT_EQ(read->body, BodyId(kPartsBodyBit | 9));
  EXPECT_EQ(read->mail_bytes, 1'234'567u);
  EXPECT_EQ(read->committed, Index(42));
  EXPECT_EQ(read->meta, "meta");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(EntryHead::Decode(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
  bytes[0] = 2;
  EXPECT_EQ(EntryHead::Decode(bytes).error().code(), base::Errc::kUnsupported);
}

TEST(EntryHead, ChecksumCoversWhatReplicasCompare) {
  const EntryHead head{.type = 1, .cls = mail::Class::kNormal, .mail_digest = 5, .mail_bytes = 6};
  const std::uint32_t checksum = head.Checksum("meta");
  EntryHead other = head;
  other.type = 2;
  EXPECT_NE(other.Checksum("meta"), checksum);
  other = head;
  other.cls = mail::Class::kBulk;
  EXPECT_NE(other.Checksum("meta"), checksum);
  other = head;
  other.mail_digest = 6;
  EXPECT_NE(other.Checksum("meta"), checksum);
  EXPECT_NE(head.Checksum("metb"), checksum);
  other = head;
  other.committed = Index(9);
  EXPECT_EQ(other.Checksum("meta"), checksum);
}

TEST(Extents, HostileCountsFail) {
  std::string bytes;
  EncodeExtents({{Place(1), 10, 20}, {Place(2), 30, 40}}, bytes);
  const auto read = DecodeExtents(bytes, 2);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)[1].location, Place(2));
  EXPECT_EQ((*read)[1].bytes, 30u);
  EXPECT_FALSE(DecodeExtents(bytes, 3).has_value());
  EXPECT_FALSE(DecodeExtents(bytes, 0xffffffff).has_value());
}

TEST(BodyRef, IsReadBackAndHostileCountsFail) {
  const BodyRef body{
      .id = BodyId(kPartsBodyBit | 3), .size_bytes = 300, .extents = {Place(1), Place(2)}, .extent_bytes = {200, 100}};
  std::string bytes;
  base::Encoder out(bytes);
  body.EncodeTo(out);
  base::Decoder in(bytes);
  const BodyRef read = BodyRef::DecodeFrom(in);
  EXPECT_TRUE(in.AtEnd());
  EXPECT_EQ(read.id, body.id);
  EXPECT_EQ(read.extents, body.extents);
  EXPECT_EQ(read.extent_bytes, body.extent_bytes);

  std::string hostile;
  base::Encoder bad(hostile);
  bad.Varint(1);
  bad.Varint(1);
  bad.Varint(~std::uint64_t{0});
  base::Decoder bad_in(hostile);
  EXPECT_TRUE(BodyRef::DecodeFrom(bad_in).empty());
  EXPECT_FALSE(bad_in.ok());
}

TEST(SnapshotEnd, IsReadBack) {
  const SnapshotEnd end{.reached = Index(9),
                        .epoch = Epoch(3),
                        .bytes = 77,
                        .pieces = {{Place(1), PieceKind::kStateMachine}, {Place(2), PieceKind::kPartBodies}}};
  const auto read = SnapshotEnd::Decode(end.EncodeHead(), end.EncodeBody());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->reached, Index(9));
  EXPECT_EQ(read->epoch, Epoch(3));
  EXPECT_EQ(read->bytes, 77u);
  ASSERT_EQ(read->pieces.size(), 2u);
  EXPECT_EQ(read->pieces[1].location, Place(2));
  EXPECT_EQ(read->pieces[1].kind, PieceKind::kPartBodies);
  EXPECT_FALSE(SnapshotEnd::Decode(end.EncodeHead(), end.EncodeBody() + "x").has_value());
  std::string unknown_kind = end.EncodeBody();
  unknown_kind.back() = 2;
  EXPECT_FALSE(SnapshotEnd::Decode(end.EncodeHead(), unknown_kind).has_value());
}

TEST(OwnerState, IsReadBackAndCutBytesFail) {
  const OwnerState state{.mailbox_partitions = 4,
                         .queue_partitions = 2,
                         .settled_lsn = mffs::Lsn(100),
                         .scan_after = mffs::Lsn(50),
                         .partitions = {{PartitionId(3), Epoch(2), Index(8), Index(7), Epoch(1), Place(5)}}};
  const std::string bytes = state.Encode();
  const auto read = OwnerState::Decode(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->scan_after, mffs::Lsn(50));
  ASSERT_EQ(read->partitions.size(), 1u);
  EXPECT_EQ(read->partitions[0].snapshot_end, Place(5));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(OwnerState::Decode(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace replog
