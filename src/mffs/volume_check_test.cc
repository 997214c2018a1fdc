// CheckVolume on images of real volumes: clean ones are clean, and each kind of damage is found and named.
#include "mffs/volume_check.h"

#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "mffs/image_device.h"
#include "mffs/recovery.h"
#include "mffs/segment_check.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using testing::HasSubstr;

// Records small and large in several segments, some released, a checkpoint in the middle, all closed properly.
struct Written {
  SimImage image{TestMachine::kDiskBytes};
  std::set<std::uint64_t> live;
};
Written WriteVolume(bool close) {
  ModelOwner owner;
  TestMachine machine(FormattedImage());
  CHECK(machine.Open().has_value());
  machine.Start(&owner);
  Written written;
  std::vector<std::pair<std::uint64_t, Location>> places;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    const Stream stream = i % 3 == 0 ? Stream::kMailbox : Stream::kTransit;
    const std::string body(i % 5 == 0 ? 200'000 : 3'000, static_cast<char>('a' + i % 26));
    const auto place = machine.Append(stream, TestKey(i), "head " + std::to_string(i), body);
    CHECK(place.has_value());
    places.emplace_back(i, *place);
    written.live.insert(i);
    if (i == 40) CHECK(machine.Checkpoint().has_value());
  }
  for (const auto& [index, place] : places) {
    if (index % 4 != 0) continue;
    machine.volume->Release(place);
    written.live.erase(index);
  }
  CHECK(machine.Checkpoint().has_value());
  if (close) CHECK(machine.Close().has_value());
  written.image = machine.device.Snapshot();
  return written;
}

struct Checked {
  base::Result<VolumeCheck> result;
  Findings findings;
  std::map<std::uint64_t, int> live_readable;  // By index.
  std::uint64_t writes = 0;
};
Checked Check(const SimImage& image) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image);
  ImageDevice read_only(context.get_executor(), &device);
  Checked checked{.result = VolumeCheck{}, .findings = Findings(), .live_readable = {}};
  VolumeCheckOptions options;
  options.visit = [&checked](const CheckedRecord& record) {
    if (record.key.type == ModelOwner::kRecordType && record.is_live && record.is_readable) {
      EXPECT_EQ(record.head, "head " + std::to_string(record.key.index));
      ++checked.live_readable[record.key.index];
    }
  };
  checked.result = async::RunTask(context, CheckVolume(&read_only, options, &checked.findings));
  checked.findings.Sort();
  checked.writes = device.counters().writes + device.counters().flushes;
  return checked;
}

std::string Sentences(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings.kept())
    text += std::string(ToString(finding.severity)) + ": " + finding.sentence + "\n";
  return text;
}

SegmentTable TableOf(const SimImage& image) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image);
  auto recovered = async::RunTask(context, Recover(&device, std::chrono::seconds(30), RecoveryBase::kSuperblock));
  CHECK(recovered.has_value());
  return std::move(recovered->table);
}

TEST(VolumeCheck, ACleanVolumeIsClean) {
  const Written written = WriteVolume(true);
  const Checked checked = Check(written.image);
  ASSERT_TRUE(checked.result) << checked.result.error().message();
  EXPECT_EQ(Sentences(checked.findings), "");
  EXPECT_EQ(checked.writes, 0u);
  EXPECT_EQ(checked.live_readable.size(), written.live.size());
  for (const std::uint64_t index : written.live) EXPECT_EQ(checked.live_readable.count(index), 1u) << index;
  EXPECT_EQ(checked.result->live_bytes, TableOf(written.image).live_bytes());
  EXPECT_EQ(checked.result->lost_records, 0u);
  EXPECT_GT(checked.result->bytes, 1u << 20);
}

TEST(VolumeCheck, AnEmptyVolumeIsClean) {
  const Checked checked = Check(FormattedImage());
  ASSERT_TRUE(checked.result);
  EXPECT_EQ(Sentences(checked.findings), "");
}

