// Repair of what MFFS itself needs: each damage that stops an opening, cut at each operation, begun again.
#include "mffs/volume_repair.h"

#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/overlay_device.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::uint64_t kRecords = 40;

// Records of several streams, some released, two checkpoints with an owner's state, a tail behind them.
SimImage MakeVolume() {
  OpenVolume open;
  std::vector<Location> places;
  for (std::uint64_t i = 1; i <= kRecords; ++i) {
    places.push_back(open.Append(i, std::string(i % 5 == 0 ? 150'000 : 3'000, static_cast<char>('a' + i % 26)),
                                 i % 3 == 0 ? Stream::kMailbox : Stream::kTransit));
    if (i == 20 || i == 30) CHECK(open.machine.Checkpoint().has_value());
    if (i == 25) {
      for (std::size_t r = 0; r < places.size(); r += 4) open.machine.volume->Release(places[r]);
    }
  }
  return open.machine.device.Snapshot();
}

// What a volume gives when it is opened: live records by index, and the owner's state.
struct Opened {
  std::string error;
  std::map<std::uint64_t, std::string> live;
  std::string owner_state;
  std::vector<std::string> corruptions;
  friend bool operator==(const Opened&, const Opened&) = default;
};
Opened OpenImageOf(const SimImage& image) {
  TestMachine machine(image);
  Opened opened;
  const auto result = machine.Open();
  if (!result.has_value()) {
    opened.error = result.error().message();
    return opened;
  }
  for (const SeenRecord& seen : machine.Scan()) {
    if (seen.key.type != ModelOwner::kRecordType || !seen.is_live) continue;
    const auto record = machine.Read(seen.location);
    if (record.has_value()) opened.live[seen.key.index] = record->body;
  }
  opened.owner_state = machine.volume->owner_state();
  opened.corruptions = machine.volume->recovery().corruptions;
  return opened;
}

async::Task<base::Result<>> Repair(BlockDevice* device, Findings* findings) {
  CO_RETURN_IF_ERROR(co_await RepairSuperblocks(device, findings));
  ASSIGN_OR_CO_RETURN(SurveyedVolume volume, co_await SurveyVolume(device, {}, findings));
  if (!volume.has_changed) co_return base::Result<>();
  co_return co_await WriteRepair(device, std::move(volume), {});
}

struct Repaired {
  SimImage image;
  std::vector<std::string> kinds;  // Of what was found.
  std::uint64_t operations = 0;
};
Repaired RepairImage(const SimImage& image) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image);
  Findings findings;
  const auto result = async::RunTask(context, Repair(&device, &findings));
  EXPECT_TRUE(result) << result.error().message();
  Repaired repaired{.image = device.Snapshot(), .kinds = {}, .operations = device.operations_done()};
  for (const Finding& finding : findings.kept()) repaired.kinds.push_back(finding.kind);
  return repaired;
}

Superblock SuperblockOf(const SimImage& image) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image);
  return *async::RunTask(context, LoadSuperblock(&device, 10s));
}

void Spoil(SimImage& image, std::uint64_t offset) {
  image.Write(offset / kSectorBytes * kSectorBytes, base::Bytes(kSectorBytes, std::byte{0x5a}));
}
void SpoilSuperblocks(SimImage& image, std::initializer_list<std::size_t> copies) {
  const std::uint64_t end = SuperblockOf(image).geometry.end;
  for (const std::size_t copy : copies) Spoil(image, SuperblockOffset(copy, end));
}
void SpoilRecord(SimImage& image, const Geometry& geometry, const Location& place) {
  Spoil(image, geometry.SegmentOffset(place.segment) + place.offset);
}

// Each damage with its name.
std::vector<std::pair<std::string, SimImage>> Damaged() {
  const SimImage sound = MakeVolume();
  const Superblock superblock = SuperblockOf(sound);
  std::vector<std::pair<std::string, SimImage>> all;
  const auto add = [&](const std::string& name, auto spoil) {
    SimImage image = sound;
    spoil(image);
    all.emplace_back(name, std::move(image));
  };
  add("one superblock", [](SimImage& image) { SpoilSuperblocks(image, {2}); });
  add("three superblocks", [](SimImage& image) { SpoilSuperblocks(image, {0, 1, 3}); });
  add("all superblocks", [](SimImage& image) { SpoilSuperblocks(image, {0, 1, 2, 3}); });
  add("newest checkpoint", [&](SimImage& image) { SpoilRecord(image, superblock.geometry, superblock.newest.root); });
  add("newest checkpoint and three superblocks", [&](SimImage& image) {
    SpoilSuperblocks(image, {0, 1, 2});
    SpoilRecord(image, superblock.geometry, superblock.newest.root);
  });
  return all;
}

TEST(VolumeRepair, LeavesASoundVolumeAlone) {
  const SimImage sound = MakeVolume();
  const Repaired repaired = RepairImage(sound);
  EXPECT_EQ(repaired.operations, 0u);
  EXPECT_THAT(repaired.kinds, IsEmpty());
  EXPECT_TRUE(repaired.image == sound);
}

