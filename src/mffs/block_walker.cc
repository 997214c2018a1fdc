#include "mffs/block_walker.h"

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"

namespace mffs {
namespace {

// A rotten or torn first sector still has most fields right; a stale one of another generation has not.
bool ResemblesBlock(base::ByteSpan sector, std::uint32_t segment, std::uint32_t generation, Lsn after) {
  base::Decoder in(base::AsText(sector));
  in.Raw(8);
  const bool segment_fits = in.U32() == segment;
  const bool generation_fits = in.U32() == generation;
  const std::uint64_t lsn = in.U64();
  const bool lsn_fits = lsn > after.value() && lsn < after.value() + (1u << 20);
  const std::uint64_t commit = in.U64();
  const bool commit_fits = commit < lsn && commit + 64 > lsn;
  return segment_fits + generation_fits + lsn_fits + commit_fits >= 3;
}

// A stretch holds far fewer blocks. What seems to be so far ahead was written before.
constexpr std::uint64_t kLsnsInStretchMax = 1u << 31;

// The 64-bit LSN next above `after` that ends in `low`.
Lsn RestoreLsn(std::uint32_t low, Lsn after) {
  std::uint64_t value = (after.value() & ~std::uint64_t{0xffffffff}) | low;
  if (value <= after.value()) value += std::uint64_t{1} << 32;
  return Lsn(value);
}

struct RecordScan {
  const WalkedBlock& block;
  const Geometry& geometry;
  std::uint32_t segment;
  std::uint32_t generation;
  SegmentSeed seed;

  bool SectorsAreGood(std::size_t from, std::size_t to) const {
    if (block.bad_sectors.empty()) return true;
    for (std::size_t sector = from / kSectorBytes; sector * kSectorBytes < to; ++sector) {
      if (block.bad_sectors[sector]) return false;
    }
    return true;
  }

  // The record at `at` of the bytes, if it belongs here.
  std::optional<WalkedRecord> RecordAt(std::size_t at) const {
    const auto offset = static_cast<std::uint32_t>(block.first_sector * kSectorBytes + at);
    const auto header = DecodeRecordHeader(block.bytes.subspan(at), seed, offset);
    if (!header.has_value() || at + header->size() > block.bytes.size()) return std::nullopt;
    WalkedRecord record;
    record.header = *header;
    record.location = Location{.segment = segment,
                               .generation = generation,
                               .offset = offset,
                               .size = header->size(),
                               .ordinal = header->ordinal};
    const std::size_t payload = at + RecordHeader::kEncodedSize;
    record.head = base::AsText(block.bytes.subspan(payload, header->head_bytes));
    return block.header.has_value() ? CheckInBlock(record, at) : CheckInStretch(record);
  }

  std::optional<WalkedRecord> CheckInBlock(WalkedRecord record, std::size_t at) const {
    record.lsn = block.header->lsn;
    const bool belongs = record.header.block_offset == at &&
                         record.header.lsn_low == static_cast<std::uint32_t>(record.lsn.value()) &&
                         record.header.ordinal - block.header->first_ordinal < block.header->record_count;
    const std::size_t head_end = at + RecordHeader::kEncodedSize + record.header.head_bytes;
    if (!belongs || !SectorsAreGood(at, head_end)) return std::nullopt;
    record.body_is_readable = SectorsAreGood(head_end, at + record.header.size());
    return record;
  }

