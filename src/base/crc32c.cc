#include "base/crc32c.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <nmmintrin.h>
#include <wmmintrin.h>

namespace base {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;
constexpr std::size_t kShiftBytesMax = 4096;  // Of one step.

// Three lanes keep the CRC unit busy: its latency is 3 cycles, its throughput 1 (Gopal et al., Intel 2011). Fewer bytes
// than these are not worth the joining of lanes.
constexpr std::size_t kLanesFrom = 192;

constexpr std::uint32_t TimesX(std::uint32_t crc) {
  return (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
}

constexpr std::uint32_t ByX(std::uint32_t crc) {
  return crc >> 31 != 0 ? (crc ^ kPolynomial) << 1 | 1 : crc << 1;
}

// x^(8n - 33) modulo the polynomial, by n: see Shift().
constexpr std::array<std::uint32_t, kShiftBytesMax + 1> MakeShifts() {
  std::array<std::uint32_t, kShiftBytesMax + 1> shifts{};
  std::uint32_t power = 1u << 31;  // x^0: the highest power is the lowest bit.
  for (int i = 0; i < 33; ++i) power = ByX(power);
  for (std::uint32_t& shift : shifts) {
    shift = power;
    for (int i = 0; i < 8; ++i) power = TimesX(power);
  }
  return shifts;
}

constexpr std::array<std::uint32_t, kShiftBytesMax + 1> kShifts = MakeShifts();

// The remainder `crc` after so many zero bytes. A product of two reflected numbers has a factor x too many, and the
// instruction adds x^32.
__attribute__((target("pclmul"))) std::uint32_t Shift(std::uint32_t crc, std::size_t bytes) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(kShifts[bytes])), 0);
  return static_cast<std::uint32_t>(_mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))));
}

std::uint64_t Load64(const std::byte* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

using Store = void (*)(std::byte* to, std::uint64_t value);

void StoreToCache(std::byte* to, std::uint64_t value) {
  std::memcpy(to, &value, sizeof value);
}

void StoreToMemory(std::byte* to, std::uint64_t value) {
  _mm_stream_si64(reinterpret_cast<long long*>(to), static_cast<long long>(value));
}

// With a store the bytes go to `to` on their way: they are in registers anyhow, and waiting for memory is done once.
template <Store kStore>
std::uint32_t Checksum(std::span<const std::byte> bytes, std::uint32_t seed, [[maybe_unused]] std::byte* to) {
  const std::byte* const from = bytes.data();
  const std::size_t size = bytes.size();
  const auto take = [=](std::size_t at) {
    const std::uint64_t value = Load64(from + at);
    if constexpr (kStore != nullptr) kStore(to + at, value);
    return value;
  };
  std::uint64_t crc = seed ^ 0xffffffffu;
  std::size_t at = 0;
  while (size - at >= kLanesFrom) {
    const std::size_t lane_bytes = std::min((size - at) / 3, kShiftBytesMax) & ~std::size_t{7};
    std::uint64_t lane1 = 0;
    std::uint64_t lane2 = 0;
    for (const std::size_t end = at + lane_bytes; at < end; at += 8) {
      crc = _mm_crc32_u64(crc, take(at));
      lane1 = _mm_crc32_u64(lane1, take(at + lane_bytes));
      lane2 = _mm_crc32_u64(lane2, take(at + 2 * lane_bytes));
    }
    crc = Shift(static_cast<std::uint32_t>(crc), lane_bytes) ^ lane1;
    crc = Shift(static_cast<std::uint32_t>(crc), lane_bytes) ^ lane2;
    at += 2 * lane_bytes;
  }
  for (; size - at >= 8; at += 8) crc = _mm_crc32_u64(crc, take(at));
  for (; at < size; ++at) {
    crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<std::uint8_t>(from[at]));
    if constexpr (kStore != nullptr) to[at] = from[at];
  }
  return static_cast<std::uint32_t>(crc) ^ 0xffffffffu;
}

}  // namespace

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  return Checksum<nullptr>(bytes, seed, nullptr);
}

std::uint32_t CopyWithCrc32c(std::byte* to, std::span<const std::byte> from, std::uint32_t seed, CopyTo where) {
  return where == CopyTo::kCache ? Checksum<StoreToCache>(from, seed, to) : Checksum<StoreToMemory>(from, seed, to);
}

// Such stores are not ordered before what tells of them.
void EndCopiesToMemory() {
  _mm_sfence();
}

std::uint32_t JoinCrc32c(std::uint32_t first, std::uint32_t second, std::size_t second_bytes) {
  for (; second_bytes > kShiftBytesMax; second_bytes -= kShiftBytesMax) first = Shift(first, kShiftBytesMax);
  return Shift(first, second_bytes) ^ second;
}

std::uint32_t Crc32cOfZeroes(std::size_t bytes) {
  return JoinCrc32c(0xffffffffu, 0xffffffffu, bytes);
}

}  // namespace base
