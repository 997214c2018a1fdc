// Reading back: windows into bodies, runs of neighbours, damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/volume_testing.h"

namespace mffs {
namespace {

std::string Text(std::size_t bytes, int from) {
  std::string text;
  for (int i = from; text.size() < bytes; ++i) text += std::to_string(i) + ",";
  text.resize(bytes);
  return text;
}

class Reading : public testing::Test {
 protected:
  base::Result<RecordReader::Run> ReadRun(Location location, std::uint32_t bytes) {
    return async::RunTask(open_.machine.context, open_.machine.volume->ReadRun(location, bytes));
  }
  // A block of its own each.
  std::vector<Location> AppendOneByOne(std::uint64_t count, std::size_t body_bytes) {
    std::vector<Location> places;
    for (std::uint64_t i = 1; i <= count; ++i) {
      places.push_back(
          *open_.machine.Append(Stream::kTransit, TestKey(i), "head", Text(body_bytes, static_cast<int>(i))));
    }
    return places;
  }
  // All in one block.
  std::vector<Location> AppendTogether(std::uint64_t count, std::size_t body_bytes) {
    TestAppender appender(open_.machine.volume.get(), body_bytes);
    for (std::uint64_t i = 1; i <= count; ++i) appender.Append(Stream::kTransit, i);
    RunUntil(open_.machine.context, [&] { return appender.done().size() == count; });
    return appender.done();
  }
  std::uint64_t PlaceOf(const Location& location) const { return (location.segment + 1) * kMiB + location.offset; }
  static std::vector<Location> PlacesOf(const RecordReader::Run& run) {
    std::vector<Location> places;
    for (const auto& [location, record] : run) places.push_back(location);
    return places;
  }

  OpenVolume open_;
};

TEST_F(Reading, WindowsIntoABody) {
  const std::string body = Text(100'000, 0);
  const Location location = *open_.machine.Append(Stream::kTransit, TestKey(1), "head", body);
  for (const auto& [offset, size] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {0, 10}, {0, 200'000}, {4000, 100}, {50'000, 5000}, {99'990, 100}, {100'020, 5}, {10, 0}}) {
    const auto window = async::RunTask(open_.machine.context, open_.machine.volume->ReadBody(location, offset, size));
    ASSERT_TRUE(window);
    EXPECT_EQ(*window, offset < body.size() ? body.substr(offset, size) : "") << offset;
  }
}

TEST_F(Reading, AWindowIsHarmedOnlyByItsOwnSectors) {
  const std::string body = Text(100'000, 0);
  const Location location = *open_.machine.Append(Stream::kTransit, TestKey(1), "head", body);
  open_.machine.device.FlipBit(PlaceOf(location) + 50'000, 1);
  Volume& volume = *open_.machine.volume;
  EXPECT_TRUE(async::RunTask(open_.machine.context, volume.ReadBody(location, 0, 40'000)));
  EXPECT_TRUE(async::RunTask(open_.machine.context, volume.ReadBody(location, 60'000, 40'000)));
  const auto damaged = async::RunTask(open_.machine.context, volume.ReadBody(location, 45'000, 10'000));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), base::Errc::kCorrupt);
}

TEST_F(Reading, ARunHandsOutTheLiveNeighboursInDiskOrderFromOneRead) {
  const std::vector<Location> places = AppendOneByOne(6, 10'000);
  open_.machine.volume->Release(places[2]);
  const std::uint64_t reads = open_.machine.device.counters().reads;
  const auto run = ReadRun(places[1], 256u << 10);
  EXPECT_EQ(open_.machine.device.counters().reads, reads + 1);
  ASSERT_TRUE(run);
  EXPECT_THAT(PlacesOf(*run), testing::ElementsAre(places[1], places[3], places[4], places[5]));
  EXPECT_EQ((*run)[1].second.body, Text(10'000, 4));
  EXPECT_EQ((*run)[1].second.key, TestKey(4));
}

TEST_F(Reading, ARunIsAsLongAsAskedFor) {
  const std::vector<Location> places = AppendOneByOne(6, 10'000);
  EXPECT_THAT(PlacesOf(*ReadRun(places[0], 1)), testing::ElementsAre(places[0]));
  // The record and two more blocks of three sectors.
  EXPECT_THAT(PlacesOf(*ReadRun(places[0], 9 * 4096)), testing::ElementsAre(places[0], places[1], places[2]));
}

TEST_F(Reading, WithoutPrefetchingARunIsOneRecord) {
  VolumeOptions options = TestMachine::Options();
  options.prefetching = false;
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 1000);
  for (std::uint64_t i = 1; i <= 3; ++i) appender.Append(Stream::kTransit, i);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 3; });
  const auto run = async::RunTask(open.machine.context, open.machine.volume->ReadRun(appender.done()[2], 1u << 20));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->size(), 1u);
}

TEST_F(Reading, ABadBodyInARunHarmsOnlyItsRecord) {
  for (const bool together : {false, true}) {
    SCOPED_TRACE(together ? "one block" : "a block each");
    const std::vector<Location> places = together ? AppendTogether(5, 20'000) : AppendOneByOne(5, 20'000);
    open_.machine.device.FlipBit(PlaceOf(places[2]) + 10'000, 1);
    const auto run = ReadRun(places[0], 512u << 10);
    ASSERT_TRUE(run);
    std::vector<Location> found = PlacesOf(*run);
    EXPECT_THAT(std::vector(found.begin(), found.begin() + 4),
                testing::ElementsAre(places[0], places[1], places[3], places[4]));
  }
}

TEST_F(Reading, ABadHeaderEndsTheRunAndTheOthersAreStillReadAlone) {
  const std::vector<Location> places = AppendTogether(5, 20'000);
  open_.machine.device.FlipBit(PlaceOf(places[2]) + 20, 1);
  const auto run = ReadRun(places[0], 512u << 10);
  ASSERT_TRUE(run);
  EXPECT_THAT(PlacesOf(*run), testing::ElementsAre(places[0], places[1]));
  EXPECT_FALSE(open_.machine.Read(places[2]));
  EXPECT_TRUE(open_.machine.Read(places[3]));
  EXPECT_TRUE(open_.machine.Read(places[4]));
}

TEST_F(Reading, ASectorThatTheDeviceCannotReadCostsTheRunNotItsFirstRecord) {
  const std::vector<Location> places = AppendOneByOne(5, 20'000);
  const std::uint64_t at = PlaceOf(places[2]) + 10'000;
  open_.machine.device.Plant({.kind = PlantedFault::Kind::kFail,
                              .on = SimOperation::kRead,
                              .times = PlantedFault::kAlways,
                              .from = at,
                              .to = at + 1});
  const auto run = ReadRun(places[0], 512u << 10);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->front().first, places[0]);
  const auto bad = ReadRun(places[2], 512u << 10);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), base::Errc::kCorrupt);
  EXPECT_TRUE(ReadRun(places[3], 512u << 10));
}

}  // namespace
}  // namespace mffs
