#include "mffs/format.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"

namespace mffs {
namespace {

constexpr std::uint64_t Magic(const char (&text)[9]) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(text[i]);
  return value;
}
constexpr std::uint64_t kSuperblockMagic = Magic("MFFSsup1");
constexpr std::uint64_t kSegmentMagic = Magic("MFFSseg1");
constexpr std::uint64_t kFooterMagic = Magic("MFFSfoo2");
constexpr std::uint32_t kBlockMagic = 0x3162464du;  // "MFb1".

// The checksum of a sector except the four bytes at `field`.
std::uint32_t SectorChecksum(base::ByteSpan sector, std::size_t field, std::uint32_t seed) {
  return base::Crc32c(sector.subspan(field + 4), base::Crc32c(sector.first(field), seed));
}

std::uint32_t SuperblockSeed(std::size_t copy) {
  // Counted from the end for the last two, so that the seed does not depend on what a damaged copy says of the size.
  const std::uint64_t offset = SuperblockOffset(copy, 0);
  return base::Crc32c(std::as_bytes(std::span(&offset, 1)));
}

bool IsGeneration(std::uint32_t value) {
  return value != 0 && value <= kGenerationMax;
}

bool IsStream(std::uint8_t value) {
  return value < kStreamCount;
}

void CopyText(base::MutableByteSpan out, const std::string& text) {
  CHECK(out.size() == kSectorBytes && text.size() <= out.size());
  std::memset(out.data(), 0, out.size());
  std::memcpy(out.data(), text.data(), text.size());
}

void EncodeRef(const CheckpointRef& ref, base::Encoder& out) {
  out.U64(ref.base_lsn.value());
  out.U64(ref.durable_lsn.value());
  ref.root.EncodeTo(out);
  out.U32(0);
}

CheckpointRef DecodeRef(base::Decoder& in) {
  CheckpointRef ref;
  ref.base_lsn = Lsn(in.U64());
  ref.durable_lsn = Lsn(in.U64());
  ref.root = Location::DecodeFrom(in);
  in.U32();
  return ref;
}

}  // namespace

std::string ToString(const Uuid& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text += fmt::format("{:02x}", std::to_integer<unsigned>(uuid[i]));
  }
  return text;
}

SegmentSeed::SegmentSeed(const Uuid& uuid, std::uint32_t segment, std::uint32_t generation) {
  std::byte bytes[24];
  std::memcpy(bytes, uuid.data(), uuid.size());
  base::StoreLe(bytes + 16, segment);
  base::StoreLe(bytes + 20, generation);
  seed_ = base::Crc32c(bytes);
}

std::uint32_t SegmentSeed::ForNumber(std::uint32_t number) const {
  return base::Crc32c(std::as_bytes(std::span(&number, 1)), seed_);
}

std::uint32_t VolumeSeed(const Uuid& uuid) {
  return base::Crc32c(uuid);
}

std::uint64_t SuperblockOffset(std::size_t index, std::uint64_t end) {
  switch (index) {
    case 0:
      return 0;
    case 1:
      return kMiB / 2;
    case 2:
      return end - kMiB;
    default:
      return end - kMiB / 2;
  }
}

void EncodeSuperblock(const Superblock& superblock, std::size_t copy, base::MutableByteSpan out) {
  std::string text;
  base::Encoder encoder(text);
  encoder.U64(kSuperblockMagic);
  encoder.U32(superblock.version);
  encoder.U32(0);
  text.append(base::AsText(superblock.geometry.uuid));
  encoder.U32(superblock.geometry.segment_bytes);
  encoder.U32(superblock.geometry.segment_count);
  encoder.U64(superblock.geometry.end);
  encoder.U64(superblock.sequence);
  EncodeRef(superblock.newest, encoder);
  EncodeRef(superblock.previous, encoder);
  encoder.U32(superblock.scrub.next_segment);
  encoder.U32(0);
  encoder.U64(superblock.scrub.pass_began);
  encoder.U64(superblock.scrub.last_ended);
  CHECK(text.size() == Superblock::kUsedSize);
  CopyText(out, text);
  base::StoreLe(out.data() + 12, SectorChecksum(out, 12, SuperblockSeed(copy)));
}

