// Power cuts within superblock updates, over several mounts: one question, does the volume open with the newest
// acknowledged state or a later one?
#include "mffs/superblock.h"

#include <map>

#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/check.h"
#include "mffs/sim_device.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kDiskBytes = 18 * kMiB;
constexpr IoDeadline kDeadline = 10s;

// What a disk may hold, and the state that was acknowledged last. States are numbered through all mounts.
struct Disk {
  SimImage image{kDiskBytes};
  std::uint64_t acknowledged = 0;
};

Superblock StateOf(std::uint64_t number, std::uint64_t sequence) {
  Superblock superblock;
  superblock.geometry = {.segment_bytes = 1u << 20, .segment_count = 16, .end = kDiskBytes};
  superblock.sequence = sequence;
  superblock.newest.base_lsn = Lsn(number);
  return superblock;
}

std::uint64_t NumberOf(const Superblock& superblock) {
  return superblock.newest.base_lsn.value();
}

Disk Formatted() {
  asio::io_context context;
  SimDevice device(context.get_executor(), kDiskBytes);
  CHECK(async::RunTask(context, StoreSuperblock(&device, StateOf(1, 1), kDeadline)).has_value());
  return {.image = device.Snapshot(), .acknowledged = 1};
}

base::Result<Superblock> Load(const SimImage& image) {
  asio::io_context context;
  SimDevice device(context.get_executor(), image);
  return async::RunTask(context, LoadSuperblock(&device, kDeadline));
}

// A mount as the volume makes it: two updates, to the states `first` and `first` + 1.
async::Task<void> Mount(BlockDevice* device, std::uint64_t first, std::uint64_t* acknowledged) {
  auto superblock = co_await LoadSuperblock(device, kDeadline);
  CHECK(superblock.has_value());
  const auto repaired = co_await RepairSuperblock(device, *superblock, kDeadline);
  if (!repaired.has_value()) co_return;
  for (std::uint64_t number = first; number < first + 2; ++number) {
    superblock->newest.base_lsn = Lsn(number);
    ++superblock->sequence;
    const auto stored = co_await StoreSuperblock(device, *superblock, kDeadline);
    if (!stored.has_value()) co_return;
    *acknowledged = number;
  }
}

// Everything that may come of one mount, with the power cut at each of its operations.
class Explorer {
 public:
  // The fault strikes in every mount that is added.
  explicit Explorer(PlantedFault fault = {.skip = PlantedFault::kAlways}) : fault_(fault) {}

  void AddMount(const Disk& before, std::uint64_t first_state) {
    for (std::uint64_t cut = 0;; ++cut) {
      const bool was_cut = RunCut(before, first_state, cut);
      if (!was_cut) break;
    }
  }
  // Distinct ones.
  std::vector<Disk> Take() {
    std::vector<Disk> disks;
    for (auto& [key, disk] : found_) disks.push_back(std::move(disk));
    found_.clear();
    return disks;
  }

 private:
  bool RunCut(const Disk& before, std::uint64_t first_state, std::uint64_t cut) {
    asio::io_context context;
    SimDevice device(context.get_executor(), before.image, {.on_power_cut = [&context] { context.stop(); }});
    device.Plant(fault_);
    device.CutPowerAfter(cut);
    std::uint64_t acknowledged = before.acknowledged;
    bool ended = false;
    asio::co_spawn(context.get_executor(), Mount(&device, first_state, &acknowledged),
                   [&ended](const std::exception_ptr& error) {
                     CHECK(error == nullptr);
                     ended = true;
                   });
    context.run();
    if (!device.PowerWasCut()) {
      CHECK(ended);
      Add({.image = device.Snapshot(), .acknowledged = acknowledged});
      return false;
    }
    std::vector<WriteFate> fates(device.UnflushedWrites(), WriteFate::kLost);
    do {
      Add({.image = device.ImageAfter(fates, cut), .acknowledged = acknowledged});
    } while (NextFates(fates));
    device.FailWhatWasCut();
    context.restart();
    while (!ended) CHECK(context.run_one() > 0);
    return true;
  }
  void Add(Disk disk) {
    const std::pair key(disk.image.Hash(), disk.acknowledged);
    found_.emplace(key, std::move(disk));
  }

  PlantedFault fault_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Disk> found_;
};

TEST(SuperblockCrash, FourMountsCutAtEveryOperationKeepTheNewestAcknowledgedState) {
  std::vector<Disk> disks{Formatted()};
  std::size_t images = 0;
  for (std::uint64_t mount = 1; mount <= 4; ++mount) {
    Explorer explorer;
    for (const Disk& disk : disks) explorer.AddMount(disk, mount * 10);
    disks = explorer.Take();
    for (const Disk& disk : disks) {
      ++images;
      const auto loaded = Load(disk.image);
      ASSERT_TRUE(loaded) << "mount " << mount << ": " << loaded.error().message();
      ASSERT_GE(NumberOf(*loaded), disk.acknowledged) << "mount " << mount;
    }
  }
  std::printf("%zu distinct images\n", images);
  EXPECT_GT(images, 500u);
}

