#include "mffs/image_geometry.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/crc32c.h"

namespace mffs {
namespace {

constexpr std::uint64_t kImageBytesMin = 2 * kMiB;
constexpr std::uint32_t kHeadersAtOnce = 64;
constexpr std::uint32_t kCrcPolynomial = 0x82f63b78;

// What votes for a geometry: the checksums' seed and the size of a segment.
struct Candidate {
  std::uint32_t volume_seed = 0;
  std::uint32_t segment_bytes = 0;
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

struct Votes {
  std::map<Candidate, std::uint32_t> headers;
  std::optional<std::uint32_t> first_seed;  // Of the header of segment 0, whose place depends on nothing.
};

bool IsSane(const Geometry& geometry) {
  return geometry.segment_bytes >= kMiB && geometry.segment_bytes <= kSegmentBytesMax &&
         geometry.segment_bytes % kMiB == 0 && geometry.segment_count >= kSegmentsMin && geometry.end % kMiB == 0 &&
         geometry.segment_count <= geometry.end / geometry.segment_bytes &&
         geometry.SegmentOffset(geometry.segment_count) <= geometry.end - std::min(geometry.end, kMiB);
}

async::Task<SuperblockCopy> ReadCopy(BlockDevice* device, std::size_t index, std::uint64_t end, IoDeadline deadline) {
  SuperblockCopy copy{.offset = SuperblockOffset(index, end), .superblock = {}, .other_version = false, .problem = {}};
  if (copy.offset + kSectorBytes > device->size_bytes()) {
    copy.problem = "the image ends before it";
    co_return copy;
  }
  const auto sector = co_await ReadSectors(device, copy.offset, kSectorBytes, deadline);
  if (!sector.has_value()) {
    copy.problem = sector.error().message();
    co_return copy;
  }
  auto superblock = DecodeSuperblock(sector->span(), index);
  if (!superblock.has_value()) {
    copy.problem = superblock.error().message();
    copy.other_version = superblock.error().code() == base::Errc::kUnsupported;
  } else if (!IsSane(superblock->geometry)) {
    copy.problem = "its sizes make no sense";
  } else {
    copy.superblock = *superblock;
  }
  co_return copy;
}

// The newest state that two copies agree on, else the newest of all.
const Superblock* Best(const std::vector<SuperblockCopy>& copies) {
  const Superblock* best = nullptr;
  std::pair<bool, std::uint64_t> best_rank;
  for (const SuperblockCopy& copy : copies) {
    if (!copy.superblock.has_value()) continue;
    const auto agreeing = std::ranges::count_if(copies, [&](const auto& c) { return c.superblock == copy.superblock; });
    const std::pair rank(agreeing >= 2, copy.superblock->sequence);
    if (best != nullptr && rank <= best_rank) continue;
    best = &*copy.superblock;
    best_rank = rank;
  }
  return best;
}

void CountHeader(base::ByteSpan sector, std::uint64_t offset, Votes& votes);
async::Task<base::Result<FoundGeometry>> FromSegments(BlockDevice* device, IoDeadline deadline);
async::Task<std::uint32_t> SegmentBytesByFooter(BlockDevice* device, std::uint32_t volume_seed, IoDeadline deadline);

const std::array<std::uint32_t, 256>& CrcTable() {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kCrcPolynomial : 0);
      made[i] = value;
    }
    return made;
  }();
  return table;
}

}  // namespace

async::Task<std::vector<SuperblockCopy>> ReadSuperblockCopies(BlockDevice* device, std::uint64_t end,
                                                              IoDeadline deadline) {
  std::vector<SuperblockCopy> copies;
  for (std::size_t i = 0; i < kSuperblockCopies; ++i) {
    SuperblockCopy copy = co_await ReadCopy(device, i, end, deadline);
    copies.push_back(std::move(copy));
  }
  co_return copies;
}

