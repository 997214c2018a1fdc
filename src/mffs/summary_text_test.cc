#include "mffs/summary_text.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace mffs {
namespace {

constexpr SummaryText::Place kPlace{.segment = 7, .generation = 3, .end_sector = 250, .first_lsn = Lsn(1000)};

struct Expected {
  RecordHeader header;
  std::string head;
  std::uint32_t sector = 0;
  Lsn lsn;
};

// Blocks of records, as a lane writes them.
class Written {
 public:
  void Block(std::uint32_t sector, std::uint64_t lsn) {
    End();
    sector_ = sector;
    lsn_ = lsn;
    offset_ = kRecordsOffset;
  }
  void Record(RecordKey key, std::string head, std::uint32_t body_bytes, std::uint8_t flags = 0) {
    RecordHeader header{.payload_checksum = static_cast<std::uint32_t>(key.index * 2654435761u),
                        .flags = flags,
                        .head_bytes = static_cast<std::uint16_t>(head.size()),
                        .body_bytes = body_bytes,
                        .key = key,
                        .ordinal = static_cast<std::uint32_t>(expected.size()),
                        .block_offset = offset_,
                        .lsn_low = static_cast<std::uint32_t>(lsn_)};
    const std::uint32_t bound = group_.bytes_max() + SummaryGroup::EntryBytesMax(header.head_bytes);
    group_.Add(header, head);
    EXPECT_LE(group_.bytes_max(), bound);
    expected.push_back({header, std::move(head), sector_, Lsn(lsn_)});
    offset_ += PaddedRecordBytes(header.size());
  }
  void End() {
    const std::size_t before = text.size();
    group_.AppendTo(text, sector_, lsn_ - kPlace.first_lsn.value());
    EXPECT_LE(text.size() - before, group_.bytes_max());
    group_.Clear();
  }

  std::vector<Expected> expected;
  std::string text;

 private:
  SummaryGroup group_;
  std::uint32_t sector_ = 1;
  std::uint64_t lsn_ = kPlace.first_lsn.value();
  std::uint32_t offset_ = kRecordsOffset;
};

void ExpectReads(const Written& written) {
  SummaryText text(written.text, kPlace);
  for (int round = 0; round < 2; ++round) {
    for (const Expected& expected : written.expected) {
      SCOPED_TRACE("record " + std::to_string(expected.header.ordinal));
      const auto entry = text.Next();
      ASSERT_TRUE(entry.has_value());
      EXPECT_EQ(entry->header.key, expected.header.key);
      EXPECT_EQ(entry->header.payload_checksum, expected.header.payload_checksum);
      EXPECT_EQ(entry->header.flags, expected.header.flags);
      EXPECT_EQ(entry->header.ordinal, expected.header.ordinal);
      EXPECT_EQ(entry->header.block_offset, expected.header.block_offset);
      EXPECT_EQ(entry->header.lsn_low, expected.header.lsn_low);
      EXPECT_EQ(entry->location, (Location{.segment = kPlace.segment,
                                           .generation = kPlace.generation,
                                           .offset = static_cast<std::uint32_t>(expected.sector * kSectorBytes) +
                                                     expected.header.block_offset,
                                           .size = expected.header.size(),
                                           .ordinal = expected.header.ordinal}));
      EXPECT_EQ(entry->lsn, expected.lsn);
      EXPECT_EQ(entry->head, expected.head);
    }
    EXPECT_FALSE(text.Next().has_value());
    EXPECT_TRUE(text.IsAtEnd());
    text.Rewind();
  }
}

TEST(SummaryText, AnEmptyOneIsAtItsEnd) {
  SummaryText text("", kPlace);
  EXPECT_TRUE(text.IsAtEnd());
  EXPECT_FALSE(text.Next().has_value());
  std::string summary;
  SummaryGroup().AppendTo(summary, 1, 0);
  EXPECT_EQ(summary, "");
}

TEST(SummaryText, HoldsWhatWasWritten) {
  Written written;
  written.Block(1, 1000);
  written.Record({.type = 1, .partition = 5, .epoch = 9, .index = 1}, "head one", 4000);
  written.Record({.type = 1, .partition = 5, .epoch = 9, .index = 2}, "head two", 4000);
  written.Record({.type = 1, .partition = 5, .epoch = 9, .index = 3}, "head two", 0);
  written.Record({.type = 0xff, .partition = 0xffffffff, .epoch = 0, .index = 0}, "", kBodyBytesMax);
  written.Block(200, kLsnMax);
  written.Record({.type = 2, .partition = 0, .epoch = ~std::uint64_t{0}, .index = ~std::uint64_t{0}},
                 std::string(kHeadBytesMax, 'h'), 1, RecordHeader::kCopy);
  written.Record({.type = 2, .partition = 0, .epoch = 0, .index = 0}, std::string(kHeadBytesMax - 1, 'h') + "i", 1);
  written.End();
  ExpectReads(written);
}

TEST(SummaryText, AnyRecordsAreReadAgain) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    Written written;
    std::uint64_t lsn = 1000;
    for (std::uint32_t sector = 1; sector < 200; sector += 20) {
      written.Block(sector, lsn += 1 + random.Below(3));
      for (std::uint64_t i = random.Below(8); i > 0; --i) {
        const RecordKey key{.type = static_cast<std::uint8_t>(random.Below(3)),
                            .partition = static_cast<std::uint32_t>(random.Below(2)),
                            .epoch = random.Below(2),
                            .index = random.Below(4) == 0 ? random.Next() : random.Below(3)};
        written.Record(key, std::string(random.Below(3), 'a') + std::string(random.Below(20), 'b'),
                       static_cast<std::uint32_t>(random.Below(9000)));
      }
    }
    written.End();
    ExpectReads(written);
  }
}

