// LiveMap: one bit a record of a segment; costs nothing while all records are live or none is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mffs {

// A value. Ordinals are below count().
class LiveMap {
 public:
  std::uint32_t count() const { return count_; }
  std::uint32_t live() const { return live_; }

  bool IsLive(std::uint32_t ordinal) const;
  // Appends `records` ordinals.
  void Extend(std::uint32_t records, bool live);
  // Whether it changed anything.
  bool Set(std::uint32_t ordinal, bool live);

  // docs/format/mffs.md "Checkpoint": the map byte and its bits.
  void EncodeTo(std::string& out) const;
  // `bits` is what follows the map byte; false if it does not fit `count`.
  bool Decode(std::uint8_t kind, std::string_view bits, std::uint32_t count);
  static std::size_t EncodedBits(std::uint8_t kind, std::uint32_t count);

 private:
  void MakeBits();
  void DropBitsIfUniform();

  std::uint32_t count_ = 0;
  std::uint32_t live_ = 0;
  std::vector<std::uint64_t> bits_;  // Empty while live_ is 0 or count_.
};

}  // namespace mffs