async::Task<base::Result<FoundGeometry>> FindGeometry(BlockDevice* device, IoDeadline deadline) {
  const std::uint64_t device_end = device->size_bytes() / kMiB * kMiB;
  if (device_end < kImageBytesMin) {
    co_return base::Error(base::Errc::kCorrupt,
                          fmt::format("{} has {} bytes, too few to hold any mail: look for the right image",
                                      device->name(), device->size_bytes()));
  }
  std::vector<SuperblockCopy> copies = co_await ReadSuperblockCopies(device, device_end, deadline);
  // An image that was cut short or has grown since the format has its last two copies where the first two say.
  const Superblock* superblock = Best(copies);
  if (superblock != nullptr && superblock->geometry.end != device_end) {
    const std::uint64_t real_end = superblock->geometry.end;
    copies = co_await ReadSuperblockCopies(device, real_end, deadline);
    superblock = Best(copies);
  }
  if (superblock == nullptr) {
    const auto others = std::ranges::count_if(copies, [](const SuperblockCopy& c) { return c.other_version; });
    if (others >= 2) {
      const auto other = std::ranges::find_if(copies, [](const SuperblockCopy& c) { return c.other_version; });
      co_return base::Error(base::Errc::kUnsupported, device->name() + ": " + other->problem);
    }
    co_return co_await FromSegments(device, deadline);
  }
  FoundGeometry found;
  found.geometry = superblock->geometry;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (copies[i].superblock.has_value()) {
      ++found.superblock_copies;
    } else {
      found.notes.push_back(
          fmt::format("superblock copy {} at {} is damaged: {}", i, copies[i].offset, copies[i].problem));
    }
  }
  if (found.geometry.end > device->size_bytes()) {
    found.notes.push_back(fmt::format("{} has {} bytes but the volume had {}: what lay behind is lost", device->name(),
                                      device->size_bytes(), found.geometry.end));
  }
  co_return found;
}

std::uint32_t Crc32cSeedOf(base::ByteSpan bytes, std::uint32_t checksum) {
  static const std::array<std::uint8_t, 256> by_high_byte = [] {
    std::array<std::uint8_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) made[CrcTable()[i] >> 24] = static_cast<std::uint8_t>(i);
    return made;
  }();
  std::uint32_t state = ~checksum;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const std::uint32_t index = by_high_byte[state >> 24];
    state = ((state ^ CrcTable()[index]) << 8) | (index ^ std::to_integer<std::uint32_t>(bytes[i]));
  }
  return ~state;
}

Uuid UuidOfSeed(std::uint32_t volume_seed) {
  Uuid uuid{};
  // Four last bytes steer a CRC to any value: they are XORed into the register, which is the one that four zero bytes
  // would bring to the value.
  const std::array<std::byte, 4> zeroes{};
  const std::uint32_t wanted = Crc32cSeedOf(zeroes, volume_seed);
  const std::uint32_t given = base::Crc32c(base::ByteSpan(uuid).first(12));
  base::StoreLe(uuid.data() + 12, given ^ wanted);
  return uuid;
}

