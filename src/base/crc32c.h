// CRC-32C (Castagnoli), the checksum of every record and sector. Uses SSE4.2 in three interleaved lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

// The checksum of `bytes` continued from `seed` (a checksum of what came before, or any number as a key).
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

// Copies `from` to `to`, which do not overlap, and gives its checksum: one pass over memory for both.
std::uint32_t CopyWithCrc32c(std::byte* to, std::span<const std::byte> from, std::uint32_t seed = 0);

}  // namespace base
