// The scrub of an open volume: finds what rots, wherever it is, and nothing else, whatever goes on meanwhile.
#include "mffs/scrubber.h"

#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "base/random.h"
#include "mffs/recovery.h"
#include "mffs/sector_verifier.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

VolumeOptions ScrubOptions() {
  VolumeOptions options = TestMachine::Options();
  options.scrub_within = 0s;  // Only when the test asks.
  options.clean_below_live_percent = 0;
  options.describe_record = [](const RecordKey& key, std::string_view head) {
    return "mail " + std::to_string(key.index) + " (" + std::string(head) + ")";
  };
  return options;
}

SegmentTable TableOf(const SimImage& image) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image);
  auto recovered = async::RunTask(context, Recover(&device, 30s, RecoveryBase::kSuperblock));
  CHECK(recovered.has_value());
  return std::move(recovered->table);
}

Geometry GeometryOf(const SimImage& image) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image);
  const auto superblock = async::RunTask(context, LoadSuperblock(&device, 30s));
  CHECK(superblock.has_value());
  return superblock->geometry;
}

// Begins a scrub and waits for its end.
ScrubStatus ScrubAll(TestMachine& machine) {
  const std::uint64_t ended = machine.volume->Scrub().passes_ended;
  CHECK(machine.volume->BeginScrub(kUnlimited).has_value());
  RunUntil(machine.context, [&] { return machine.volume->Scrub().passes_ended > ended; });
  return machine.volume->Scrub();
}

std::string Sentences(const ScrubStatus& status) {
  std::string text;
  for (const Finding& finding : status.findings) {
    text += std::string(ToString(finding.severity)) + " " + finding.kind + ": " + finding.sentence + "\n";
  }
  return text;
}

// Two sealed segments and an open one of small and large records, some released.
struct Filled {
  Filled() : open(ScrubOptions()) {
    for (std::uint64_t i = 1; i <= 40; ++i) {
      places.push_back(open.Append(i, std::string(i % 4 == 0 ? 200'000 : 3'000, static_cast<char>('a' + i % 26))));
    }
    for (std::size_t i = 0; i < places.size(); i += 3) open.machine.volume->Release(places[i]);
    CHECK(open.machine.Checkpoint().has_value());
    RunReady(open.machine.context);
  }
  SimDevice& device() { return open.machine.device; }
  ScrubStatus Scrub() { return ScrubAll(open.machine); }

  OpenVolume open;
  std::vector<Location> places;
};

TEST(SectorVerifier, KnowsEverySectorOfASegment) {
  Filled filled;
  const SimImage image = filled.device().Snapshot();
  const Geometry geometry = GeometryOf(image);
  const SegmentTable table = TableOf(image);
  std::uint32_t sectors = 0;
  for (std::uint32_t number = 0; number < table.size(); ++number) {
    const Segment& segment = table[number];
    if (segment.state == SegmentState::kFree) continue;
    for (std::uint32_t bad = 0; bad < segment.end_sector; ++bad) {
      SectorVerifier verifier(geometry, number, segment.generation, segment.end_sector);
      std::vector<std::uint32_t> found;
      for (std::uint32_t i = 0; i < segment.end_sector; ++i) {
        base::Bytes sector(kSectorBytes);
        image.Read(geometry.SectorOffset(number, i), sector);
        if (i == bad) sector[std::uint64_t{i} * 31 % kSectorBytes] ^= std::byte{4};
        if (verifier.Feed(sector, true) == SectorState::kBad) found.push_back(i);
      }
      ASSERT_THAT(found, ElementsAre(bad)) << "segment " << number;
      ++sectors;
    }
  }
  EXPECT_GT(sectors, 400u);
}

TEST(Scrub, FindsNothingOnASoundVolume) {
  Filled filled;
  const ScrubStatus status = filled.Scrub();
  EXPECT_EQ(Sentences(status), "");
  EXPECT_EQ(status.bad_sectors, 0u);
  EXPECT_GT(status.bytes_read, 2u << 20);
  EXPECT_FALSE(status.is_requested);
  EXPECT_GT(status.last_pass_ended, 0u);
}