base::Result<Superblock> DecodeSuperblock(base::ByteSpan sector, std::size_t copy) {
  CHECK(sector.size() == kSectorBytes);
  base::Decoder in(base::AsText(sector));
  if (in.U64() != kSuperblockMagic) return base::Error(base::Errc::kCorrupt, "no MFFS superblock");
  const std::uint32_t version = in.U32();
  const std::uint32_t checksum = in.U32();
  if (version < kFormatVersion || version > kFormatVersionBrief) {
    return base::Error(base::Errc::kUnsupported,
                       fmt::format("the volume has MFFS format version {}, this program knows up to {} only", version,
                                   kFormatVersionBrief));
  }
  if (checksum != SectorChecksum(sector, 12, SuperblockSeed(copy))) {
    return base::Error(base::Errc::kCorrupt, "superblock with a wrong checksum");
  }
  Superblock superblock;
  superblock.version = version;
  const std::string_view uuid = in.Raw(superblock.geometry.uuid.size());
  std::memcpy(superblock.geometry.uuid.data(), uuid.data(), uuid.size());
  superblock.geometry.segment_bytes = in.U32();
  superblock.geometry.segment_count = in.U32();
  superblock.geometry.end = in.U64();
  superblock.sequence = in.U64();
  superblock.newest = DecodeRef(in);
  superblock.previous = DecodeRef(in);
  superblock.scrub.next_segment = in.U32();
  in.U32();
  superblock.scrub.pass_began = in.U64();
  superblock.scrub.last_ended = in.U64();
  for (const CheckpointRef& ref : {superblock.newest, superblock.previous}) {
    if (std::max(ref.base_lsn, ref.durable_lsn).value() <= kLsnMax) continue;
    return base::Error(base::Errc::kCorrupt, "superblock with an impossible LSN");
  }
  return superblock;
}

void EncodeSegmentHeader(const SegmentHeader& header, const Uuid& uuid, base::MutableByteSpan out) {
  std::string text;
  base::Encoder encoder(text);
  encoder.U64(kSegmentMagic);
  encoder.U32(0);
  encoder.U32(header.segment);
  encoder.U32(header.generation);
  encoder.U32(static_cast<std::uint32_t>(header.stream));
  encoder.U64(header.first_lsn.value());
  CHECK(text.size() == SegmentHeader::kUsedSize);
  CopyText(out, text);
  const SegmentSeed seed(uuid, header.segment, header.generation);
  base::StoreLe(out.data() + 8, SectorChecksum(out, 8, seed.ForSector(0)));
}

std::optional<SegmentHeader> DecodeSegmentHeader(base::ByteSpan sector, const Uuid& uuid, std::uint32_t segment) {
  CHECK(sector.size() == kSectorBytes);
  base::Decoder in(base::AsText(sector));
  if (in.U64() != kSegmentMagic) return std::nullopt;
  const std::uint32_t checksum = in.U32();
  SegmentHeader header;
  header.segment = in.U32();
  header.generation = in.U32();
  const std::uint32_t stream = in.U32();
  header.first_lsn = Lsn(in.U64());
  if (header.segment != segment || !IsGeneration(header.generation) || stream >= kStreamCount) return std::nullopt;
  if (header.first_lsn.value() > kLsnMax) return std::nullopt;
  header.stream = static_cast<Stream>(stream);
  const SegmentSeed seed(uuid, segment, header.generation);
  if (checksum != SectorChecksum(sector, 8, seed.ForSector(0))) return std::nullopt;
  return header;
}

