#include "mffs/superblock.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"

namespace mffs {
namespace {

constexpr std::uint64_t kDeviceBytesMin = 4 * kMiB;  // Below it the copies would overlap.

struct Copy {
  std::optional<Superblock> superblock;
  std::string problem;
  bool other_version = false;
};

async::Task<Copy> LoadCopy(BlockDevice* device, std::size_t index, std::uint64_t end, IoDeadline deadline) {
  Copy copy;
  const std::uint64_t offset = SuperblockOffset(index, end);
  auto sector = co_await ReadSectors(device, offset, kSectorBytes, deadline);
  if (!sector.has_value()) {
    copy.problem = sector.error().message();
    co_return copy;
  }
  auto superblock = DecodeSuperblock(sector->span(), index);
  if (superblock.has_value()) {
    copy.superblock = *superblock;
  } else {
    copy.problem = fmt::format("copy at {}: {}", offset, superblock.error().message());
    copy.other_version = superblock.error().code() == base::Errc::kUnsupported;
  }
  co_return copy;
}

// A copy that passed its checksum may still come from a hostile image.
base::Result<> CheckGeometry(const Geometry& geometry, const BlockDevice& device) {
  const bool sane = geometry.segment_bytes >= kMiB && geometry.segment_bytes <= kSegmentBytesMax &&
                    geometry.segment_bytes % kMiB == 0 && geometry.segment_count >= kSegmentsMin &&
                    geometry.end % kMiB == 0 &&
                    geometry.SegmentOffset(geometry.segment_count) <= geometry.end - std::min(geometry.end, kMiB);
  if (!sane) return base::Error(base::Errc::kCorrupt, "the superblock's sizes make no sense");
  if (geometry.end > device.size_bytes()) {
    return base::Error(base::Errc::kCorrupt,
                       fmt::format("{} has {} bytes but the volume on it has {}: it was cut short; restore its size",
                                   device.name(), device.size_bytes(), geometry.end));
  }
  return {};
}

const Superblock* NewestWithTwoCopies(const std::vector<Copy>& copies) {
  const Superblock* best = nullptr;
  for (const Copy& copy : copies) {
    if (!copy.superblock.has_value()) continue;
    const auto agreeing = std::ranges::count_if(copies, [&](const Copy& c) { return c.superblock == copy.superblock; });
    if (agreeing < 2) continue;
    if (best == nullptr || copy.superblock->sequence > best->sequence) best = &*copy.superblock;
  }
  return best;
}

base::Error NoneAgree(const BlockDevice& device, const std::vector<Copy>& copies) {
  const auto others = std::ranges::count_if(copies, [](const Copy& c) { return c.other_version; });
  std::string found;
  for (const Copy& copy : copies) {
    if (others >= 2 && copy.other_version) return base::Error(base::Errc::kUnsupported, copy.problem);
    if (!found.empty()) found += "; ";
    found += copy.superblock.has_value() ? fmt::format("a valid copy with sequence {}", copy.superblock->sequence)
                                         : copy.problem;
  }
  return base::Error(base::Errc::kCorrupt,
                     fmt::format("{} holds no MFFS volume that can be opened, since no two superblock copies agree "
                                 "({}); format it, or run `posthorn mffs rescue`",
                                 device.name(), found));
}

async::Task<base::Result<>> WriteCopy(BlockDevice* device, Superblock superblock, std::size_t copy,
                                      IoDeadline deadline) {
  IoMemory sector(kSectorBytes);
  EncodeSuperblock(superblock, copy, sector.span());
  co_return co_await WriteDurably(device, SuperblockOffset(copy, superblock.geometry.end), std::move(sector), deadline);
}

// Once more in the same place when it fails: all of the sector is sent again and flushed, so what the first try left
// there does not matter. Not in another place: with this copy in doubt the others are needed as they are. Not after a
// hang: that write may still land, over what a later update has written there.
async::Task<base::Result<>> StoreCopy(BlockDevice* device, Superblock superblock, std::size_t copy,
                                      IoDeadline deadline) {
  base::Result<> written = co_await WriteCopy(device, superblock, copy, deadline);
  if (written.has_value() || written.error().code() != base::Errc::kIo) co_return written;
  base::LogError("mffs_superblock_write_failed", {{"device", device->name()},
                                                  {"copy", copy},
                                                  {"reason", written.error().message()},
                                                  {"note",
                                                   "it is written once more; if that fails, the volume is "
                                                   "read-only"},
                                                  {"do", "look at the disk's own error log"}});
  co_return co_await WriteCopy(device, superblock, copy, deadline);
}

}  // namespace

async::Task<base::Result<Superblock>> LoadSuperblock(BlockDevice* device, IoDeadline deadline) {
  const std::uint64_t end = device->size_bytes() / kMiB * kMiB;
  if (end < kDeviceBytesMin) {
    co_return base::Error(base::Errc::kCorrupt,
                          fmt::format("{} has {} bytes, too few for a volume; format a larger one", device->name(),
                                      device->size_bytes()));
  }
  std::vector<Copy> copies;
  for (std::size_t i = 0; i < kSuperblockCopies; ++i) {
    Copy copy = co_await LoadCopy(device, i, end, deadline);
    copies.push_back(std::move(copy));
  }
  // The device may have grown since the format: then the last two copies lie where the first two say.
  for (std::size_t i = 0; i < 2; ++i) {
    if (!copies[i].superblock.has_value()) continue;
    const std::uint64_t other_end = copies[i].superblock->geometry.end;
    if (other_end == end || other_end < kDeviceBytesMin || other_end % kMiB != 0 || other_end > end) continue;
    for (std::size_t last = 2; last < kSuperblockCopies; ++last) {
      Copy copy = co_await LoadCopy(device, last, other_end, deadline);
      copies.push_back(std::move(copy));
    }
    break;
  }
  const Superblock* newest = NewestWithTwoCopies(copies);
  if (newest == nullptr) co_return NoneAgree(*device, copies);
  CO_RETURN_IF_ERROR(CheckGeometry(newest->geometry, *device));
  co_return *newest;
}

async::Task<base::Result<>> RepairSuperblock(BlockDevice* device, Superblock superblock, IoDeadline deadline) {
  for (std::size_t i = 0; i < kSuperblockCopies; ++i) {
    const Copy copy = co_await LoadCopy(device, i, superblock.geometry.end, deadline);
    if (copy.superblock == superblock) continue;
    CO_RETURN_IF_ERROR(co_await StoreCopy(device, superblock, i, deadline));
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> StoreSuperblock(BlockDevice* device, Superblock superblock, IoDeadline deadline) {
  // The second pair is untouched until the first is durable, so two equal copies exist at every moment.
  for (const std::size_t copy : {0u, 2u, 1u, 3u}) {
    CO_RETURN_IF_ERROR(co_await StoreCopy(device, superblock, copy, deadline));
  }
  co_return base::Result<>();
}

}  // namespace mffs