TEST(Scrub, NamesTheMailOfABadSectorAndCountsItOnce) {
  Filled filled;
  const Location& place = filled.places[7];  // Large, live.
  ASSERT_GT(place.size, 100'000u);
  const Geometry geometry = GeometryOf(filled.device().Snapshot());
  const std::uint64_t bad = geometry.SegmentOffset(place.segment) + place.offset + 100'000;
  filled.device().FlipBit(bad, 3);
  for (int i = 0; i < 2; ++i) {
    const ScrubStatus status = filled.Scrub();
    EXPECT_EQ(status.bad_sectors, 1u);
    EXPECT_EQ(status.lost_records, 1u);
    EXPECT_EQ(status.findings.size(), 2u) << Sentences(status);
    EXPECT_THAT(Sentences(status), HasSubstr("damage mail: it cannot be read any more: mail 8 (head)"));
    EXPECT_THAT(Sentences(status), HasSubstr("look at the disk's own error log"));
  }
  // Another one of the same mail: the mail is lost once.
  filled.device().FlipBit(bad + 3 * kSectorBytes, 3);
  const ScrubStatus status = filled.Scrub();
  EXPECT_EQ(status.bad_sectors, 2u);
  EXPECT_EQ(status.lost_records, 1u);
}

// The header of a segment, of a block, a sector within a block, a footer, a summary, a superblock.
TEST(Scrub, FindsABitFlippedInEachKindOfSector) {
  const SimImage image = Filled().device().Snapshot();
  const Geometry geometry = GeometryOf(image);
  const SegmentTable table = TableOf(image);
  std::uint32_t sealed = table.size();
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    // The first of its stream: the last one is still open.
    if (table[i].generation > 0 && table[i].stream == Stream::kTransit) sealed = std::min(sealed, i);
  }
  ASSERT_LT(sealed, table.size());
  std::vector<std::pair<std::string, std::uint64_t>> places = {
      {"segment_header", geometry.SectorOffset(sealed, 0) + 40},
      {"sectors", geometry.SectorOffset(sealed, 1) + 20},
      {"sectors", geometry.SectorOffset(sealed, 3) + 4000},
      {"summary", geometry.SectorOffset(sealed, geometry.footer_sector()) + 100},
      {"summary", geometry.SectorOffset(sealed, geometry.footer_sector() - 1) + 50},
  };
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    places.emplace_back("superblock", SuperblockOffset(copy, geometry.end) + 200);
  }
  for (const auto& [kind, offset] : places) {
    Filled filled;
    ASSERT_EQ(TableOf(filled.device().Snapshot())[sealed].end_sector, table[sealed].end_sector);
    filled.device().FlipBit(offset, 5);
    const ScrubStatus status = filled.Scrub();
    EXPECT_EQ(status.bad_sectors, 1u) << kind << " at " << offset << "\n" << Sentences(status);
    EXPECT_THAT(Sentences(status), HasSubstr(" " + kind + ": ")) << "at " << offset;
  }
}