void SealBlock(const BlockHeader& header, const SegmentSeed& seed, std::uint32_t first_sector,
               std::span<const std::uint32_t> checksums, base::MutableByteSpan sector) {
  CHECK(sector.size() == kSectorBytes && header.sector_count <= kBlockSectorsMax);
  CHECK(checksums.size() + 1 == header.sector_count);
  std::byte* out = sector.data();
  base::StoreLe(out + 0, kBlockMagic);
  base::StoreLe(out + 8, header.segment);
  base::StoreLe(out + 12, header.generation);
  base::StoreLe(out + 16, header.lsn.value());
  base::StoreLe(out + 24, header.commit_lsn.value());
  base::StoreLe(out + 32, header.mount_first.value());
  base::StoreLe(out + 40, header.mount_cut.value());
  base::StoreLe(out + 48, header.sector_count);
  base::StoreLe(out + 50, header.record_count);
  base::StoreLe(out + 52, header.flags);
  base::StoreLe(out + 54, static_cast<std::uint16_t>(header.stream));
  base::StoreLe(out + 56, header.first_ordinal);
  base::StoreLe(out + 60, header.used_bytes);
  std::memset(out + BlockHeader::kEncodedSize, 0, kRecordsOffset - BlockHeader::kEncodedSize);
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    base::StoreLe(out + BlockHeader::kEncodedSize + std::size_t{4} * i, checksums[i]);
  }
  base::StoreLe(out + 4, SectorChecksum(sector, 4, seed.ForSector(first_sector)));
}

std::optional<BlockHeader> DecodeBlockHeader(base::ByteSpan sector, const Uuid& uuid, std::uint32_t segment,
                                             std::uint32_t sector_index) {
  CHECK(sector.size() == kSectorBytes);
  base::Decoder in(base::AsText(sector));
  if (in.U32() != kBlockMagic) return std::nullopt;
  const std::uint32_t checksum = in.U32();
  BlockHeader header;
  header.segment = in.U32();
  header.generation = in.U32();
  if (header.segment != segment || !IsGeneration(header.generation)) return std::nullopt;
  header.lsn = Lsn(in.U64());
  header.commit_lsn = Lsn(in.U64());
  header.mount_first = Lsn(in.U64());
  header.mount_cut = Lsn(in.U64());
  const Lsn highest = std::max({header.lsn, header.commit_lsn, header.mount_first, header.mount_cut});
  if (highest.value() > kLsnMax) return std::nullopt;
  header.sector_count = in.U16();
  header.record_count = in.U16();
  header.flags = in.U16();
  const std::uint8_t stream = in.U8();
  in.U8();
  header.first_ordinal = in.U32();
  header.used_bytes = in.U32();
  if (header.sector_count == 0 || header.sector_count > kBlockSectorsMax || !IsStream(stream)) return std::nullopt;
  if (header.used_bytes < kRecordsOffset || header.used_bytes > header.sector_count * kSectorBytes) return std::nullopt;
  if (std::uint64_t{header.first_ordinal} + header.record_count > kRecordsPerSegmentMax) return std::nullopt;
  header.stream = static_cast<Stream>(stream);
  const SegmentSeed seed(uuid, segment, header.generation);
  if (checksum != SectorChecksum(sector, 4, seed.ForSector(sector_index))) return std::nullopt;
  return header;
}

bool BlockSectorIsValid(base::ByteSpan first_sector, std::uint32_t index, base::ByteSpan sector,
                        const SegmentSeed& seed, std::uint32_t block_sector) {
  CHECK(index > 0 && index < kBlockSectorsMax);
  const auto expected =
      base::LoadLe<std::uint32_t>(first_sector.data() + BlockHeader::kEncodedSize + std::size_t{4} * (index - 1));
  return base::Crc32c(sector, seed.ForSector(block_sector + index)) == expected;
}

void EncodeRecordHeader(const RecordHeader& header, std::byte* out) {
  base::StoreLe(out + 0, std::uint32_t{0});
  base::StoreLe(out + 4, header.payload_checksum);
  base::StoreLe(out + 8, header.key.type);
  base::StoreLe(out + 9, header.flags);
  base::StoreLe(out + 10, header.head_bytes);
  base::StoreLe(out + 12, header.body_bytes);
  base::StoreLe(out + 16, header.key.partition);
  base::StoreLe(out + 20, header.ordinal);
  base::StoreLe(out + 24, header.key.epoch);
  base::StoreLe(out + 32, header.key.index);
  base::StoreLe(out + 40, header.block_offset);
  base::StoreLe(out + 44, header.lsn_low);
}

