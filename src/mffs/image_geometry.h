// The geometry of a damaged image: from whatever superblock copy is left, else from the segment headers alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/device_io.h"
#include "mffs/format.h"

namespace mffs {

// One of the four copies, as it was found.
struct SuperblockCopy {
  std::uint64_t offset = 0;
  std::optional<Superblock> superblock;
  bool other_version = false;
  std::string problem;  // Why there is none.
};

// Reads the four copies of a volume with this `end`. Those that lie outside the device are bad.
async::Task<std::vector<SuperblockCopy>> ReadSuperblockCopies(BlockDevice* device, std::uint64_t end,
                                                              IoDeadline deadline);

struct FoundGeometry {
  Geometry geometry;
  // No superblock copy is left. The UUID is then not the volume's: it is one that gives the same checksums.
  bool from_segments = false;
  std::uint32_t superblock_copies = 0;  // That are good.
  std::vector<std::string> notes;       // What was wrong, each a sentence.
};

// The image may be shorter than the geometry says. Errors: kCorrupt (no superblock and no segment header is left),
// kUnsupported (another format version).
async::Task<base::Result<FoundGeometry>> FindGeometry(BlockDevice* device, IoDeadline deadline);

// The seed with which `bytes` have this checksum. CRC-32C runs backwards as well as forwards: a segment header carries
// no UUID, but its checksum tells all of the UUID that checksums depend on (docs/format/mffs.md, "Without
// superblocks").
std::uint32_t Crc32cSeedOf(base::ByteSpan bytes, std::uint32_t checksum);
// A UUID whose VolumeSeed is this.
Uuid UuidOfSeed(std::uint32_t volume_seed);

}  // namespace mffs