TEST(Scrub, AReadErrorIsIsolatedToItsSector) {
  Filled filled;
  const Location& place = filled.places[7];
  const Geometry geometry = GeometryOf(filled.device().Snapshot());
  const std::uint64_t sector =
      (geometry.SegmentOffset(place.segment) + place.offset + 50'000) / kSectorBytes * kSectorBytes;
  filled.device().Plant({.kind = PlantedFault::Kind::kFail,
                         .on = SimOperation::kRead,
                         .times = PlantedFault::kAlways,
                         .from = sector,
                         .to = sector + kSectorBytes});
  const ScrubStatus status = filled.Scrub();
  EXPECT_EQ(status.bad_sectors, 1u);
  EXPECT_EQ(status.lost_records, 1u);
  EXPECT_THAT(Sentences(status), HasSubstr("mail 8 (head)"));
}

TEST(Scrub, WhatIsBadOnlyOnceIsNotReported) {
  Filled filled;
  const Location& place = filled.places[7];
  const Geometry geometry = GeometryOf(filled.device().Snapshot());
  const std::uint64_t sector = geometry.SectorOffset(place.segment, 5);
  // The long read, then the sector itself.
  filled.device().Plant({.kind = PlantedFault::Kind::kFail,
                         .on = SimOperation::kRead,
                         .times = 2,
                         .from = sector,
                         .to = sector + kSectorBytes});
  const ScrubStatus status = filled.Scrub();
  EXPECT_EQ(status.bad_sectors, 0u) << Sentences(status);
}

TEST(Scrub, IsStoppedAndBegunAnewAndRefusesTwo) {
  Filled filled;
  Volume& volume = *filled.open.machine.volume;
  ASSERT_TRUE(volume.BeginScrub(1));  // A byte a second: it will not get far.
  RunReady(filled.open.machine.context);
  EXPECT_TRUE(volume.Scrub().is_requested);
  EXPECT_EQ(volume.Scrub().bytes_per_second, 1u);
  const auto second = volume.BeginScrub(kUnlimited);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), base::Errc::kBusy);
  volume.EndScrub();
  EXPECT_FALSE(volume.Scrub().is_requested);
  EXPECT_FALSE(volume.Scrub().is_on);
  EXPECT_EQ(volume.Scrub().passes_ended, 0u);
  EXPECT_EQ(filled.Scrub().passes_ended, 1u);
}

TEST(Scrub, ReadsNoFasterThanItIsTold) {
  Filled filled;
  TestMachine& machine = filled.open.machine;
  ASSERT_TRUE(machine.volume->BeginScrub(256 << 10));
  RunReady(machine.context);
  const std::uint64_t at_first = machine.volume->Scrub().bytes_read;
  EXPECT_LE(at_first, 300u << 10);
  for (int second = 1; second <= 5; ++second) {
    machine.clock.Advance(1s);
    async::RunTask(machine.context, async::Sleep(2ms));
    machine.volume->EndScrub();  // Wakes it; the rate is the same again.
    EXPECT_LE(machine.volume->Scrub().bytes_read, at_first + static_cast<std::uint64_t>(second) * (300u << 10));
    base::Ignore(machine.volume->BeginScrub(256 << 10));
    RunReady(machine.context);
  }
}

