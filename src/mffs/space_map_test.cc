#include "mffs/space_map.h"

#include <gtest/gtest.h>

#include "mffs/volume_testing.h"

namespace mffs {
namespace {

std::uint64_t SumOf(const SpaceCounts& counts) {
  return counts.live_bytes + counts.dead_bytes + counts.overhead_bytes + counts.unused_bytes + counts.free_bytes;
}

void ExpectAddsUp(const SpaceMap& map) {
  const std::uint64_t segment_bytes = map.geometry.segment_bytes;
  for (const SegmentSpace& segment : map.segments) EXPECT_EQ(SumOf(segment.counts), segment_bytes);
  std::uint64_t bytes = SumOf(map.free.counts);
  std::uint64_t segments = map.free.segments;
  for (const StreamSpace& stream : map.streams) {
    EXPECT_EQ(SumOf(stream.counts), stream.segments * segment_bytes);
    bytes += SumOf(stream.counts);
    segments += stream.segments;
  }
  EXPECT_EQ(segments, map.segments.size());
  EXPECT_EQ(bytes, segments * segment_bytes);
  EXPECT_EQ(SumOf(map.total.counts), bytes);
}

TEST(SpaceMap, AnEmptyVolumeIsFree) {
  TestMachine machine{SimImage(TestMachine::kDiskBytes)};
  ASSERT_TRUE(machine.Format());
  const auto map = async::RunTask(machine.context, ReadSpaceMap(&machine.device, {}));
  ASSERT_TRUE(map) << map.error().message();
  EXPECT_EQ(map->segments.size(), 16u);
  EXPECT_EQ(map->free.segments, 16u);
  EXPECT_EQ(map->total.counts.free_bytes, 16u << 20);
  ExpectAddsUp(*map);
}

TEST(SpaceMap, WhatTheStreamsHoldIsCountedAndNothingIsWritten) {
  ModelOwner owner;
  TestMachine machine{SimImage(TestMachine::kDiskBytes)};
  ASSERT_TRUE(machine.Format());
  ASSERT_TRUE(machine.Open());
  machine.Start(&owner);
  ASSERT_TRUE(machine.Append(Stream::kTransit, TestKey(1), "head", std::string(1000, 'a')));
  const auto released = machine.Append(Stream::kTransit, TestKey(2), "head", std::string(3000, 'b'));
  ASSERT_TRUE(released);
  ASSERT_TRUE(machine.Append(Stream::kMailbox, TestKey(3), "", std::string(100'000, 'c')));
  machine.volume->Release(*released);
  ASSERT_TRUE(machine.Close());
  const SimImage image = machine.device.Snapshot();

  TestMachine reader(image);
  std::uint64_t live_records = 0;
  const auto map = async::RunTask(reader.context, ReadSpaceMap(&reader.device, [&](const RecordView& record) {
                                    live_records += record.is_live ? 1 : 0;
                                  }));
  ASSERT_TRUE(map) << map.error().message();
  EXPECT_EQ(reader.device.counters().writes, 0u);
  ExpectAddsUp(*map);
  const SpaceCounts& transit = map->streams[static_cast<std::size_t>(Stream::kTransit)].counts;
  EXPECT_EQ(transit.records, 2u);
  EXPECT_EQ(transit.live_records, 1u);
  EXPECT_EQ(transit.live_bytes, PaddedRecordBytes(48 + 4 + 1000));
  EXPECT_EQ(transit.dead_bytes, PaddedRecordBytes(48 + 4 + 3000));
  // The segment's header, and two blocks of a header and the rest of their last sectors.
  EXPECT_GE(transit.overhead_bytes, kSectorBytes + std::uint64_t{2} * kRecordsOffset);
  EXPECT_LT(transit.overhead_bytes, kSectorBytes + 2 * (kRecordsOffset + kSectorBytes));
  EXPECT_EQ(live_records, map->total.counts.live_records);
  const SpaceCounts& mailbox = map->streams[static_cast<std::size_t>(Stream::kMailbox)].counts;
  EXPECT_EQ(mailbox.live_records, 1u);
  EXPECT_EQ(mailbox.live_bytes, PaddedRecordBytes(48 + 100'000));
}

TEST(SpaceMap, AnOpenSegmentStillHasRoomAndAnEmptyOneIsDead) {
  SegmentTable table(Geometry{.uuid = {}, .segment_bytes = 1u << 20, .segment_count = 16, .end = 18u << 20});
  Segment open{.generation = 2, .state = SegmentState::kOpen, .stream = Stream::kParked};
  open.end_sector = 3;
  table.Restore(0, open);
  Segment sealed{.generation = 3, .state = SegmentState::kSealed, .stream = Stream::kMailbox};
  sealed.end_sector = 10;
  sealed.live.Extend(2, true);
  sealed.live_bytes = 5000;
  table.Restore(2, sealed);
  table.Restore(1, {.generation = 4, .state = SegmentState::kEmpty, .stream = Stream::kCold});
  const SpaceMap map = MapSpace({.uuid = {}, .segment_bytes = 1u << 20, .segment_count = 16, .end = 18u << 20}, table,
                                std::vector<std::uint64_t>(16, 7'000));
  ExpectAddsUp(map);
  EXPECT_EQ(map.segments[0].counts.free_bytes, (1u << 20) - 3 * kSectorBytes);
  EXPECT_EQ(map.segments[1].counts.dead_bytes, 1u << 20);
  EXPECT_EQ(map.segments[2].counts.dead_bytes, 2'000u);
  EXPECT_EQ(map.segments[2].counts.overhead_bytes, 10 * kSectorBytes - 7'000);
  EXPECT_EQ(map.segments[2].counts.unused_bytes, (1u << 20) - 10 * kSectorBytes);
  EXPECT_EQ(map.segments[2].counts.free_bytes, 0u);
  EXPECT_EQ(map.free.segments, 13u);
}

}  // namespace
}  // namespace mffs
