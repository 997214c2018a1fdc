#include "history/format.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace history {
namespace {

base::WallTime At(std::int64_t seconds) {
  return base::WallTime(std::chrono::seconds(seconds));
}

mffs::Location PlaceAt(std::uint32_t segment) {
  return {.segment = segment, .generation = 1, .offset = 4096, .size = 512, .ordinal = 3};
}

SavedState SomeState() {
  SavedState state;
  state.runs.push_back(
      {.number = RunNumber(2),
       .keys = 70'000,
       .parts = {PlaceAt(1), PlaceAt(2), PlaceAt(3)},
       .records = {{.slot = 0, .place = PlaceAt(4), .event_bytes = 9, .oldest = At(1), .newest = At(2)},
                   {.slot = 7, .place = PlaceAt(5), .event_bytes = 8, .oldest = At(3), .newest = At(4)}}});
  state.runs.push_back({.number = RunNumber(3), .keys = 0, .parts = {}, .records = {}});
  state.marks = {{replog::PartitionId(0), replog::Index(12)}, {replog::kFirstQueuePartition, replog::Index(1u << 20)}};
  return state;
}

TEST(HistoryFormat, StateIsReadAsItWasWritten) {
  const auto read = SavedState::Decode(SomeState().Encode());
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(*read, SomeState());
  EXPECT_EQ(*SavedState::Decode(""), SavedState());
}

TEST(HistoryFormat, StateIsRefusedWhenBytesAreMissingOrTooMany) {
  const std::string bytes = SomeState().Encode();
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(SavedState::Decode(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(SavedState::Decode(bytes + "x").has_value());
}

TEST(HistoryFormat, HeadsAreReadAsTheyWereWritten) {
  const EventsHead events{.events = 4, .event_bytes = 1000, .oldest = At(5), .newest = At(9)};
  ASSERT_EQ(events.Encode().size(), EventsHead::kEncodedSize);
  const auto read = EventsHead::Decode(events.Encode());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->event_bytes, 1000u);
  EXPECT_EQ(read->newest, At(9));
  const IndexHead index{.parts = PartsOf(65'537), .keys = 65'537};
  ASSERT_EQ(index.Encode().size(), IndexHead::kEncodedSize);
  EXPECT_EQ(IndexHead::Decode(index.Encode())->parts, 3u);
  EXPECT_FALSE(IndexHead::Decode(IndexHead{.parts = 2, .keys = 65'537}.Encode()).has_value());
}

TEST(HistoryFormat, AnIndexIsCutIntoPartsWithAFenceForEachBlock) {
  std::vector<Key> keys;
  for (std::uint32_t i = 0; i < 70'000; ++i) keys.push_back(KeyOf(i / 2, i));
  const std::vector<std::string> parts = EncodeIndex(keys);
  ASSERT_EQ(parts.size(), PartsOf(70'000));
  EXPECT_EQ(parts[0].size(), mffs::kBodyBytesMax);
  EXPECT_EQ(parts[1].size(), (70'000 - kKeysPerPart) * sizeof(Key));
  ASSERT_EQ(parts[2].size(), 35u * 4);
  EXPECT_EQ(base::LoadLe<std::uint32_t>(parts[2].data() + 4), kKeysPerFence / 2);
  EXPECT_EQ(PositionIn(base::LoadLe<Key>(parts[1].data())), kKeysPerPart);
}

}  // namespace
}  // namespace history
