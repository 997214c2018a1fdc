#include "mffs/sim_image.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mffs {
namespace {

constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15u;

std::uint64_t Mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

// Four lanes, so that the multiplications overlap.
std::uint64_t HashBytes(const std::byte* bytes) {
  std::array<std::uint64_t, 4> lanes{1, 2, 3, 4};
  for (std::size_t at = 0; at < kSectorBytes; at += 32) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      std::uint64_t& hash = lanes[lane];
      hash = (hash ^ base::LoadLe<std::uint64_t>(bytes + at + 8 * lane)) * kMix;
      hash ^= hash >> 32;
    }
  }
  return Mix(lanes[0] ^ Mix(lanes[1] ^ Mix(lanes[2] ^ Mix(lanes[3]))));
}

bool IsZero(base::ByteSpan bytes) {
  return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

bool SameSector(const SimSectorRef& a, const SimSectorRef& b) {
  if (a == b) return true;
  if (!a || !b) return false;
  return a->hash == b->hash && a->bytes == b->bytes;
}

}  // namespace

SimImage::SimImage(std::uint64_t size_bytes) : size_bytes_(size_bytes) {
  CHECK(size_bytes % kSectorBytes == 0);
  chunks_.resize((size_bytes / kSectorBytes + kChunkSectors - 1) / kChunkSectors);
}

void SimImage::Read(std::uint64_t offset, base::MutableByteSpan into) const {
  CHECK(offset <= size_bytes_ && into.size() <= size_bytes_ - offset);
  constexpr std::uint64_t kChunkBytes = kChunkSectors * kSectorBytes;
  while (!into.empty()) {
    const Chunk* const chunk = chunks_[offset / kChunkBytes].get();
    const SimSector* const sector = chunk == nullptr ? nullptr : (*chunk)[offset / kSectorBytes % kChunkSectors].get();
    const std::uint64_t piece = chunk == nullptr ? kChunkBytes : kSectorBytes;
    const std::size_t size = std::min<std::size_t>(into.size(), piece - offset % piece);
    if (sector != nullptr) {
      std::memcpy(into.data(), sector->bytes.data() + offset % kSectorBytes, size);
    } else {
      std::memset(into.data(), 0, size);
    }
    into = into.subspan(size);
    offset += size;
  }
}

void SimImage::Write(std::uint64_t offset, base::ByteSpan data) {
  CHECK(offset <= size_bytes_ && data.size() <= size_bytes_ - offset);
  std::array<std::byte, kSectorBytes> bytes;
  while (!data.empty()) {
    const std::uint64_t index = offset / kSectorBytes;
    const std::uint64_t within = offset % kSectorBytes;
    const std::size_t size = std::min<std::size_t>(data.size(), kSectorBytes - within);
    if (size != kSectorBytes) Read(index * kSectorBytes, bytes);
    std::memcpy(bytes.data() + within, data.data(), size);
    SetSector(index, MakeSector(bytes));
    data = data.subspan(size);
    offset += size;
  }
}

void SimImage::FlipBit(std::uint64_t offset, int bit) {
  std::array<std::byte, 1> byte{};
  Read(offset, byte);
  byte[0] ^= std::byte{1} << bit;
  Write(offset, byte);
}

SimSectorRef SimImage::Sector(std::uint64_t index) const {
  CHECK(index < size_bytes_ / kSectorBytes);
  const std::shared_ptr<Chunk>& chunk = chunks_[index / kChunkSectors];
  return chunk ? (*chunk)[index % kChunkSectors] : nullptr;
}

void SimImage::SetSector(std::uint64_t index, SimSectorRef sector) {
  CHECK(index < size_bytes_ / kSectorBytes);
  std::shared_ptr<Chunk>& chunk = chunks_[index / kChunkSectors];
  if (!chunk) {
    if (!sector) return;
    chunk = std::make_shared<Chunk>();
  } else if (chunk.use_count() > 1) {
    chunk = std::make_shared<Chunk>(*chunk);
  }
  (*chunk)[index % kChunkSectors] = std::move(sector);
}

std::uint64_t SimImage::Hash() const {
  std::uint64_t hash = Mix(size_bytes_);
  for (std::size_t c = 0; c < chunks_.size(); ++c) {
    if (!chunks_[c]) continue;
    for (std::size_t s = 0; s < kChunkSectors; ++s) {
      const SimSectorRef& sector = (*chunks_[c])[s];
      if (sector) hash += Mix(sector->hash ^ Mix((c * kChunkSectors + s + 1) * kMix));
    }
  }
  return hash;
}

bool operator==(const SimImage& a, const SimImage& b) {
  if (a.size_bytes_ != b.size_bytes_) return false;
  for (std::size_t c = 0; c < a.chunks_.size(); ++c) {
    if (a.chunks_[c] == b.chunks_[c]) continue;
    for (std::size_t s = 0; s < SimImage::kChunkSectors; ++s) {
      const SimSectorRef left = a.chunks_[c] ? (*a.chunks_[c])[s] : nullptr;
      const SimSectorRef right = b.chunks_[c] ? (*b.chunks_[c])[s] : nullptr;
      if (!SameSector(left, right)) return false;
    }
  }
  return true;
}

SimSectorRef SimImage::MakeSector(base::ByteSpan bytes) {
  CHECK(bytes.size() == kSectorBytes);
  if (IsZero(bytes)) return nullptr;
  auto sector = std::make_shared<SimSector>();
  std::memcpy(sector->bytes.data(), bytes.data(), kSectorBytes);
  sector->hash = HashBytes(bytes.data());
  return sector;
}

}  // namespace mffs
