// The disk format of MFFS as structs and codecs; docs/format/mffs.md is the document. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/types.h"

namespace mffs {

inline constexpr std::uint32_t kFormatVersion = 1;       // Of a new volume.
inline constexpr std::uint32_t kFormatVersionBrief = 2;  // The same, and segments may be of stream brief.
inline constexpr std::uint64_t kMiB = 1u << 20;
inline constexpr std::uint32_t kSegmentsMin = 16;
inline constexpr std::uint64_t kSegmentBytesMax = 1u << 30;
inline constexpr std::uint32_t kBlockSectorsMax = 256;
inline constexpr std::uint32_t kBlockBytesMax = kBlockSectorsMax * kSectorBytes;
inline constexpr std::uint64_t kRecordsPerSegmentMax = kSegmentBytesMax / 48;
inline constexpr std::uint32_t kRecordsOffset = 1088;  // In a block: header and checksum table come before.
inline constexpr std::size_t kSuperblockCopies = 4;
// No volume lives to see these; what names higher ones was made to overflow.
inline constexpr std::uint64_t kLsnMax = std::uint64_t{1} << 62;
inline constexpr std::uint32_t kGenerationMax = 0xfffffff0;

inline constexpr std::uint8_t kTypeCheckpointRoot = 0xf0;
inline constexpr std::uint8_t kTypeCheckpointSegments = 0xf1;
inline constexpr std::uint8_t kTypeCheckpointOwner = 0xf2;

using Uuid = std::array<std::byte, 16>;
std::string ToString(const Uuid& uuid);

constexpr std::uint64_t AlignUp(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}
// What a record takes in its block: the next one begins at a multiple of 8.
constexpr std::uint32_t PaddedRecordBytes(std::uint64_t size) {
  return static_cast<std::uint32_t>(AlignUp(size, 8));
}

// Seeds of the checksums: a sector that is valid elsewhere, or was valid in an earlier generation, is not valid here.
class SegmentSeed {
 public:
  SegmentSeed() = default;
  SegmentSeed(const Uuid& uuid, std::uint32_t segment, std::uint32_t generation);
  std::uint32_t ForSector(std::uint32_t sector) const { return ForNumber(sector); }
  std::uint32_t ForRecord(std::uint32_t offset) const { return ForNumber(offset); }

 private:
  std::uint32_t ForNumber(std::uint32_t number) const;
  std::uint32_t seed_ = 0;
};
std::uint32_t VolumeSeed(const Uuid& uuid);

// Sizes that never change after Format.
struct Geometry {
  Uuid uuid{};
  std::uint32_t segment_bytes = 0;
  std::uint32_t segment_count = 0;
  std::uint64_t end = 0;  // Size of the device at format, rounded down to 1 MiB.

