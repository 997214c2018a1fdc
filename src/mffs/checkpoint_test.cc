#include "mffs/checkpoint.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mffs {
namespace {

TEST(CheckpointTable, ASegmentOfMillionsOfTinyRecordsFitsIntoRecords) {
  const Geometry geometry{.segment_bytes = 1u << 30, .segment_count = 16, .end = 17ull << 30};
  SegmentTable table(geometry);
  Segment segment{.generation = 3,
                  .state = SegmentState::kSealed,
                  .stream = Stream::kMailbox,
                  .end_sector = geometry.footer_sector(),
                  .live_bytes = 500'000'000,
                  .first_lsn = Lsn(7),
                  .last_lsn = Lsn(9)};
  // Every other one is live: the map needs a bit each, more than a record's body takes.
  segment.live.Extend(10'000'000, true);
  for (std::uint32_t i = 0; i < 10'000'000; i += 2) segment.live.Set(i, false);
  table.Restore(5, segment);

  const std::vector<std::string> parts = EncodeTable(table, {}, false);
  ASSERT_GT(parts.size(), 1u);
  for (const std::string& part : parts) EXPECT_LE(part.size(), kBodyBytesMax);
  SegmentTable again(geometry);
  ASSERT_TRUE(again.DecodeEntries(std::accumulate(parts.begin(), parts.end(), std::string())));
  EXPECT_EQ(again.live_bytes(), 500'000'000u);
  EXPECT_EQ(again[5].live.live(), 5'000'000u);
  EXPECT_FALSE(again[5].live.IsLive(0));
  EXPECT_TRUE(again[5].live.IsLive(9'999'999));
}

TEST(CheckpointTable, TextIsCutIntoPartsThatMakeItAgain) {
  EXPECT_THAT(CutIntoParts(""), testing::IsEmpty());
  const std::string text(2 * kCheckpointPartBytes + 1, 'x');
  const std::vector<std::string> parts = CutIntoParts(text);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0] + parts[1] + parts[2], text);
}

}  // namespace
}  // namespace mffs
