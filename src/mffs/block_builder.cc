#include "mffs/block_builder.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mffs {
namespace {

// Up to this size the buffers of blocks stay in a processor's second cache from round to round, where writing is
// fastest. Larger ones would come from memory first, only to go back there (docs/benchmarks.md).
constexpr std::uint32_t kCachedBytes = 256u << 10;

}  // namespace

bool BlockRoom::Fits(std::uint32_t block_bytes, std::uint32_t block_summary_bytes) const {
  const std::uint64_t block_sectors = AlignUp(block_bytes, kSectorBytes) / kSectorBytes;
  if (block_sectors > block_sectors_max) return false;
  const std::uint64_t summary = std::uint64_t{summary_bytes} + block_summary_bytes;
  // A summary that grew past its limit is not written.
  const std::uint64_t summary_sectors = summary > summary_bytes_max ? 0 : AlignUp(summary, kSectorBytes) / kSectorBytes;
  return block_sectors + summary_sectors <= sectors;
}

std::uint32_t RecordBytes(const AppendRequest& request) {
  std::size_t bytes = RecordHeader::kEncodedSize + request.head.size();
  for (const std::string_view piece : request.body) bytes += piece.size();
  return static_cast<std::uint32_t>(bytes);
}

BlockBuilder::BlockBuilder(base::MutableByteSpan memory, std::uint32_t volume_seed)
    : memory_(memory), volume_seed_(volume_seed) {
  CHECK(memory.size() == kMemoryBytes);
}

bool BlockBuilder::Fits(const AppendRequest& request, const BlockRoom& room) const {
  const std::uint32_t head_bytes = static_cast<std::uint32_t>(request.head.size());
  return room.Fits(used_bytes_ + PaddedRecordBytes(RecordBytes(request)),
                   summary_bytes() + SummaryGroup::EntryBytesMax(head_bytes));
}

void BlockBuilder::Add(const AppendRequest& request, std::uint8_t flags) {
  const std::uint32_t size = RecordBytes(request);
  const std::uint32_t padded = PaddedRecordBytes(size);
  CHECK(used_bytes_ + padded <= kBlockBytesMax && request.head.size() <= kHeadBytesMax);
  if (used_bytes_ > kCachedBytes) copy_to_ = base::CopyTo::kMemory;
  std::uint32_t at = used_bytes_ + RecordHeader::kEncodedSize;
  std::uint32_t checksum = volume_seed_;
  const auto put = [this, &at, &checksum](std::string_view text) {
    checksum = checksums_.Copy(block(), at, base::AsBytes(text), checksum, copy_to_);
    at += static_cast<std::uint32_t>(text.size());
  };
  put(request.head);
  for (const std::string_view piece : request.body) put(piece);
  std::memset(block() + at, 0, padded - size);
  RecordHeader header;
  header.flags = flags;
  header.head_bytes = static_cast<std::uint16_t>(request.head.size());
  header.body_bytes = static_cast<std::uint32_t>(size - RecordHeader::kEncodedSize - request.head.size());
  CHECK(header.body_bytes <= kBodyBytesMax);
  header.key = request.key;
  header.block_offset = used_bytes_;
  header.payload_checksum = checksum;
  EncodeRecordHeader(header, block() + used_bytes_);
  record_offsets_.push_back(used_bytes_);
  used_bytes_ += padded;
  summary_.Add(header, request.head);
}

void BlockBuilder::Clear() {
  copy_to_ = used_bytes_ > kCachedBytes ? base::CopyTo::kMemory : base::CopyTo::kCache;
  used_bytes_ = kRecordsOffset;
  checksums_.Clear();
  summary_.Clear();
  record_offsets_.clear();
}

base::MutableByteSpan BlockBuilder::Seal(const BlockPlace& place, BlockHeader header, const Uuid& uuid) {
  place_ = place;
  base::EndCopiesToMemory();
  const std::uint32_t block_start = static_cast<std::uint32_t>(place.first_sector * kSectorBytes);
  for (std::uint32_t i = 0; i < record_count(); ++i) {
    PlaceRecord(block() + record_offsets_[i], place.seed, block_start + record_offsets_[i], place.first_ordinal + i,
                header.lsn);
  }
  const std::size_t block_bytes = sector_count() * kSectorBytes;
  std::memset(block() + used_bytes_, 0, block_bytes - used_bytes_);
  header.segment = place.segment;
  header.generation = place.generation;
  header.stream = place.stream;
  header.sector_count = static_cast<std::uint16_t>(sector_count());
  header.record_count = static_cast<std::uint16_t>(record_count());
  header.first_ordinal = place.first_ordinal;
  header.used_bytes = used_bytes_;
  const base::MutableByteSpan bytes = memory_.subspan(kSectorBytes, block_bytes);
  SealBlock(header, place.seed, place.first_sector, checksums_.OfSectors(bytes, place.seed, place.first_sector),
            bytes.first(kSectorBytes));
  if (place.first_sector != 1) return bytes;
  EncodeSegmentHeader(
      {.segment = place.segment, .generation = place.generation, .stream = place.stream, .first_lsn = header.lsn}, uuid,
      memory_.first(kSectorBytes));
  return memory_.first(kSectorBytes + block_bytes);
}

Location BlockBuilder::LocationOf(std::uint32_t index) const {
  const std::byte* header = record(index);
  const std::uint32_t head_bytes = base::LoadLe<std::uint16_t>(header + 10);
  const auto body_bytes = base::LoadLe<std::uint32_t>(header + 12);
  return Location{.segment = place_.segment,
                  .generation = place_.generation,
                  .offset = static_cast<std::uint32_t>(place_.first_sector * kSectorBytes + record_offsets_[index]),
                  .size = static_cast<std::uint32_t>(RecordHeader::kEncodedSize + head_bytes + body_bytes),
                  .ordinal = place_.first_ordinal + index};
}

void BlockBuilder::CopyTo(BlockBuilder& other) const {
  other.used_bytes_ = used_bytes_;
  other.checksums_ = checksums_;
  other.summary_ = summary_;
  other.record_offsets_ = record_offsets_;
  std::memcpy(other.block(), block(), used_bytes_);
}

}  // namespace mffs
