#include "mffs/block_checksums.h"

#include <algorithm>

namespace mffs {

std::uint32_t BlockChecksums::Copy(std::byte* block, std::uint32_t at, base::ByteSpan part, std::uint32_t checksum,
                                   base::CopyTo where) {
  while (!part.empty()) {
    const auto bytes = static_cast<std::uint32_t>(std::min<std::size_t>(part.size(), kSectorBytes - at % kSectorBytes));
    const std::uint32_t piece = base::CopyWithCrc32c(block + at, part.first(bytes), 0, where);
    checksum = base::JoinCrc32c(checksum, piece, bytes);
    if (at >= kSectorBytes) pieces_.push_back({at, bytes, piece});
    at += bytes;
    part = part.subspan(bytes);
  }
  return checksum;
}

std::span<const std::uint32_t> BlockChecksums::OfSectors(base::ByteSpan block, const SegmentSeed& seed,
                                                         std::uint32_t first_sector) {
  of_sectors_.clear();
  auto piece = pieces_.begin();
  for (std::size_t begin = kSectorBytes; begin < block.size(); begin += kSectorBytes) {
    const std::size_t end = begin + kSectorBytes;
    std::uint32_t checksum = seed.ForSector(first_sector + static_cast<std::uint32_t>(begin / kSectorBytes));
    for (std::size_t at = begin; at < end;) {
      if (piece != pieces_.end() && piece->at == at) {
        checksum = base::JoinCrc32c(checksum, piece->checksum, piece->bytes);
        at += piece->bytes;
        ++piece;
      } else {
        const std::size_t gap_end = piece == pieces_.end() ? end : std::min<std::size_t>(end, piece->at);
        checksum = base::Crc32c(block.subspan(at, gap_end - at), checksum);
        at = gap_end;
      }
    }
    of_sectors_.push_back(checksum);
  }
  return of_sectors_;
}

}  // namespace mffs
