// CRC-32C (Castagnoli), the checksum of every record and sector. Uses SSE4.2 in three interleaved lanes, and PCLMULQDQ
// to join what was computed apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

// The checksum of `bytes` continued from `seed` (a checksum of what came before, or any number as a key).
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

// Whether what is copied stays in the processor's cache, or goes past it: for what only a device reads next, and which
// is more than a cache holds. Before a device or another thread reads what went past it, EndCopiesToMemory().
enum class CopyTo { kCache, kMemory };
void EndCopiesToMemory();

// Copies `from` to `to`, which do not overlap, and gives its checksum: one pass over memory for both.
std::uint32_t CopyWithCrc32c(std::byte* to, std::span<const std::byte> from, std::uint32_t seed = 0,
                             CopyTo where = CopyTo::kCache);

// The checksum of A and B, one after the other, from that of A (with any seed) and that of B (with seed 0).
std::uint32_t JoinCrc32c(std::uint32_t first, std::uint32_t second, std::size_t second_bytes);
// With seed 0.
std::uint32_t Crc32cOfZeroes(std::size_t bytes);

}  // namespace base
