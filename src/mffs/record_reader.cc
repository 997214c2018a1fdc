#include "mffs/record_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"

namespace mffs {
namespace {

std::string NameOf(const Location& location) {
  return fmt::format("record at segment {} generation {} offset {}", location.segment, location.generation,
                     location.offset);
}

// A read error is rot to the caller: the bytes are gone either way.
base::Error Damaged(const Location& location, std::string_view why) {
  return base::Error(base::Errc::kCorrupt, fmt::format("{}: {}", NameOf(location), why));
}

Record MakeRecord(const RecordHeader& header, base::ByteSpan payload) {
  return {.key = header.key,
          .head = std::string(base::AsText(payload.first(header.head_bytes))),
          .body = std::string(base::AsText(payload.subspan(header.head_bytes, header.body_bytes)))};
}

// A piece of a segment in memory.
struct Piece {
  IoMemory memory;
  std::uint32_t first_sector = 0;

  base::ByteSpan From(std::uint32_t offset) const {
    return base::ByteSpan(memory.span()).subspan(offset - first_sector * kSectorBytes);
  }
  base::ByteSpan Sector(std::uint32_t sector) const {
    return From(static_cast<std::uint32_t>(sector * kSectorBytes)).first(kSectorBytes);
  }
  std::uint32_t end_offset() const { return static_cast<std::uint32_t>(first_sector * kSectorBytes + memory.size()); }
};

struct PlacedRecord {
  RecordHeader header;
  base::ByteSpan payload;
};

// The whole record at `offset` of the piece, or nothing.
std::optional<PlacedRecord> RecordIn(const Piece& piece, std::uint32_t offset, const SegmentSeed& seed,
                                     std::uint32_t volume_seed) {
  if (offset + RecordHeader::kEncodedSize > piece.end_offset()) return std::nullopt;
  const base::ByteSpan bytes = piece.From(offset);
  const auto header = DecodeRecordHeader(bytes, seed, offset);
  if (!header.has_value() || header->size() > bytes.size()) return std::nullopt;
  const base::ByteSpan payload = bytes.subspan(RecordHeader::kEncodedSize, header->size() - RecordHeader::kEncodedSize);
  if (base::Crc32c(payload, volume_seed) != header->payload_checksum) return std::nullopt;
  return PlacedRecord{*header, payload};
}

// Sectors of one segment.
struct SectorRange {
  std::uint32_t segment = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

async::Task<base::Result<Piece>> ReadPiece(BlockDevice* device, const Geometry* geometry, SectorRange sectors,
                                           IoDeadline deadline) {
  const std::uint64_t offset = geometry->SectorOffset(sectors.segment, sectors.first);
  ASSIGN_OR_CO_RETURN(IoMemory memory, co_await ReadSectors(device, offset, sectors.count * kSectorBytes, deadline));
  co_return Piece{std::move(memory), sectors.first};
}

std::uint32_t SectorOf(std::uint64_t offset) {
  return static_cast<std::uint32_t>(offset / kSectorBytes);
}

// The records of the piece from `offset` on: through the rest of its block, then block by block.
RecordReader::Run RecordsFrom(const Piece& piece, Location at, const Geometry& geometry) {
  RecordReader::Run run;
  const SegmentSeed seed(geometry.uuid, at.segment, at.generation);
  const std::uint32_t volume_seed = VolumeSeed(geometry.uuid);
  std::uint32_t offset = at.offset;
  while (offset + RecordHeader::kEncodedSize <= piece.end_offset()) {
    const auto header = DecodeRecordHeader(piece.From(offset), seed, offset);
    if (header.has_value()) {
      at.offset = offset;
      at.size = header->size();
      at.ordinal = header->ordinal;
      const auto record = RecordIn(piece, offset, seed, volume_seed);
      if (record.has_value()) run.emplace_back(at, MakeRecord(record->header, record->payload));
      offset += PaddedRecordBytes(at.size);
      continue;
    }
    // No record begins here, so the block ends in this sector, or the rest of it is damaged.
    const auto sector = static_cast<std::uint32_t>(AlignUp(std::uint64_t{offset}, kSectorBytes) / kSectorBytes);
    if (sector * kSectorBytes + kSectorBytes > piece.end_offset()) break;
    const auto block = DecodeBlockHeader(piece.Sector(sector), geometry.uuid, at.segment, sector);
    if (!block.has_value() || block->generation != at.generation) break;
    offset = static_cast<std::uint32_t>(sector * kSectorBytes + kRecordsOffset);
    if (block->record_count == 0) offset = static_cast<std::uint32_t>((sector + block->sector_count) * kSectorBytes);
  }
  return run;
}

}  // namespace

base::Result<> RecordReader::Check(const Location& location) const {
  const bool sane = location.segment < geometry_.segment_count && location.generation != 0 &&
                    location.size >= RecordHeader::kEncodedSize &&
                    location.size <= RecordHeader::kEncodedSize + kHeadBytesMax + kBodyBytesMax &&
                    std::uint64_t{location.offset} + location.size <= geometry_.segment_bytes;
  if (!sane) return base::Error(base::Errc::kNotFound, NameOf(location) + " is no place on this volume");
  return {};
}

async::Task<base::Result<Record>> RecordReader::Read(Location location) const {
  CO_RETURN_IF_ERROR(Check(location));
  const std::uint32_t first = SectorOf(location.offset);
  const std::uint32_t last = SectorOf(std::uint64_t{location.offset} + location.size - 1);
  auto piece = co_await ReadPiece(device_, &geometry_, {location.segment, first, last - first + 1}, deadline_);
  if (!piece.has_value()) co_return Damaged(location, piece.error().message());
  const SegmentSeed seed(geometry_.uuid, location.segment, location.generation);
  const auto record = RecordIn(*piece, location.offset, seed, VolumeSeed(geometry_.uuid));
  if (!record.has_value() || record->header.size() != location.size || record->header.ordinal != location.ordinal) {
    co_return Damaged(location, "its checksum is wrong");
  }
  co_return MakeRecord(record->header, record->payload);
}

async::Task<base::Result<std::string>> RecordReader::ReadBody(Location location, std::uint32_t offset,
                                                              std::uint32_t size) const {
  CO_RETURN_IF_ERROR(Check(location));
  // The header may lie across two sectors.
  const std::uint32_t first = SectorOf(location.offset);
  const std::uint32_t last = SectorOf(location.offset + RecordHeader::kEncodedSize - 1);
  auto start = co_await ReadPiece(device_, &geometry_, {location.segment, first, last - first + 1}, deadline_);
  if (!start.has_value()) co_return Damaged(location, start.error().message());
  const SegmentSeed seed(geometry_.uuid, location.segment, location.generation);
  const auto header = DecodeRecordHeader(start->From(location.offset), seed, location.offset);
  if (!header.has_value() || header->size() != location.size || header->block_offset > location.offset) {
    co_return Damaged(location, "its header is damaged");
  }
  if (offset >= header->body_bytes || size == 0) co_return std::string();
  size = std::min(size, header->body_bytes - offset);
  const std::uint32_t block_sector = SectorOf(location.offset - header->block_offset);
  const auto from =
      static_cast<std::uint32_t>(location.offset + RecordHeader::kEncodedSize + header->head_bytes + offset);
  const std::uint32_t from_sector = SectorOf(from);
  const std::uint32_t sectors = SectorOf(std::uint64_t{from} + size - 1) - from_sector + 1;
  auto table = co_await ReadPiece(device_, &geometry_, {location.segment, block_sector, 1}, deadline_);
  if (!table.has_value()) co_return Damaged(location, table.error().message());
  auto window = co_await ReadPiece(device_, &geometry_, {location.segment, from_sector, sectors}, deadline_);
  if (!window.has_value()) co_return Damaged(location, window.error().message());
  const auto block = DecodeBlockHeader(table->Sector(block_sector), geometry_.uuid, location.segment, block_sector);
  if (!block.has_value() || block->generation != location.generation ||
      from_sector + sectors > block_sector + block->sector_count) {
    co_return Damaged(location, "the checksums of its block are damaged");
  }
  for (std::uint32_t sector = std::max(from_sector, block_sector + 1); sector < from_sector + sectors; ++sector) {
    if (!BlockSectorIsValid(table->Sector(block_sector), sector - block_sector, window->Sector(sector), seed,
                            block_sector)) {
      co_return Damaged(location, fmt::format("sector {} of the segment is damaged", sector));
    }
  }
  // The first sector of the block was proved as `table`; take its bytes from there, whatever the second read gave.
  if (from_sector == block_sector) {
    std::copy_n(table->memory.data(), kSectorBytes, window->memory.data());
  }
  co_return std::string(base::AsText(window->From(from).first(size)));
}

async::Task<base::Result<RecordReader::Run>> RecordReader::ReadRun(Location location, std::uint32_t bytes,
                                                                   std::uint32_t end_sector) const {
  CO_RETURN_IF_ERROR(Check(location));
  const std::uint32_t first = SectorOf(location.offset);
  const std::uint32_t needed = SectorOf(std::uint64_t{location.offset} + location.size - 1) - first + 1;
  const auto wanted = static_cast<std::uint32_t>(AlignUp(std::uint64_t{bytes}, kSectorBytes) / kSectorBytes);
  const std::uint32_t left = end_sector > first ? end_sector - first : 0;
  const std::uint32_t sectors = std::max(needed, std::min(wanted, left));
  auto piece = co_await ReadPiece(device_, &geometry_, {location.segment, first, sectors}, deadline_);
  if (piece.has_value()) {
    Run run = RecordsFrom(*piece, location, geometry_);
    if (!run.empty() && run.front().first == location) co_return run;
  }
  // Somewhere in the run is a bad sector; the first record may still be whole.
  ASSIGN_OR_CO_RETURN(Record record, co_await Read(location));
  Run run;
  run.emplace_back(location, std::move(record));
  co_return run;
}

}  // namespace mffs