TEST(SuperblockRepair, WritesOnlyTheCopiesThatDiffer) {
  for (std::size_t damaged = 0; damaged < kSuperblockCopies; ++damaged) {
    SCOPED_TRACE(damaged);
    Disk disk = Formatted();
    disk.image.FlipBit(SuperblockOffset(damaged, kDiskBytes) + 100, 2);
    asio::io_context context;
    SimDevice device(context.get_executor(), disk.image);
    const auto loaded = async::RunTask(context, LoadSuperblock(&device, kDeadline));
    ASSERT_TRUE(loaded);
    ASSERT_TRUE(async::RunTask(context, RepairSuperblock(&device, *loaded, kDeadline)));
    EXPECT_EQ(device.counters().writes, 1u);
    EXPECT_TRUE(device.Snapshot() == Formatted().image);
  }
}

// What one update does on a device with a fault, from four equal copies.
struct Update {
  base::Result<> stored;
  SimCounters counters;
  SimImage image{kDiskBytes};
};
Update UpdateWith(const PlantedFault& fault, IoDeadline deadline = kDeadline) {
  asio::io_context context;
  SimDevice device(context.get_executor(), Formatted().image);
  device.Plant(fault);
  Update update;
  update.stored = async::RunTask(context, StoreSuperblock(&device, StateOf(2, 2), deadline));
  update.counters = device.counters();
  update.image = device.Snapshot();
  return update;
}

TEST(SuperblockWrite, IsTriedOnceMoreInItsPlaceWhenItFails) {
  const SimImage whole = UpdateWith({.skip = PlantedFault::kAlways}).image;
  for (const auto kind : {PlantedFault::Kind::kFail, PlantedFault::Kind::kShort}) {
    for (std::uint64_t skip = 0; skip < kSuperblockCopies; ++skip) {
      SCOPED_TRACE("copy " + std::to_string(skip) + " in the order of writing");
      const Update update = UpdateWith({.kind = kind, .skip = skip});
      ASSERT_TRUE(update.stored) << update.stored.error().message();
      EXPECT_EQ(update.counters.writes, kSuperblockCopies + 1);
      EXPECT_TRUE(update.image == whole);
    }
  }
}

TEST(SuperblockWrite, EndsTheUpdateWhenItFailsTwice) {
  for (std::uint64_t skip = 0; skip < kSuperblockCopies; ++skip) {
    SCOPED_TRACE("copy " + std::to_string(skip) + " in the order of writing");
    const Update update = UpdateWith({.kind = PlantedFault::Kind::kFail, .skip = skip, .times = 2});
    ASSERT_FALSE(update.stored);
    EXPECT_EQ(update.stored.error().code(), base::Errc::kIo);
    EXPECT_EQ(update.counters.writes, skip + 2);
    const auto loaded = Load(update.image);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(NumberOf(*loaded), skip < 2 ? 1u : 2u);
  }
}

// What hangs may still land, over what a later update has written there.
TEST(SuperblockWrite, IsNotTriedAgainWhenItHangs) {
  const Update update = UpdateWith({.kind = PlantedFault::Kind::kHang, .skip = 1}, 20ms);
  ASSERT_FALSE(update.stored);
  EXPECT_EQ(update.stored.error().code(), base::Errc::kTimeout);
  EXPECT_EQ(update.counters.writes, 1u) << "what hangs does not count";
}

// A write that fails leaves its sector in any state, and then the power goes, too.
TEST(SuperblockCrash, AFailedWriteAndACutAtEveryOperationKeepTheNewestAcknowledgedState) {
  std::size_t images = 0;
  for (const std::uint64_t times : {1u, 2u}) {
    for (std::uint64_t skip = 0; skip < 2 * kSuperblockCopies; ++skip) {
      Explorer explorer({.kind = PlantedFault::Kind::kFail, .skip = skip, .times = times});
      explorer.AddMount(Formatted(), 10);
      Explorer next;
      for (const Disk& disk : explorer.Take()) {
        const auto loaded = Load(disk.image);
        ASSERT_TRUE(loaded) << "write " << skip << ": " << loaded.error().message();
        ASSERT_GE(NumberOf(*loaded), disk.acknowledged) << "write " << skip;
        next.AddMount(disk, 20);
      }
      for (const Disk& disk : next.Take()) {
        ++images;
        const auto loaded = Load(disk.image);
        ASSERT_TRUE(loaded) << "write " << skip << ", then another mount: " << loaded.error().message();
        ASSERT_GE(NumberOf(*loaded), disk.acknowledged) << "write " << skip << ", then another mount";
      }
    }
  }
  std::printf("%zu images\n", images);
  EXPECT_GT(images, 500u);
}

TEST(SuperblockRepair, FailsWhenTheWriteItNeedsFailsTwice) {
  Disk disk = Formatted();
  disk.image.FlipBit(100, 2);
  asio::io_context context;
  SimDevice device(context.get_executor(), disk.image);
  device.Plant({.kind = PlantedFault::Kind::kFail, .times = 2});
  const auto repaired = async::RunTask(context, RepairSuperblock(&device, StateOf(1, 1), kDeadline));
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error().code(), base::Errc::kIo);
}

}  // namespace
}  // namespace mffs
