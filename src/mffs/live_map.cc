#include "mffs/live_map.h"

#include <bit>

#include "base/check.h"

namespace mffs {
namespace {
constexpr std::uint8_t kNone = 0;
constexpr std::uint8_t kAll = 1;
constexpr std::uint8_t kBits = 2;
}  // namespace

bool LiveMap::IsLive(std::uint32_t ordinal) const {
  if (ordinal >= count_) return false;
  if (bits_.empty()) return live_ != 0;
  return (bits_[ordinal / 64] >> (ordinal % 64) & 1) != 0;
}

void LiveMap::Extend(std::uint32_t records, bool live) {
  if (records == 0) return;
  const bool stays_uniform = bits_.empty() && (count_ == 0 || (live_ != 0) == live);
  if (!stays_uniform) {
    if (bits_.empty()) MakeBits();
    bits_.resize((count_ + records + 63) / 64);
    for (std::uint32_t i = count_; live && i < count_ + records; ++i) bits_[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  count_ += records;
  if (live) live_ += records;
}

bool LiveMap::Set(std::uint32_t ordinal, bool live) {
  if (ordinal >= count_ || IsLive(ordinal) == live) return false;
  if (bits_.empty()) MakeBits();
  bits_[ordinal / 64] ^= std::uint64_t{1} << (ordinal % 64);
  live_ = live ? live_ + 1 : live_ - 1;
  DropBitsIfUniform();
  return true;
}

void LiveMap::EncodeTo(std::string& out) const {
  if (live_ == 0 || live_ == count_) {
    out.push_back(static_cast<char>(live_ == 0 ? kNone : kAll));
    return;
  }
  out.push_back(static_cast<char>(kBits));
  for (std::uint32_t byte = 0; byte < (count_ + 7) / 8; ++byte) {
    out.push_back(static_cast<char>(bits_[byte / 8] >> (byte % 8 * 8) & 0xff));
  }
}

std::size_t LiveMap::EncodedBits(std::uint8_t kind, std::uint32_t count) {
  return kind == kBits ? (std::size_t{count} + 7) / 8 : 0;
}

bool LiveMap::Decode(std::uint8_t kind, std::string_view bits, std::uint32_t count) {
  *this = LiveMap();
  if (kind > kBits || bits.size() != EncodedBits(kind, count)) return false;
  count_ = count;
  live_ = kind == kAll ? count : 0;
  if (kind != kBits) return true;
  bits_.resize((count + 63) / 64);
  for (std::size_t byte = 0; byte < bits.size(); ++byte) {
    bits_[byte / 8] |= std::uint64_t{static_cast<unsigned char>(bits[byte])} << (byte % 8 * 8);
  }
  if (count % 64 != 0) bits_.back() &= (std::uint64_t{1} << (count % 64)) - 1;
  for (const std::uint64_t word : bits_) live_ += static_cast<std::uint32_t>(std::popcount(word));
  DropBitsIfUniform();
  return true;
}

void LiveMap::MakeBits() {
  bits_.assign((count_ + 63) / 64, live_ != 0 ? ~std::uint64_t{0} : 0);
  if (live_ != 0 && count_ % 64 != 0) bits_.back() = (std::uint64_t{1} << (count_ % 64)) - 1;
}

void LiveMap::DropBitsIfUniform() {
  CHECK(live_ <= count_);
  if (live_ == 0 || live_ == count_) bits_ = {};
}

}  // namespace mffs