void PlaceRecord(std::byte* record, const SegmentSeed& seed, std::uint32_t offset, std::uint32_t ordinal, Lsn lsn) {
  base::StoreLe(record + 20, ordinal);
  base::StoreLe(record + 44, static_cast<std::uint32_t>(lsn.value()));
  const std::uint32_t checksum =
      base::Crc32c(base::ByteSpan(record + 4, RecordHeader::kEncodedSize - 4), seed.ForRecord(offset));
  base::StoreLe(record, checksum);
}

std::optional<RecordHeader> DecodeRecordHeader(base::ByteSpan in, const SegmentSeed& seed, std::uint32_t offset) {
  if (in.size() < RecordHeader::kEncodedSize) return std::nullopt;
  const std::byte* p = in.data();
  RecordHeader header;
  header.head_bytes = base::LoadLe<std::uint16_t>(p + 10);
  header.body_bytes = base::LoadLe<std::uint32_t>(p + 12);
  // Cheap tests first: a search for records looks at every eighth byte.
  if (header.head_bytes > kHeadBytesMax || header.body_bytes > kBodyBytesMax) return std::nullopt;
  const std::uint32_t checksum = base::Crc32c(in.subspan(4, RecordHeader::kEncodedSize - 4), seed.ForRecord(offset));
  if (base::LoadLe<std::uint32_t>(p) != checksum) return std::nullopt;
  header.payload_checksum = base::LoadLe<std::uint32_t>(p + 4);
  header.key.type = base::LoadLe<std::uint8_t>(p + 8);
  header.flags = base::LoadLe<std::uint8_t>(p + 9);
  header.key.partition = base::LoadLe<std::uint32_t>(p + 16);
  header.ordinal = base::LoadLe<std::uint32_t>(p + 20);
  header.key.epoch = base::LoadLe<std::uint64_t>(p + 24);
  header.key.index = base::LoadLe<std::uint64_t>(p + 32);
  header.block_offset = base::LoadLe<std::uint32_t>(p + 40);
  header.lsn_low = base::LoadLe<std::uint32_t>(p + 44);
  return header;
}

void EncodeFooter(const Footer& footer, const Geometry& geometry, base::MutableByteSpan out) {
  std::string text;
  base::Encoder encoder(text);
  encoder.U64(kFooterMagic);
  encoder.U32(0);
  encoder.U32(footer.segment);
  encoder.U32(footer.generation);
  encoder.U32(footer.end_sector);
  encoder.U32(footer.records);
  encoder.U32(footer.summary_sector);
  encoder.U32(footer.summary_bytes);
  encoder.U32(footer.summary_checksum);
  encoder.U64(footer.first_lsn.value());
  encoder.U64(footer.last_lsn.value());
  CHECK(text.size() == Footer::kUsedSize);
  CopyText(out, text);
  const SegmentSeed seed(geometry.uuid, footer.segment, footer.generation);
  base::StoreLe(out.data() + 8, SectorChecksum(out, 8, seed.ForSector(geometry.footer_sector())));
}

std::optional<Footer> DecodeFooter(base::ByteSpan sector, const Geometry& geometry, std::uint32_t segment,
                                   std::uint32_t generation) {
  CHECK(sector.size() == kSectorBytes);
  base::Decoder in(base::AsText(sector));
  if (in.U64() != kFooterMagic) return std::nullopt;
  const std::uint32_t checksum = in.U32();
  Footer footer;
  footer.segment = in.U32();
  footer.generation = in.U32();
  footer.end_sector = in.U32();
  footer.records = in.U32();
  footer.summary_sector = in.U32();
  footer.summary_bytes = in.U32();
  footer.summary_checksum = in.U32();
  footer.first_lsn = Lsn(in.U64());
  footer.last_lsn = Lsn(in.U64());
  if (footer.segment != segment || footer.generation != generation) return std::nullopt;
  const SegmentSeed seed(geometry.uuid, segment, generation);
  if (checksum != SectorChecksum(sector, 8, seed.ForSector(geometry.footer_sector()))) return std::nullopt;
  return footer;
}

}  // namespace mffs