TEST(VolumeCheck, ABitFlippedInAnySectorThatHoldsDataIsFound) {
  const Written written = WriteVolume(true);
  const SegmentTable table = TableOf(written.image);
  Geometry geometry;
  {
    const Checked clean = Check(written.image);
    geometry = clean.result->geometry;
  }
  std::uint64_t flipped = 0;
  std::uint64_t damages = 0;
  for (std::uint32_t segment = 0; segment < table.size(); ++segment) {
    if (table[segment].state == SegmentState::kFree) continue;
    // All kinds of sectors: the header, first and other sectors of blocks.
    for (std::uint32_t sector = 0; sector < table[segment].end_sector; sector += sector < 4 ? 1 : 5) {
      SimImage rotten = written.image;
      rotten.FlipBit(geometry.SectorOffset(segment, sector) + std::uint64_t{sector} * 97 % kSectorBytes,
                     static_cast<int>(sector % 8));
      const Checked checked = Check(rotten);
      ASSERT_TRUE(checked.result) << checked.result.error().message();
      ++flipped;
      const std::uint64_t bad = checked.findings.count(Severity::kDamage) + checked.findings.count(Severity::kWarning);
      EXPECT_GT(bad, 0u) << "segment " << segment << " sector " << sector;
      const bool lost_mail = checked.live_readable.size() < written.live.size();
      if (lost_mail) {
        ++damages;
        EXPECT_GT(checked.findings.count(Severity::kDamage), 0u) << Sentences(checked.findings);
      }
    }
  }
  EXPECT_GT(flipped, 100u);
  EXPECT_GT(damages, 50u);
}

TEST(VolumeCheck, ASentenceNamesTheRecordThatIsLost) {
  const Written written = WriteVolume(true);
  // Record 7 is alive and small; its body is unlike all others.
  std::optional<std::uint64_t> at;
  for (std::uint64_t offset = kMiB; offset < written.image.size_bytes() && !at; offset += kSectorBytes) {
    std::string sector(kSectorBytes, '\0');
    written.image.Read(offset, std::as_writable_bytes(std::span(sector)));
    const std::size_t found = sector.find("head 7h");
    if (found != std::string::npos) at = offset + found + 6;
  }
  ASSERT_TRUE(at.has_value());
  SimImage rotten = written.image;
  rotten.FlipBit(*at, 0);
  const Checked checked = Check(rotten);
  EXPECT_THAT(Sentences(checked.findings), HasSubstr("partition 7, epoch 1, index 7 "));
  EXPECT_EQ(checked.result->lost_records, checked.live_readable.size() < written.live.size()
                                              ? written.live.size() - checked.live_readable.size()
                                              : 0u);
}

TEST(VolumeCheck, ADamagedSuperblockCopyIsAWarning) {
  const Written written = WriteVolume(true);
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    SimImage rotten = written.image;
    rotten.FlipBit(SuperblockOffset(copy, TestMachine::kDiskBytes) + 50, 3);
    const Checked checked = Check(rotten);
    ASSERT_TRUE(checked.result);
    EXPECT_EQ(checked.findings.count(Severity::kWarning), 1u);
    EXPECT_EQ(checked.findings.count(Severity::kDamage), 0u);
    EXPECT_THAT(Sentences(checked.findings), HasSubstr("superblock copy " + std::to_string(copy)));
  }
}

TEST(VolumeCheck, WithoutSuperblocksTheErrorNamesRescue) {
  Written written = WriteVolume(true);
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    written.image.Write(SuperblockOffset(copy, TestMachine::kDiskBytes), base::Bytes(kSectorBytes));
  }
  const Checked checked = Check(written.image);
  ASSERT_FALSE(checked.result);
  EXPECT_THAT(checked.result.error().message(), HasSubstr("posthorn mffs rescue"));
}

