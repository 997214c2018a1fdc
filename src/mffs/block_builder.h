// BlockBuilder: fills one commit block in memory. It does not know its place until it is sealed, so that a block can be
// filled while the one before it is being written, and be sealed again for another place after a failed write.
#pragma once

#include <span>
#include <vector>

#include "mffs/block_checksums.h"
#include "mffs/format.h"
#include "mffs/summary_text.h"
#include "mffs/volume.h"

namespace mffs {

// How much a block may take: `sectors` are left in its segment, which must hold the block and the summary of the whole
// segment, to which other blocks have already given `summary_bytes`.
struct BlockRoom {
  std::uint32_t sectors = 0;
  std::uint32_t summary_bytes = 0;
  std::uint32_t summary_bytes_max = 0;
  std::uint32_t block_sectors_max = kBlockSectorsMax;

  bool Fits(std::uint32_t block_bytes, std::uint32_t block_summary_bytes) const;
};

struct BlockPlace {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  Stream stream = Stream::kMeta;
  std::uint32_t first_sector = 0;
  std::uint32_t first_ordinal = 0;
  SegmentSeed seed;
};

// Thread: one. Borrows the memory: one sector for a segment header, then kBlockBytesMax.
class BlockBuilder {
 public:
  static constexpr std::size_t kMemoryBytes = kSectorBytes + kBlockBytesMax;

  BlockBuilder() = default;
  // `memory` is kMemoryBytes, aligned.
  BlockBuilder(base::MutableByteSpan memory, std::uint32_t volume_seed);

  std::uint32_t record_count() const { return static_cast<std::uint32_t>(record_offsets_.size()); }
  std::uint32_t used_bytes() const { return used_bytes_; }
  // What the records add to the summary of their segment, at most.
  std::uint32_t summary_bytes() const { return summary_.bytes_max(); }
  std::uint32_t padded_record_bytes() const { return used_bytes_ - kRecordsOffset; }
  std::uint32_t sector_count() const {
    return static_cast<std::uint32_t>(AlignUp(used_bytes_, kSectorBytes) / kSectorBytes);
  }

  // Whether the block with this record added would fit into `room`.
  bool Fits(const AppendRequest& request, const BlockRoom& room) const;
  // Copies the record. The caller has asked Fits().
  void Add(const AppendRequest& request, std::uint8_t flags);
  void Clear();

  // Completes the block for a place. `header` gives LSNs and flags. Returns the bytes to write, which begin with the
  // segment header when the block is the first of its segment: then they belong one sector before first_sector.
  base::MutableByteSpan Seal(const BlockPlace& place, BlockHeader header, const Uuid& uuid);

  // After Seal.
  Location LocationOf(std::uint32_t record) const;
  const SummaryGroup& summary() const { return summary_; }
  const BlockPlace& place() const { return place_; }
  // Copies the contents, unsealed, for a second try elsewhere while the device may still use this memory.
  void CopyTo(BlockBuilder& other) const;

 private:
  std::byte* block() const { return memory_.data() + kSectorBytes; }
  const std::byte* record(std::uint32_t index) const { return block() + record_offsets_[index]; }

  base::MutableByteSpan memory_;
  std::uint32_t volume_seed_ = 0;
  std::uint32_t used_bytes_ = kRecordsOffset;
  base::CopyTo copy_to_ = base::CopyTo::kCache;  // A block is expected to be as large as the one before it.
  BlockChecksums checksums_;
  SummaryGroup summary_;
  std::vector<std::uint32_t> record_offsets_;  // In the block.
  BlockPlace place_;
};

std::uint32_t RecordBytes(const AppendRequest& request);

}  // namespace mffs