// What makes the summary of small mails cheap: the room it takes is missing for mail.
TEST(SummaryText, AMailLikeTheOneBeforeTakesFewBytes) {
  Written written;
  written.Block(1, 1000);
  for (std::uint64_t i = 1; i <= 200; ++i) {
    written.Record({.type = 1, .partition = 5, .epoch = 9, .index = i * 3}, "envelope of mail " + std::to_string(i),
                   4096);
  }
  written.End();
  EXPECT_LT(written.text.size(), 200u * 16);
}

TEST(SummaryText, IsNotReadBeyondWhatIsValid) {
  Written written;
  written.Block(1, 1000);
  written.Record({.type = 1, .index = 1}, "head one", 4000);
  written.Record({.type = 1, .index = 2}, "head two", 4000);
  written.Block(4, 1001);
  written.Record({.type = 1, .index = 7}, "head seven", 10);
  written.End();
  const auto read = [](std::string_view text, SummaryText::Place place) {
    SummaryText summary(text, place);
    std::size_t count = 0;
    while (summary.Next().has_value()) ++count;
    return std::pair(count, summary.IsAtEnd());
  };
  EXPECT_EQ(read(written.text, kPlace), std::pair(std::size_t{3}, true));
  for (std::size_t size = 0; size < written.text.size(); ++size) {
    const auto [count, at_end] = read(std::string_view(written.text).substr(0, size), kPlace);
    EXPECT_LT(count, 3u);
    // Between two blocks the footer's count of records tells.
    EXPECT_TRUE(!at_end || size == 0 || count == 2) << size << " bytes";
  }
  SummaryText::Place shorter = kPlace;
  shorter.end_sector = 4;
  EXPECT_FALSE(read(written.text, shorter).second) << "a block behind the end";
  Written overlapping;
  overlapping.Block(10, 1000);
  overlapping.Record({.type = 1, .index = 1}, "", 5000);
  overlapping.Block(11, 1001);
  overlapping.Record({.type = 1, .index = 2}, "", 5000);
  overlapping.End();
  EXPECT_EQ(read(overlapping.text, kPlace), std::pair(std::size_t{1}, false));
}

TEST(SummaryText, TakesHostileBytes) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    std::string bytes(random.Below(200), '\0');
    const std::uint64_t most = seed % 2 == 0 ? 256 : 8;
    for (char& byte : bytes) byte = static_cast<char>(random.Below(most));
    SummaryText text(bytes, kPlace);
    std::uint64_t end = 0;
    while (const auto entry = text.Next()) {
      EXPECT_GE(entry->location.offset, end);
      end = entry->location.offset + entry->location.size;
      EXPECT_LE(end, std::uint64_t{kPlace.end_sector} * kSectorBytes);
      EXPECT_EQ(entry->head.size(), entry->header.head_bytes);
    }
  }
}

}  // namespace
}  // namespace mffs