TEST(Scrub, GoesOnWhereItWasAfterARestart) {
  ModelOwner owner;
  SimImage image(TestMachine::kDiskBytes);
  std::uint64_t last_segment = 0;
  {
    TestMachine machine(FormattedImage());
    VolumeOptions options = ScrubOptions();
    options.scrub_within = std::chrono::days(14);
    ASSERT_TRUE(machine.Open(options));
    machine.Start(&owner);
    for (std::uint64_t i = 1; i <= 12; ++i) {
      last_segment = machine.Append(Stream::kTransit, TestKey(i), "", std::string(300'000, 'x'))->segment;
    }
    // Long enough for some reads at the slowest rate, but not for all.
    while (machine.volume->Scrub().bytes_read < (9u << 20) / 4) {
      machine.clock.Advance(std::chrono::hours(1));
      machine.volume->EndScrub();
      RunReady(machine.context);
      ASSERT_EQ(machine.volume->Scrub().passes_ended, 0u);
    }
    ASSERT_TRUE(machine.Close());
    image = machine.device.Snapshot();
  }
  TestMachine machine(image);
  ASSERT_TRUE(machine.Open(ScrubOptions()));
  machine.Start(&owner);
  const ScrubStatus status = machine.volume->Scrub();
  EXPECT_GT(status.pass_began, 0u);
  EXPECT_GT(status.pass_bytes_total, 0u);
  EXPECT_LT(status.pass_bytes_total, 12u * 300'000 * 3 / 4) << "the pass began anew";
  EXPECT_GT(last_segment, 1u);
}

TEST(Scrub, ABackgroundPassTakesTheTimeThatItIsGiven) {
  ModelOwner owner;
  TestMachine machine(FormattedImage());
  VolumeOptions options = ScrubOptions();
  options.scrub_within = std::chrono::hours(2);  // Faster than the slowest rate.
  ASSERT_TRUE(machine.Open(options));
  machine.Start(&owner);
  for (std::uint64_t i = 1; i <= 16; ++i) {
    ASSERT_TRUE(machine.Append(Stream::kTransit, TestKey(i), "", std::string(400'000, 'x')));
  }
  std::chrono::seconds took{0};
  while (machine.volume->Scrub().passes_ended == 0 && took < std::chrono::hours(9)) {
    machine.clock.Advance(10s);
    took += 10s;
    machine.volume->EndScrub();
    RunReady(machine.context);
  }
  EXPECT_GT(took, std::chrono::minutes(80));
  EXPECT_LE(took, std::chrono::hours(2));
  EXPECT_THAT(machine.volume->Scrub().findings, IsEmpty());
}

// Segments are freed, cleaned and taken anew under the scrub all the time.
TEST(Scrub, ReportsNothingFalseWhileSegmentsAreCleanedAndReused) {
  const std::uint64_t seed = testing::UnitTest::GetInstance()->random_seed() + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::Random random(seed);
  VolumeOptions options = ScrubOptions();
  options.clean_below_live_percent = 40;
  options.clean_bytes_per_second = 1u << 30;
  OpenVolume open(options, seed);
  TestMachine& machine = open.machine;
  std::vector<Location> live;
  std::uint64_t index = 0;
  for (int round = 0; round < 400; ++round) {
    if (!machine.volume->Scrub().is_requested) ASSERT_TRUE(machine.volume->BeginScrub(kUnlimited));
    std::string body(1'000 + random.Below(200'000), 'x');
    auto place =
        machine.Append(random.Below(4) == 0 ? Stream::kMailbox : Stream::kTransit, TestKey(++index), "h", body);
    if (place.has_value()) {
      open.owner.records[index] = {.head = "h", .body = std::move(body), .location = *place};
    }
    while (open.owner.records.size() > 12 || (!place.has_value() && !open.owner.records.empty())) {
      const auto victim =
          std::next(open.owner.records.begin(), static_cast<std::ptrdiff_t>(random.Below(open.owner.records.size())));
      machine.volume->Release(*victim->second.location);
      open.owner.records.erase(victim);
      if (!place.has_value()) break;
    }
    if (round % 7 == 0) ASSERT_TRUE(machine.Checkpoint());
    const std::uint64_t read = machine.volume->Scrub().bytes_read;
    RunUntil(machine.context, [&] {
      const ScrubStatus status = machine.volume->Scrub();
      return status.bytes_read > read || !status.is_requested;
    });
  }
  RunReady(machine.context);
  const ScrubStatus status = machine.volume->Scrub();
  EXPECT_GT(status.passes_ended, 10u);
  EXPECT_EQ(status.bad_sectors, 0u) << Sentences(status);
  EXPECT_EQ(Sentences(status), "");
  // Each segment was used several times.
  EXPECT_GT(machine.device.counters().bytes_written, 2 * TestMachine::kDiskBytes);
}

TEST(Scrub, LetsMailGoFirst) {
  Filled filled;
  TestMachine& machine = filled.open.machine;
  machine.device.HoldSyncs(true);
  TestAppender appender(machine.volume.get(), 1000);
  appender.Append(Stream::kTransit, 1000);
  RunUntil(machine.context, [&] { return machine.device.held() > 0; });
  ASSERT_TRUE(machine.volume->BeginScrub(kUnlimited));
  RunReady(machine.context);
  EXPECT_EQ(machine.volume->Scrub().bytes_read, 0u) << "it read while an acknowledgement was waited for";
  machine.device.HoldSyncs(false);
  RunUntil(machine.context, [&] { return machine.volume->Scrub().passes_ended == 1; });
  EXPECT_EQ(appender.done().size(), 1u);
}

}  // namespace
}  // namespace mffs