TEST(VolumeRepair, OpensWhatCouldNotBeOpenedAndLosesNothing) {
  const Opened sound = OpenImageOf(MakeVolume());
  ASSERT_EQ(sound.live.size(), kRecords - 7);
  for (const auto& [name, image] : Damaged()) {
    SCOPED_TRACE(name);
    const Repaired repaired = RepairImage(image);
    const Opened opened = OpenImageOf(repaired.image);
    EXPECT_EQ(opened.error, "");
    EXPECT_THAT(opened.corruptions, IsEmpty());
    EXPECT_FALSE(opened.owner_state.empty());
    for (const auto& [index, body] : sound.live) EXPECT_EQ(opened.live.count(index), 1u) << index;
    const Repaired again = RepairImage(repaired.image);
    EXPECT_EQ(again.operations, 0u) << "it does not rest";
  }
}

TEST(VolumeRepair, TheSuperblocksAloneKeepWhatWasReleased) {
  const Opened sound = OpenImageOf(MakeVolume());
  for (const auto& [name, image] : Damaged()) {
    if (name.find("checkpoint") != std::string::npos) continue;  // An older one knows of fewer releases.
    EXPECT_TRUE(OpenImageOf(RepairImage(image).image) == sound) << name;
  }
}

// What is left when the power is cut at that operation of the repair.
SimImage CutWhileRepairing(const SimImage& image, std::uint64_t cut_at, std::uint64_t seed) {
  asio::io_context context{1};
  SimDevice device(context.get_executor(), image, {.on_power_cut = [&context] { context.stop(); }});
  device.CutPowerAfter(cut_at);
  Findings findings;
  bool ended = false;
  asio::co_spawn(context, Repair(&device, &findings),
                 [&ended](const std::exception_ptr&, base::Result<>) { ended = true; });
  context.run();
  EXPECT_TRUE(device.PowerWasCut());
  SimImage left = device.ImageAfter(seed);
  // What is left of the life meets errors only.
  device.FailWhatWasCut();
  context.restart();
  while (!ended) CHECK(context.run_one() > 0);
  return left;
}

// The power is cut at each write of the repair; then it is repaired again.
TEST(VolumeRepair, CanBeCutAnywhereAndBegunAgain) {
  const Opened sound = OpenImageOf(MakeVolume());
  std::uint64_t cuts = 0;
  for (const auto& [name, image] : Damaged()) {
    const std::uint64_t operations = RepairImage(image).operations;
    ASSERT_GT(operations, 0u) << name;
    for (std::uint64_t cut_at = 0; cut_at < operations; ++cut_at) {
      for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        SCOPED_TRACE(name + ", cut at " + std::to_string(cut_at) + ", seed " + std::to_string(seed));
        const SimImage left = CutWhileRepairing(image, cut_at, seed);
        const Opened opened = OpenImageOf(RepairImage(left).image);
        ASSERT_EQ(opened.error, "");
        ASSERT_THAT(opened.corruptions, IsEmpty());
        ASSERT_FALSE(opened.owner_state.empty());
        for (const auto& [index, body] : sound.live) ASSERT_EQ(opened.live.count(index), 1u) << index;
        ++cuts;
      }
    }
  }
  EXPECT_GT(cuts, 100u);
}

TEST(VolumeRepair, ARecordThatIsGoneWithoutATraceIsCountedNoMore) {
  const SimImage sound = MakeVolume();
  TestMachine machine(sound);
  ASSERT_TRUE(machine.Open());
  Location victim;
  for (const SeenRecord& seen : machine.Scan()) {
    // In the tail, of which there is no summary.
    if (seen.key.type == ModelOwner::kRecordType && seen.key.index == 22) victim = seen.location;
  }
  const Geometry geometry = SuperblockOf(sound).geometry;
  SimImage image = sound;
  SpoilRecord(image, geometry, victim);
  const Repaired repaired = RepairImage(image);
  EXPECT_THAT(repaired.kinds, testing::Contains("segment_table"));
  const Opened opened = OpenImageOf(repaired.image);
  EXPECT_EQ(opened.error, "");
  EXPECT_EQ(opened.live.count(22), 0u);
  const Opened before = OpenImageOf(sound);
  for (const auto& [index, body] : before.live) {
    if (index != 22) EXPECT_EQ(opened.live.count(index), 1u) << index;
  }
}

TEST(VolumeRepair, RefusesWhatIsNoVolumeOrWasCutShort) {
  asio::io_context context{1};
  Findings findings;
  SimDevice empty(context.get_executor(), 32u << 20);
  const auto nothing = async::RunTask(context, RepairSuperblocks(&empty, &findings));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), base::Errc::kCorrupt);

  const SimImage sound = MakeVolume();
  SimImage half(sound.size_bytes() / 2 / kMiB * kMiB);
  for (std::uint64_t i = 0; i < half.size_bytes() / kSectorBytes; ++i) half.SetSector(i, sound.Sector(i));
  SimDevice cut(context.get_executor(), half);
  const auto too_short = async::RunTask(context, RepairSuperblocks(&cut, &findings));
  ASSERT_FALSE(too_short);
  EXPECT_THAT(too_short.error().message(), HasSubstr("truncate -s"));
  EXPECT_EQ(cut.counters().writes + empty.counters().writes, 0u);
}

}  // namespace
}  // namespace mffs