namespace {

// docs/format/mffs.md, "Segment": what DecodeSegmentHeader checks with a known UUID, backwards.
void CountHeader(base::ByteSpan sector, std::uint64_t offset, Votes& votes) {
  constexpr std::string_view kMagic = "MFFSseg1";
  base::Decoder in(base::AsText(sector));
  if (in.Raw(kMagic.size()) != kMagic) return;
  const std::uint32_t checksum = in.U32();
  const std::uint32_t segment = in.U32();
  const std::uint32_t after_magic = Crc32cSeedOf(sector.subspan(12), checksum);
  const std::uint32_t sector_seed = Crc32cSeedOf(sector.first(8), after_magic);
  const std::array<std::byte, 4> sector_zero{};
  const std::uint32_t segment_seed = Crc32cSeedOf(sector_zero, sector_seed);
  const std::uint32_t volume_seed = Crc32cSeedOf(sector.subspan(12, 8), segment_seed);  // Segment, generation.
  const std::uint64_t distance = offset - kMiB;
  if (segment == 0) {
    if (distance == 0) votes.first_seed = volume_seed;
    return;
  }
  const std::uint64_t bytes = distance / segment;
  if (distance % segment != 0 || bytes < kMiB || bytes > kSegmentBytesMax || bytes % kMiB != 0) return;
  ++votes.headers[{volume_seed, static_cast<std::uint32_t>(bytes)}];
}

base::Error NothingLeft(const BlockDevice& device) {
  return base::Error(base::Errc::kCorrupt,
                     fmt::format("{} holds neither a superblock nor a segment header of an MFFS volume: no mail can be "
                                 "found on it; look for another copy of the image",
                                 device.name()));
}

// Mail may hold bytes that look like headers, but not ones that agree with each other on where they lie.
async::Task<base::Result<FoundGeometry>> FromSegments(BlockDevice* device, IoDeadline deadline) {
  const std::uint64_t end = device->size_bytes() / kMiB * kMiB;
  Votes votes;
  for (std::uint64_t first = kMiB; first + kSectorBytes <= end; first += kHeadersAtOnce * kMiB) {
    std::vector<std::uint64_t> offsets;
    for (std::uint32_t i = 0; i < kHeadersAtOnce && first + i * kMiB + kSectorBytes <= end; ++i) {
      offsets.push_back(first + i * kMiB);
    }
    const IoMemory memory = co_await ReadMany(device, offsets, kSectorBytes, deadline);
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      CountHeader(memory.span().subspan(i * kSectorBytes, kSectorBytes), offsets[i], votes);
    }
  }
  Candidate best;
  std::uint32_t best_votes = 0;
  for (const auto& [candidate, headers] : votes.headers) {
    const std::uint32_t count = headers + (votes.first_seed == candidate.volume_seed ? 1 : 0);
    if (count <= best_votes) continue;
    best = candidate;
    best_votes = count;
  }
  if (best_votes == 0) {
    if (!votes.first_seed.has_value()) co_return NothingLeft(*device);
    best = {*votes.first_seed, co_await SegmentBytesByFooter(device, *votes.first_seed, deadline)};
    best_votes = 1;
  }
  FoundGeometry found;
  found.from_segments = true;
  found.geometry.uuid = UuidOfSeed(best.volume_seed);
  found.geometry.segment_bytes = best.segment_bytes;
  found.geometry.end = end;
  // Rounded up: the last segment of an image that was cut short may be there in part.
  found.geometry.segment_count =
      static_cast<std::uint32_t>(AlignUp(end - kMiB, best.segment_bytes) / best.segment_bytes);
  found.notes.push_back(fmt::format("no superblock copy is left; {} segment headers tell that segments have {} MiB",
                                    best_votes, best.segment_bytes / kMiB));
  co_return found;
}

// Only segment 0 was ever used. Its footer is the last sector of it; without one any size will do that holds it all.
async::Task<std::uint32_t> SegmentBytesByFooter(BlockDevice* device, std::uint32_t volume_seed, IoDeadline deadline) {
  const std::uint64_t end = device->size_bytes() / kMiB * kMiB;
  const std::uint64_t largest = std::clamp(end - kMiB, kMiB, kSegmentBytesMax);
  Geometry geometry{.uuid = UuidOfSeed(volume_seed), .segment_bytes = 0, .segment_count = 1, .end = end};
  const auto start = co_await ReadSectors(device, kMiB, kSectorBytes, deadline);
  if (!start.has_value()) co_return static_cast<std::uint32_t>(largest);
  const auto header = DecodeSegmentHeader(start->span(), geometry.uuid, 0);
  for (std::uint64_t bytes = kMiB; header.has_value() && bytes <= largest; bytes += kMiB) {
    geometry.segment_bytes = static_cast<std::uint32_t>(bytes);
    const auto last =
        co_await ReadSectors(device, geometry.SectorOffset(0, geometry.footer_sector()), kSectorBytes, deadline);
    if (last.has_value() && DecodeFooter(last->span(), geometry, 0, header->generation).has_value()) {
      co_return geometry.segment_bytes;
    }
  }
  co_return static_cast<std::uint32_t>(largest);
}

}  // namespace
}  // namespace mffs
