#include "mffs/sim_cut.h"

#include <array>
#include <cstring>
#include <functional>

#include "base/check.h"

namespace mffs {
namespace {

// Writes the units for which `keeps` says so; it is asked about each in turn.
void ApplyUnits(SimImage& image, const SimWrite& write, const std::function<bool(std::uint32_t unit)>& keeps) {
  for (std::size_t s = 0; s < write.sectors.size(); ++s) {
    std::array<bool, kUnitsInSector> kept{};
    std::uint32_t count = 0;
    for (std::uint32_t u = 0; u < kUnitsInSector; ++u) {
      kept[u] = keeps(static_cast<std::uint32_t>(s) * kUnitsInSector + u);
      count += kept[u] ? 1 : 0;
    }
    if (count == kUnitsInSector) image.SetSector(write.first_sector + s, write.sectors[s]);
    if (count == 0 || count == kUnitsInSector) continue;
    std::array<std::byte, kSectorBytes> merged;
    image.Read((write.first_sector + s) * kSectorBytes, merged);
    for (std::uint32_t u = 0; u < kUnitsInSector; ++u) {
      if (!kept[u]) continue;
      std::byte* const to = merged.data() + std::size_t{u} * kUnitBytes;
      if (write.sectors[s] == nullptr) {
        std::memset(to, 0, kUnitBytes);
      } else {
        std::memcpy(to, write.sectors[s]->bytes.data() + std::size_t{u} * kUnitBytes, kUnitBytes);
      }
    }
    image.SetSector(write.first_sector + s, SimImage::MakeSector(merged));
  }
}

}  // namespace

bool NextFates(std::span<WriteFate> fates) {
  for (WriteFate& fate : fates) {
    const int next = static_cast<int>(fate) + 1;
    fate = static_cast<WriteFate>(next % kWriteFateCount);
    if (next < kWriteFateCount) return true;
  }
  return false;
}

void ApplyWrite(SimImage& image, const SimWrite& write, WriteFate fate, base::Random& random) {
  const std::uint32_t split = (write.units() / 2) | 1;  // Odd: never between two sectors.
  switch (fate) {
    case WriteFate::kLost:
      return;
    case WriteFate::kKept:
      return ApplyWrite(image, write, {.from = 0, .to = write.units()});
    case WriteFate::kTornHead:
      return ApplyWrite(image, write, {.from = 0, .to = split});
    case WriteFate::kTornTail:
      return ApplyWrite(image, write, {.from = split, .to = write.units()});
    case WriteFate::kTornMixed:
      return ApplyUnits(image, write, [&random](std::uint32_t) { return random.OneIn(2); });
  }
}

void ApplyWrite(SimImage& image, const SimWrite& write, KeptUnits kept) {
  CHECK(kept.to <= write.units());
  ApplyUnits(image, write, [kept](std::uint32_t unit) { return unit >= kept.from && unit < kept.to; });
}

std::vector<std::uint32_t> SimCut::UnflushedUnits() const {
  std::vector<std::uint32_t> units;
  for (const Write& write : writes_) {
    if (!write.is_durable) units.push_back(write.write.units());
  }
  return units;
}

SimImage SimCut::ImageAfter(std::span<const WriteFate> fates, std::uint64_t seed) const {
  SimImage image = durable_;
  base::Random random(seed);
  std::size_t index = 0;
  for (const Write& write : writes_) {
    WriteFate fate = WriteFate::kKept;
    if (!write.is_durable) {
      fate = index < fates.size() ? fates[index] : WriteFate::kLost;
      ++index;
    }
    ApplyWrite(image, write.write, fate, random);
  }
  return image;
}

SimImage SimCut::ImageAfter(std::uint64_t seed) const {
  base::Random random(seed);
  std::vector<WriteFate> fates(UnflushedUnits().size());
  for (WriteFate& fate : fates) fate = static_cast<WriteFate>(random.Below(kWriteFateCount));
  return ImageAfter(fates, random.Next());
}

SimImage SimCut::ImageAfter(std::span<const KeptUnits> kept) const {
  SimImage image = durable_;
  std::size_t index = 0;
  for (const Write& write : writes_) {
    const KeptUnits whole{.from = 0, .to = write.write.units()};
    const bool is_decided = write.is_durable;
    CHECK(is_decided || index < kept.size());
    ApplyWrite(image, write.write, is_decided ? whole : kept[index++]);
  }
  return image;
}

}  // namespace mffs
