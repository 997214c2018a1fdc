#include "app/space_drawing.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace app {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr mffs::Geometry GeometryOf(std::uint32_t segments) {
  return {.uuid = {}, .segment_bytes = 1u << 20, .segment_count = segments, .end = (std::uint64_t{segments} + 2) << 20};
}

mffs::Segment SealedSegment(mffs::Stream stream, std::uint32_t live_bytes) {
  mffs::Segment segment{.generation = 1, .state = mffs::SegmentState::kSealed, .stream = stream};
  segment.live_bytes = live_bytes;
  segment.live.Extend(1, true);
  return segment;
}

// One of each kind, then free ones.
mffs::SpaceMap SomeMap(std::uint32_t segments) {
  mffs::SegmentTable table(GeometryOf(segments));
  table.Restore(0, SealedSegment(mffs::Stream::kMeta, 100));
  table.Restore(1, SealedSegment(mffs::Stream::kTransit, 600'000));
  table.Restore(2, SealedSegment(mffs::Stream::kParked, 1u << 19));
  table.Restore(3, SealedSegment(mffs::Stream::kMailbox, (1u << 19) - 8));
  table.Restore(4, SealedSegment(mffs::Stream::kCold, 1'000'000));
  table.Restore(5, SealedSegment(mffs::Stream::kHistory, 8));
  table.Restore(6, {.generation = 3, .state = mffs::SegmentState::kEmpty, .stream = mffs::Stream::kTransit});
  return mffs::MapSpace(GeometryOf(segments), table, std::vector<std::uint64_t>(segments, 1'040'000));
}

TEST(SpaceDrawing, TheTextHasOneLetterASegmentInLinesOf64) {
  const std::string text = TextMap(SomeMap(70));
  EXPECT_THAT(text, HasSubstr("       0  mTPbCh-" + std::string(57, '.') + "\n"));
  EXPECT_THAT(text, HasSubstr("\n      64  ......\n"));
  for (const char* word : {"m meta", "t transit", "p parked", "b mailbox", "c cold", "h history", "s brief"}) {
    EXPECT_THAT(text, HasSubstr(word));
  }
}

TEST(SpaceDrawing, AHugeVolumeIsDrawnInPart) {
  const mffs::SpaceMap map = SomeMap(kSegmentsInSvgMax + 10);
  const std::string text = TextMap(map);
  EXPECT_THAT(text, HasSubstr("and 49162 segments more"));
  EXPECT_LT(text.size(), 25'000u);
  const std::string svg = SvgMap(map, "huge");
  EXPECT_THAT(svg, HasSubstr("and 10 segments more"));
  EXPECT_LT(svg.size(), 6u << 20);
}

TEST(SpaceDrawing, ThePictureHasOneSquareASegmentAndAHostileTitleStaysText) {
  const std::string svg = SvgMap(SomeMap(70), "</text><script>\x1b[31m&");
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, Not(HasSubstr("\x1b")));
  EXPECT_THAT(svg, HasSubstr("&lt;/text>&lt;script>?[31m&amp;"));
  std::size_t squares = 0;
  for (std::size_t at = svg.find("height=\"12\" class="); at != std::string::npos;
       at = svg.find("height=\"12\" class=", at + 1)) {
    ++squares;
  }
  EXPECT_EQ(squares, 70u);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_EQ(std::ranges::count(svg, '<'), std::ranges::count(svg, '>') - 2);  // Two in the title stay.
}

}  // namespace
}  // namespace app
