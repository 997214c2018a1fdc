// SimImage: the bytes of a simulated disk. A value: copying it is cheap, so that recovery can be run many times from
// one image.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "mffs/block_device.h"

namespace mffs {

// One sector with its hash, immutable and shared by all images that hold it.
struct SimSector {
  std::array<std::byte, kSectorBytes> bytes;
  std::uint64_t hash;
};
// Null is a sector of zeroes.
using SimSectorRef = std::shared_ptr<const SimSector>;  // Owners: images and the unflushed writes of a SimDevice.

// Sparse: what was never written reads as zeroes and takes no memory.
// Thread: distinct images may be used on distinct threads even when one was copied from the other.
class SimImage {
 public:
  explicit SimImage(std::uint64_t size_bytes);

  std::uint64_t size_bytes() const { return size_bytes_; }

  // At any offset, within the image.
  void Read(std::uint64_t offset, base::MutableByteSpan into) const;
  void Write(std::uint64_t offset, base::ByteSpan data);
  void FlipBit(std::uint64_t offset, int bit);

  SimSectorRef Sector(std::uint64_t index) const;
  void SetSector(std::uint64_t index, SimSectorRef sector);

  // Equal images have equal hashes; different ones almost certainly different ones. A walk over pointers, not over
  // bytes.
  std::uint64_t Hash() const;
  friend bool operator==(const SimImage& a, const SimImage& b);

  static SimSectorRef MakeSector(base::ByteSpan bytes);

 private:
  static constexpr std::uint64_t kChunkSectors = 256;
  using Chunk = std::array<SimSectorRef, kChunkSectors>;

  std::uint64_t size_bytes_;
  std::vector<std::shared_ptr<Chunk>> chunks_;  // Shared by copies until one of them writes there.
};

}  // namespace mffs
