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

TEST(SuperblockRepair, FailsWithTheWriteItNeeds) {
  Disk disk = Formatted();
  disk.image.FlipBit(100, 2);
  asio::io_context context;
  SimDevice device(context.get_executor(), disk.image);
  device.Plant({.kind = PlantedFault::Kind::kFail});
  const auto repaired = async::RunTask(context, RepairSuperblock(&device, StateOf(1, 1), kDeadline));
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error().code(), base::Errc::kIo);
}

}  // namespace
}  // namespace mffs