  // The block's checksum table is lost, so the record must prove itself as a whole.
  std::optional<WalkedRecord> CheckInStretch(WalkedRecord record) const {
    record.lsn = RestoreLsn(record.header.lsn_low, block.after_lsn);
    const bool belongs =
        record.lsn < block.before_lsn && record.lsn.value() - block.after_lsn.value() < kLsnsInStretchMax &&
        record.header.block_offset >= kRecordsOffset && record.header.block_offset <= record.location.offset &&
        record.header.ordinal < geometry.records_max() &&
        (record.location.offset - record.header.block_offset) % kSectorBytes == 0;
    const base::ByteSpan payload =
        block.bytes.subspan(record.location.offset - block.first_sector * kSectorBytes, record.header.size())
            .subspan(RecordHeader::kEncodedSize);
    if (!belongs || base::Crc32c(payload, VolumeSeed(geometry.uuid)) != record.header.payload_checksum) {
      return std::nullopt;
    }
    return record;
  }
};

}  // namespace

BlockWalker::BlockWalker(SegmentReader* reader, Range range)
    : reader_(reader),
      range_(range),
      seed_(reader->geometry().uuid, reader->segment(), range.generation),
      next_sector_(range.first_sector),
      last_lsn_(range.after_lsn) {
  CHECK(range.end_sector <= reader->geometry().footer_sector());
}

async::Task<std::optional<WalkedBlock>> BlockWalker::Next() {
  if (next_sector_ >= range_.end_sector) co_return std::nullopt;
  const auto header = co_await HeaderAt(next_sector_);
  if (!header.has_value()) co_return co_await ReadStretch();
  co_return co_await ReadBlock(*header);
}

async::Task<std::optional<BlockHeader>> BlockWalker::HeaderAt(std::uint32_t sector) {
  const base::ByteSpan bytes = co_await reader_->Sectors(sector, 1);
  co_return HeaderIn(bytes, sector);
}

std::optional<BlockHeader> BlockWalker::HeaderIn(base::ByteSpan bytes, std::uint32_t sector) const {
  auto header = DecodeBlockHeader(bytes, reader_->geometry().uuid, reader_->segment(), sector);
  if (!header.has_value() || header->generation != range_.generation || header->lsn <= last_lsn_ ||
      sector + header->sector_count > range_.end_sector ||
      header->first_ordinal + header->record_count > reader_->geometry().records_max()) {
    return std::nullopt;
  }
  return header;
}

// The next valid header from `first` to before `limit`, and its sector; else `limit`. Read by the window: one coroutine
// a sector would cost more than the sector.
async::Task<std::pair<std::optional<BlockHeader>, std::uint32_t>> BlockWalker::NextHeader(std::uint32_t first,
                                                                                          std::uint32_t limit) {
  while (first < limit) {
    const std::uint32_t count = std::min(kBlockSectorsMax, limit - first);
    const base::ByteSpan bytes = co_await reader_->Sectors(first, count);
    for (std::uint32_t i = 0; i < count; ++i) {
      auto header = HeaderIn(bytes.subspan(i * kSectorBytes, kSectorBytes), first + i);
      if (header.has_value()) co_return std::pair(header, first + i);
    }
    first += count;
  }
  co_return std::pair(std::optional<BlockHeader>(), limit);
}

async::Task<WalkedBlock> BlockWalker::ReadBlock(BlockHeader header) {
  WalkedBlock block;
  block.header = header;
  block.first_sector = next_sector_;
  block.sector_count = header.sector_count;
  block.bytes = co_await reader_->Sectors(next_sector_, header.sector_count);
  block.after_lsn = last_lsn_;
  const base::ByteSpan first = block.bytes.first(kSectorBytes);
  for (std::uint32_t i = 1; i < header.sector_count; ++i) {
    if (BlockSectorIsValid(first, i, block.bytes.subspan(i * kSectorBytes, kSectorBytes), seed_, next_sector_))
      continue;
    block.bad_sectors.resize(header.sector_count);
    block.bad_sectors[i] = true;
  }
  next_sector_ += header.sector_count;
  last_lsn_ = header.lsn;
  co_return block;
}

async::Task<std::optional<WalkedBlock>> BlockWalker::ReadStretch() {
  if (last_lsn_ == Lsn()) last_lsn_ = co_await LsnBeforeSegment();
  const std::uint32_t first = next_sector_;
  const std::uint32_t limit = range_.end_is_known
                                  ? range_.end_sector
                                  : static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                        range_.end_sector, std::uint64_t{first} + range_.search_sectors));
  auto [later, sector] = co_await NextHeader(first + 1, std::max(limit, first + 1));
  if (!later.has_value() && !range_.end_is_known) {
    const base::ByteSpan bytes = co_await reader_->Sectors(first, 1);
    tail_resembles_block_ = ResemblesBlock(bytes, reader_->segment(), range_.generation, last_lsn_);
    if (!tail_resembles_block_ || range_.salvage_before == Lsn()) co_return std::nullopt;
    sector = std::min(limit, first + kBlockSectorsMax);
    range_.end_sector = sector;
  }
  WalkedBlock stretch;
  stretch.after_lsn = last_lsn_;
  stretch.first_sector = first;
  stretch.sector_count = std::min(sector, limit) - first;
  stretch.bytes = co_await reader_->Sectors(first, std::min(stretch.sector_count, kBlockSectorsMax));
  stretch.before_lsn = Lsn(~std::uint64_t{0});
  if (later.has_value()) {
    stretch.before_lsn = later->lsn;
  } else if (range_.salvage_before != Lsn()) {
    stretch.before_lsn = range_.salvage_before;
  }
  next_sector_ = first + stretch.sector_count;
  co_return stretch;
}

// A write of an earlier mount, torn so that nobody knows of it, may have left records of the same generation behind the
// blocks. LSNs tell them apart: one mount fills a segment, and none gives an LSN that an earlier one gave.
async::Task<Lsn> BlockWalker::LsnBeforeSegment() {
  const base::ByteSpan bytes = co_await reader_->Sectors(0, 1);
  const auto header = DecodeSegmentHeader(bytes, reader_->geometry().uuid, reader_->segment());
  if (!header.has_value() || header->generation != range_.generation) co_return Lsn();
  co_return Lsn(std::max<std::uint64_t>(header->first_lsn.value(), 1) - 1);
}

void ForEachRecord(const WalkedBlock& block, const Geometry& geometry, std::uint32_t segment, std::uint32_t generation,
                   const std::function<void(const WalkedRecord&)>& visit) {
  const RecordScan scan{block, geometry, segment, generation, SegmentSeed(geometry.uuid, segment, generation)};
  const std::size_t end = block.header.has_value() ? block.header->used_bytes : block.bytes.size();
  std::size_t at = block.header.has_value() ? kRecordsOffset : 0;
  while (at + RecordHeader::kEncodedSize <= end) {
    const auto record = scan.RecordAt(at);
    if (record.has_value()) {
      visit(*record);
      at += PaddedRecordBytes(record->location.size);
    } else if (block.IsDamaged()) {
      at += 8;  // The length is lost with the header: the next record proves itself.
    } else {
      return;
    }
  }
}

}  // namespace mffs