// What a power cut leaves is no damage, whatever became of the writes in flight.
TEST(VolumeCheck, ATornTailIsNotDamage) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    ModelOwner owner;
    TestMachine machine(FormattedImage(), seed);
    ASSERT_TRUE(machine.Open());
    machine.Start(&owner);
    base::Random random(seed);
    const std::uint64_t count = 3 + random.Below(20);
    std::vector<std::unique_ptr<AppendRequest>> requests;
    std::vector<std::string> bodies(count);
    machine.device.CutPowerAfter(random.Below(8));
    for (std::uint64_t i = 0; i < count; ++i) {
      bodies[i].assign(random.Below(20'000), 'x');
      auto request = std::make_unique<AppendRequest>();
      request->stream = i % 2 == 0 ? Stream::kMailbox : Stream::kTransit;
      request->key = TestKey(i);
      request->body[0] = bodies[i];
      request->done = [](base::Result<Location>) {};
      machine.volume->Append(request.get());
      requests.push_back(std::move(request));
      for (int step = 0; step < 40 && !machine.device.PowerWasCut(); ++step) machine.context.poll_one();
    }
    if (!machine.device.PowerWasCut()) machine.device.CutPowerNow();
    const SimImage image = machine.device.ImageAfter(seed);
    machine.device.FailWhatWasCut();
    machine.context.restart();
    const Checked checked = Check(image);
    ASSERT_TRUE(checked.result) << "seed " << seed << ": " << checked.result.error().message();
    EXPECT_EQ(checked.findings.count(Severity::kDamage), 0u) << "seed " << seed << "\n" << Sentences(checked.findings);
    EXPECT_EQ(checked.findings.count(Severity::kWarning), 0u) << "seed " << seed << "\n" << Sentences(checked.findings);
    base::Ignore(machine.Close());
  }
}

TEST(VolumeCheck, AWrongLiveCounterIsFound) {
  const Written written = WriteVolume(true);
  SegmentTable table = TableOf(written.image);
  asio::io_context context{1};
  SimDevice device(context.get_executor(), written.image);
  const Geometry geometry = Check(written.image).result->geometry;
  std::uint32_t tried = 0;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    if (table[i].state == SegmentState::kFree || table[i].live.live() == 0) continue;
    Segment wrong = table[i];
    wrong.live_bytes += 8;
    table.Restore(i, std::move(wrong));
    Findings findings;
    async::RunTask(context, CheckSegment(&device, geometry, {i, &table}, {}, &findings));
    EXPECT_EQ(findings.count(Severity::kWarning), 1u) << Sentences(findings);
    EXPECT_THAT(Sentences(findings), HasSubstr("live bytes"));
    ++tried;
  }
  EXPECT_GT(tried, 2u);
}

TEST(VolumeCheck, DamagedSummariesAndFootersAreWarnings) {
  const Written written = WriteVolume(true);
  const SegmentTable table = TableOf(written.image);
  const Geometry geometry = Check(written.image).result->geometry;
  std::uint32_t sealed = 0;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    asio::io_context context{1};
    SimDevice device(context.get_executor(), written.image);
    const auto footer_sector =
        async::RunTask(context, ReadSectors(&device, geometry.SectorOffset(i, geometry.footer_sector()), kSectorBytes,
                                            std::chrono::seconds(1)));
    const auto footer = DecodeFooter(footer_sector->span(), geometry, i, table[i].generation);
    if (!footer.has_value() || table[i].state == SegmentState::kFree) continue;
    ++sealed;
    for (const std::uint32_t sector : {geometry.footer_sector(), footer->summary_sector}) {
      SimImage rotten = written.image;
      rotten.FlipBit(geometry.SectorOffset(i, sector) + 30, 1);
      const Checked checked = Check(rotten);
      EXPECT_EQ(checked.findings.count(Severity::kDamage), 0u) << Sentences(checked.findings);
      EXPECT_EQ(checked.findings.count(Severity::kWarning), 1u) << Sentences(checked.findings);
      EXPECT_THAT(Sentences(checked.findings), HasSubstr("summary"));
    }
  }
  EXPECT_GT(sealed, 0u);
}

TEST(VolumeCheck, NoDamageCrashesIt) {
  const Written written = WriteVolume(false);
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    base::Random random(seed);
    SimImage image = written.image;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t offset = kMiB + random.Below(image.size_bytes() - 3 * kMiB);
      image.FlipBit(offset, static_cast<int>(random.Below(8)));
    }
    const Checked checked = Check(image);
    ASSERT_TRUE(checked.result) << "seed " << seed;
    EXPECT_GT(checked.findings.kept().size(), 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mffs
