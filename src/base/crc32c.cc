#include "base/crc32c.h"

#include <array>
#include <cstring>

#include <nmmintrin.h>

namespace base {
namespace {

// Three lanes keep the CRC unit busy: its latency is 3 cycles, its throughput 1 (Gopal et al., Intel 2011).
constexpr std::size_t kLaneBytes = 1360;  // 3 x 1360 = 4080: a 4 KiB sector is one round and a short tail.

using ShiftTable = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr std::uint32_t kPolynomial = 0x82f63b78;

constexpr std::uint32_t ShiftOneByte(std::uint32_t crc) {
  for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
  return crc;
}

// The operator "advance by kLaneBytes zero bytes" as four byte-indexed tables.
ShiftTable MakeShiftTable() {
  std::array<std::uint32_t, 32> column{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < kLaneBytes; ++i) crc = ShiftOneByte(crc);
    column[bit] = crc;
  }
  ShiftTable table{};
  for (std::size_t byte = 0; byte < 4; ++byte) {
    for (std::size_t value = 0; value < 256; ++value) {
      std::uint32_t crc = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if ((value >> bit & 1) != 0) crc ^= column[8 * byte + bit];
      }
      table[byte][value] = crc;
    }
  }
  return table;
}

std::uint64_t ShiftLane(const ShiftTable& table, std::uint64_t crc) {
  return table[0][crc & 255] ^ table[1][crc >> 8 & 255] ^ table[2][crc >> 16 & 255] ^ table[3][crc >> 24 & 255];
}

std::uint64_t Load64(const std::byte* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// With kCopy the bytes go to `to` on their way: they are in registers anyhow, and waiting for memory is done once.
template <bool kCopy>
std::uint32_t Checksum(std::span<const std::byte> bytes, std::uint32_t seed, [[maybe_unused]] std::byte* to) {
  static const ShiftTable table = MakeShiftTable();
  const std::byte* const from = bytes.data();
  const std::size_t size = bytes.size();
  const auto take = [=](std::size_t at) {
    const std::uint64_t value = Load64(from + at);
    if constexpr (kCopy) std::memcpy(to + at, &value, sizeof value);
    return value;
  };
  std::uint64_t crc = seed ^ 0xffffffffu;
  std::size_t at = 0;
  for (; size - at >= 3 * kLaneBytes; at += 2 * kLaneBytes) {
    std::uint64_t lane1 = 0;
    std::uint64_t lane2 = 0;
    for (const std::size_t end = at + kLaneBytes; at < end; at += 8) {
      crc = _mm_crc32_u64(crc, take(at));
      lane1 = _mm_crc32_u64(lane1, take(at + kLaneBytes));
      lane2 = _mm_crc32_u64(lane2, take(at + 2 * kLaneBytes));
    }
    crc = ShiftLane(table, crc) ^ lane1;
    crc = ShiftLane(table, crc) ^ lane2;
  }
  for (; size - at >= 8; at += 8) crc = _mm_crc32_u64(crc, take(at));
  for (; at < size; ++at) {
    crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<std::uint8_t>(from[at]));
    if constexpr (kCopy) to[at] = from[at];
  }
  return static_cast<std::uint32_t>(crc) ^ 0xffffffffu;
}

}  // namespace

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  return Checksum<false>(bytes, seed, nullptr);
}

std::uint32_t CopyWithCrc32c(std::byte* to, std::span<const std::byte> from, std::uint32_t seed) {
  return Checksum<true>(from, seed, to);
}

}  // namespace base