  std::uint64_t CapacityBytes() const { return std::uint64_t{segment_count} * segment_bytes; }
  std::uint64_t SegmentOffset(std::uint32_t segment) const {
    return kMiB + static_cast<std::uint64_t>(segment) * segment_bytes;
  }
  std::uint64_t SectorOffset(std::uint32_t segment, std::uint32_t sector) const {
    return SegmentOffset(segment) + sector * kSectorBytes;
  }
  std::uint32_t sectors_per_segment() const { return static_cast<std::uint32_t>(segment_bytes / kSectorBytes); }
  std::uint32_t footer_sector() const { return sectors_per_segment() - 1; }
  std::uint32_t summary_bytes_max() const { return segment_bytes / 8; }
  std::uint32_t records_max() const { return segment_bytes / 48; }
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// "Superblock".
struct CheckpointRef {
  static constexpr std::size_t kEncodedSize = 40;
  Lsn base_lsn;
  Lsn durable_lsn;  // Of the volume when this reference was written: the root's own block is not above it.
  Location root;
  friend bool operator==(const CheckpointRef&, const CheckpointRef&) = default;
};
// How far the scrub has come, as of the newest checkpoint. Nothing depends on it but when the scrub is where.
struct ScrubMark {
  static constexpr std::size_t kEncodedSize = 24;
  std::uint32_t next_segment = 0;
  std::uint64_t pass_began = 0;  // Seconds since 1970; 0: not yet.
  std::uint64_t last_ended = 0;  // The same, of the last pass that reached the end.
  friend bool operator==(const ScrubMark&, const ScrubMark&) = default;
};
struct Superblock {
  static constexpr std::size_t kUsedSize = 160;
  std::uint32_t version = kFormatVersion;
  Geometry geometry;
  std::uint64_t sequence = 0;
  CheckpointRef newest;
  CheckpointRef previous;
  ScrubMark scrub;
  friend bool operator==(const Superblock&, const Superblock&) = default;
};
static_assert(Superblock::kUsedSize ==
              8 + 4 + 4 + 16 + 4 + 4 + 8 + 8 + 2 * CheckpointRef::kEncodedSize + ScrubMark::kEncodedSize);
static_assert(ScrubMark::kEncodedSize == 4 + 4 + 8 + 8);
static_assert(CheckpointRef::kEncodedSize == 8 + 8 + Location::kEncodedSize + 4);

// Where copy `index` lies on a device whose `end` is given.
std::uint64_t SuperblockOffset(std::size_t index, std::uint64_t end);
// `out` is one sector.
void EncodeSuperblock(const Superblock& superblock, std::size_t copy, base::MutableByteSpan out);
// Errors: kCorrupt (no magic, bad checksum), kUnsupported (the magic, but another version).
base::Result<Superblock> DecodeSuperblock(base::ByteSpan sector, std::size_t copy);

// "Segment".
struct SegmentHeader {
  static constexpr std::size_t kUsedSize = 32;
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  Stream stream = Stream::kMeta;
  Lsn first_lsn;
};
static_assert(SegmentHeader::kUsedSize == 8 + 4 + 4 + 4 + 1 + 3 + 8);
void EncodeSegmentHeader(const SegmentHeader& header, const Uuid& uuid, base::MutableByteSpan out);
// Nothing if the sector is not a valid header of this segment.
std::optional<SegmentHeader> DecodeSegmentHeader(base::ByteSpan sector, const Uuid& uuid, std::uint32_t segment);

// "Commit block".
struct BlockHeader {
  static constexpr std::size_t kEncodedSize = 64;
  static constexpr std::uint16_t kCovering = 1;
  static constexpr std::uint16_t kRewritten = 2;

  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  Lsn lsn;
  Lsn commit_lsn;
  Lsn mount_first;
  Lsn mount_cut;
  std::uint16_t sector_count = 0;
  std::uint16_t record_count = 0;
  std::uint16_t flags = 0;
  Stream stream = Stream::kMeta;
  std::uint32_t first_ordinal = 0;
  std::uint32_t used_bytes = 0;
};
static_assert(BlockHeader::kEncodedSize == 4 + 4 + 4 + 4 + 8 + 8 + 8 + 8 + 2 + 2 + 2 + 1 + 1 + 4 + 4);
static_assert(kRecordsOffset == AlignUp(BlockHeader::kEncodedSize + std::size_t{4} * (kBlockSectorsMax - 1), 8));

// Writes the header, `checksums` (of sectors 1.. of the block) and at last the checksum of sector 0 into that sector,
// whose place is `first_sector` of its segment.
void SealBlock(const BlockHeader& header, const SegmentSeed& seed, std::uint32_t first_sector,
               std::span<const std::uint32_t> checksums, base::MutableByteSpan sector);
// Nothing if the sector is not the valid first sector of a block of this segment, at this place, of a generation that
// the header names and the checksum confirms.
std::optional<BlockHeader> DecodeBlockHeader(base::ByteSpan sector, const Uuid& uuid, std::uint32_t segment,
                                             std::uint32_t sector_index);
// Whether sector `index` (from 1) of a block is as its first sector's table says.
bool BlockSectorIsValid(base::ByteSpan first_sector, std::uint32_t index, base::ByteSpan sector,
                        const SegmentSeed& seed, std::uint32_t block_sector);

// "Record".
struct RecordHeader {
  static constexpr std::size_t kEncodedSize = 48;
  static constexpr std::uint8_t kCopy = 1;

  std::uint32_t payload_checksum = 0;
  std::uint8_t flags = 0;
  std::uint16_t head_bytes = 0;
  std::uint32_t body_bytes = 0;
  RecordKey key;
  std::uint32_t ordinal = 0;
  std::uint32_t block_offset = 0;
  std::uint32_t lsn_low = 0;

  std::uint32_t size() const { return static_cast<std::uint32_t>(kEncodedSize + head_bytes + body_bytes); }
};
static_assert(RecordHeader::kEncodedSize == 4 + 4 + 1 + 1 + 2 + 4 + 4 + 4 + 8 + 8 + 4 + 4);
// `offset` is that of the record in its segment. The two forms differ: the first writes everything, the second patches
// what is known only when the block's place is.
void EncodeRecordHeader(const RecordHeader& header, std::byte* out);
void PlaceRecord(std::byte* record, const SegmentSeed& seed, std::uint32_t offset, std::uint32_t ordinal, Lsn lsn);
// Nothing if the checksum or a size is wrong.
std::optional<RecordHeader> DecodeRecordHeader(base::ByteSpan in, const SegmentSeed& seed, std::uint32_t offset);

// "Summary and footer".
struct Footer {
  static constexpr std::size_t kUsedSize = 56;
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  std::uint32_t end_sector = 0;
  std::uint32_t records = 0;
  std::uint32_t summary_sector = 0;
  std::uint32_t summary_bytes = 0;
  std::uint32_t summary_checksum = 0;
  Lsn first_lsn;
  Lsn last_lsn;
};
static_assert(Footer::kUsedSize == 8 + 4 + 4 + 4 + 4 + 4 + 4 + 4 + 4 + 8 + 8);
void EncodeFooter(const Footer& footer, const Geometry& geometry, base::MutableByteSpan out);
std::optional<Footer> DecodeFooter(base::ByteSpan sector, const Geometry& geometry, std::uint32_t segment,
                                   std::uint32_t generation);

}  // namespace mffs
