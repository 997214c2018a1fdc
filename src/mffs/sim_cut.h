// SimCut: what a power cut leaves of a simulated disk: what is durable, and writes whose fate is open.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "mffs/sim_image.h"

namespace mffs {

// What a power cut did to one write that was not durable. Torn writes keep some of their 512-byte units.
enum class WriteFate : std::uint8_t {
  kLost,
  kKept,
  kTornHead,   // About the first half is kept; the cut goes through a sector.
  kTornTail,   // About the second half is kept.
  kTornMixed,  // Each unit by the toss of a coin (seeded).
};
inline constexpr int kWriteFateCount = 5;

// Counts `fates` up like an odometer over all WriteFates; false when it wrapped to all kLost. For exhaustive
// enumeration.
bool NextFates(std::span<WriteFate> fates);

// What a disk writes whole or not at all.
inline constexpr std::uint32_t kUnitBytes = 512;
inline constexpr std::uint32_t kUnitsInSector = kSectorBytes / kUnitBytes;

// The fate of one write, exactly: its units from `from` to before `to` are kept.
struct KeptUnits {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  friend bool operator==(const KeptUnits&, const KeptUnits&) = default;
};

struct SimWrite {
  std::uint64_t first_sector = 0;
  std::vector<SimSectorRef> sectors{};
  std::uint32_t units() const { return static_cast<std::uint32_t>(sectors.size()) * kUnitsInSector; }
};
void ApplyWrite(SimImage& image, const SimWrite& write, WriteFate fate, base::Random& random);
void ApplyWrite(SimImage& image, const SimWrite& write, KeptUnits kept);

// A value; cheap to copy.
class SimCut {
 public:
  // A write since the oldest one that is not durable, in the order of their turns.
  struct Write {
    SimWrite write;
    bool is_durable = false;
  };
  SimCut(SimImage durable, std::vector<Write> writes) : durable_(std::move(durable)), writes_(std::move(writes)) {}

  // How many units each write has whose fate the cut decides, in the order in which `fates` and `kept` name them.
  std::vector<std::uint32_t> UnflushedUnits() const;

  // What the disk holds after a restart. Fates beyond the given ones are kLost; `seed` decides kTornMixed.
  SimImage ImageAfter(std::span<const WriteFate> fates, std::uint64_t seed) const;
  // Each fate by the seed.
  SimImage ImageAfter(std::uint64_t seed) const;
  SimImage ImageAfter(std::span<const KeptUnits> kept) const;

 private:
  SimImage durable_;
  std::vector<Write> writes_;
};

}  // namespace mffs
