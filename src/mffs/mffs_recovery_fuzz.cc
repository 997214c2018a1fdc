// Recovery of hostile images: the input patches a valid volume (test/golden) and may then repair checksums, as an
// attacker with the volume's UUID could. Opening, scanning, reading, writing and closing must stop nothing but
// themselves, with an error.
//
// Input: u8 where recovery starts from (modulo 3), and whether the volume is then written to (divided by 3, modulo 8,
// is 7); patches, each: u16 which of the sectors in use, u16 offset in it, u8 repairs (bits of Repair), u8 count,
// bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "async/testing.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "mffs/format.h"
#include "mffs/image_text.h"
#include "mffs/sim_device.h"
#include "mffs/volume.h"

namespace mffs {
namespace {

constexpr std::size_t kPatchesMax = 64;
constexpr std::uint32_t kSectorsPerSegment = kMiB / kSectorBytes;

enum Repair : std::uint8_t { kNothing = 0, kSector = 1, kBlock = 2, kSummary = 4 };

// The image that is patched, and what is known of its places.
class Golden {
 public:
  static const Golden& Get() {
    static const Golden golden;
    return golden;
  }
  const SimImage& image() const { return *image_; }
  const Uuid& uuid() const { return uuid_; }
  // Sectors that hold something: patches elsewhere would rarely matter.
  const std::vector<std::uint64_t>& used() const { return used_; }
  // The first sector of the block that covers `sector`; 0 if there is none.
  std::uint64_t BlockOf(std::uint64_t sector) const {
    for (const auto& [first, count] : blocks_) {
      if (sector >= first && sector < first + count) return first;
    }
    return 0;
  }

 private:
  Golden() : image_(LoadImage("test/golden/mffs-1.image")) {
    CHECK(image_.has_value());  // Run in the top folder.
    base::SetLogSink([](std::string_view) {});
    std::array<std::byte, kSectorBytes> sector;
    image_->Read(0, sector);
    uuid_ = DecodeSuperblock(sector, 0)->geometry.uuid;
    for (std::uint64_t i = 0; i < image_->size_bytes() / kSectorBytes; ++i) {
      if (!image_->Sector(i)) continue;
      used_.push_back(i);
      if (i < kSectorsPerSegment) continue;
      image_->Read(i * kSectorBytes, sector);
      const auto segment = static_cast<std::uint32_t>(i / kSectorsPerSegment - 1);
      const auto header = DecodeBlockHeader(sector, uuid_, segment, i % kSectorsPerSegment);
      if (header.has_value()) blocks_.emplace_back(i, header->sector_count);
    }
  }

  std::optional<SimImage> image_;
  Uuid uuid_;
  std::vector<std::uint64_t> used_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks_;
};

std::uint32_t SegmentOf(std::uint64_t sector) {
  return static_cast<std::uint32_t>(sector / kSectorsPerSegment - 1);
}

// Sets the checksum of a sector at `field`, of which the rest is covered.
void SealAt(base::MutableByteSpan sector, std::size_t field, std::uint32_t seed) {
  const std::uint32_t before = base::Crc32c(sector.first(field), seed);
  base::StoreLe(sector.data() + field, base::Crc32c(sector.subspan(field + 4), before));
}

// Makes a sector valid again, as what its place says it is: a superblock, or a header or footer of a segment.
void RepairSector(SimImage& image, std::uint64_t number) {
  std::array<std::byte, kSectorBytes> sector;
  image.Read(number * kSectorBytes, sector);
  for (std::size_t copy = 0; copy < kSuperblockCopies; ++copy) {
    if (SuperblockOffset(copy, image.size_bytes()) != number * kSectorBytes) continue;
    const std::uint64_t place = SuperblockOffset(copy, 0);
    SealAt(sector, 12, base::Crc32c(std::as_bytes(std::span(&place, 1))));
  }
  const auto index = static_cast<std::uint32_t>(number % kSectorsPerSegment);
  const bool is_in_segment = number >= kSectorsPerSegment && (index == 0 || index == kSectorsPerSegment - 1);
  if (is_in_segment) {
    const auto generation = base::LoadLe<std::uint32_t>(sector.data() + 16);
    SealAt(sector, 8, SegmentSeed(Golden::Get().uuid(), SegmentOf(number), generation).ForSector(index));
  }
  image.Write(number * kSectorBytes, sector);
}

// Repairs the records that lie one after the other in the block, its table and its header.
void RepairBlock(SimImage& image, std::uint64_t sector) {
  const std::uint64_t first = Golden::Get().BlockOf(sector);
  if (first == 0) return;
  const auto first_index = static_cast<std::uint32_t>(first % kSectorsPerSegment);
  std::vector<std::byte> block(kSectorBytes);
  image.Read(first * kSectorBytes, block);
  const std::uint32_t count = std::clamp<std::uint32_t>(base::LoadLe<std::uint16_t>(block.data() + 48), 1,
                                                        kSectorsPerSegment - 1 - first_index);
  block.resize(count * kSectorBytes);
  image.Read(first * kSectorBytes, block);
  const auto generation = base::LoadLe<std::uint32_t>(block.data() + 12);
  const SegmentSeed seed(Golden::Get().uuid(), SegmentOf(first), generation);
  std::size_t at = kRecordsOffset;
  const auto records = base::LoadLe<std::uint16_t>(block.data() + 50);
  for (std::uint32_t i = 0; i < records && at + RecordHeader::kEncodedSize <= block.size(); ++i) {
    std::byte* record = block.data() + at;
    const std::size_t payload =
        base::LoadLe<std::uint16_t>(record + 10) + std::size_t{base::LoadLe<std::uint32_t>(record + 12)};
    if (payload > block.size() - at - RecordHeader::kEncodedSize) break;
    const base::ByteSpan bytes(record + RecordHeader::kEncodedSize, payload);
    base::StoreLe(record + 4, base::Crc32c(bytes, VolumeSeed(Golden::Get().uuid())));
    const auto offset = static_cast<std::uint32_t>(first_index * kSectorBytes + at);
    base::StoreLe(record,
                  base::Crc32c(base::ByteSpan(record + 4, RecordHeader::kEncodedSize - 4), seed.ForRecord(offset)));
    at += PaddedRecordBytes(RecordHeader::kEncodedSize + payload);
  }
  for (std::uint32_t i = 1; i < std::min(count, kBlockSectorsMax); ++i) {
    const base::ByteSpan bytes(block.data() + i * kSectorBytes, kSectorBytes);
    base::StoreLe(block.data() + BlockHeader::kEncodedSize + std::size_t{4} * (i - 1),
                  base::Crc32c(bytes, seed.ForSector(first_index + i)));
  }
  SealAt(base::MutableByteSpan(block).first(kSectorBytes), 4, seed.ForSector(first_index));
  image.Write(first * kSectorBytes, block);
}

// Repairs the checksum of the summary in the footer of the segment, and the footer.
void RepairSummary(SimImage& image, std::uint64_t sector) {
  if (sector < kSectorsPerSegment) return;
  const std::uint64_t first = sector / kSectorsPerSegment * kSectorsPerSegment;
  const std::uint64_t footer_at = first + kSectorsPerSegment - 1;
  std::array<std::byte, kSectorBytes> footer;
  image.Read(footer_at * kSectorBytes, footer);
  const auto generation = base::LoadLe<std::uint32_t>(footer.data() + 16);
  const auto summary_sector = base::LoadLe<std::uint32_t>(footer.data() + 28);
  const auto bytes = base::LoadLe<std::uint32_t>(footer.data() + 32);
  if (summary_sector >= kSectorsPerSegment || bytes > (kSectorsPerSegment - summary_sector) * kSectorBytes) return;
  const SegmentSeed seed(Golden::Get().uuid(), SegmentOf(first), generation);
  std::vector<std::byte> summary(bytes);
  image.Read((first + summary_sector) * kSectorBytes, summary);
  image.Read(footer_at * kSectorBytes, footer);
  base::StoreLe(footer.data() + 36, base::Crc32c(summary, seed.ForSector(summary_sector)));
  image.Write(footer_at * kSectorBytes, footer);
  RepairSector(image, footer_at);
}

void Patch(SimImage& image, base::Decoder& in) {
  const std::vector<std::uint64_t>& used = Golden::Get().used();
  const std::uint64_t number = used[in.U16() % used.size()];
  const std::uint64_t at = in.U16() % kSectorBytes;
  const std::uint8_t repairs = in.U8();
  const std::size_t count = in.U8();
  const std::string_view bytes = in.Raw(std::min<std::size_t>({count, in.remaining(), kSectorBytes - at}));
  image.Write(number * kSectorBytes + at, base::AsBytes(bytes));
  if ((repairs & kSector) != 0) RepairSector(image, number);
  if ((repairs & kBlock) != 0) RepairBlock(image, number);
  if ((repairs & kSummary) != 0) RepairSummary(image, number);
}

class NoOwner final : public RecordOwner {
 public:
  async::Task<base::Result<>> Moved(std::vector<Move>) override {
    co_return base::Error(base::Errc::kInvalid, "nothing is moved here");
  }
  CheckpointState TakeCheckpointState() override { return {.state = "state"}; }
  void CheckpointDurable() override {}
};

async::Task<void> ReadAll(Volume* volume) {
  std::vector<Location> places;
  base::Ignore(co_await volume->Scan(Lsn(), [&places](const RecordView& view) {
    if (places.size() < 1000) places.push_back(view.location);
    return base::Result<>();
  }));
  for (const Location& place : places) {
    base::Ignore(co_await volume->Read(place));
    base::Ignore(co_await volume->ReadBody(place, 1, 100));
    volume->Release(place);
  }
  if (!places.empty()) base::Ignore(co_await volume->ReadRun(places.front(), 100'000));
}

// Opens and reads; `use`: also writes and closes.
void Exercise(const SimImage& image, RecoveryBase from, bool use) {
  asio::io_context context;
  const base::SimClock clock;
  SimDevice device(context.get_executor(), image);
  VolumeOptions options;
  options.cover_after = std::chrono::hours(1);
  options.recover_from = from;
  NoOwner owner;
  auto volume = async::RunTask(context, Volume::Open(&device, &clock, options));
  if (!volume.has_value()) return;
  async::RunTask(context, ReadAll(volume->get()));
  if (!use) return;
  (*volume)->Start(&owner);
  base::Ignore(async::RunTask(context, (*volume)->AppendCopy(Stream::kTransit, {.type = 1}, "head", "body")));
  base::Ignore(async::RunTask(context, (*volume)->Close()));
}

}  // namespace
}  // namespace mffs

// Large pieces of memory come and go with each input, from deep stacks of coroutines: most of the time went into
// keeping what was freed and where it came from. The name is the sanitizer's.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" const char* __asan_default_options() {
  return "malloc_context_size=6:quarantine_size_mb=4:thread_local_quarantine_size_kb=64:max_malloc_fill_size=0";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mffs;
  SimImage image = Golden::Get().image();
  base::Decoder in(std::string_view(reinterpret_cast<const char*>(data), size));
  const RecoveryBase bases[] = {RecoveryBase::kSuperblock, RecoveryBase::kScan, RecoveryBase::kNothing};
  const std::uint8_t how = in.U8();
  const RecoveryBase from = bases[how % std::size(bases)];
  const bool use = how / std::size(bases) % 8 == 7;  // What is found while it is used was found by recovery, mostly.
  for (std::size_t i = 0; i < kPatchesMax && in.remaining() > 0; ++i) Patch(image, in);
  Exercise(image, from, use);
  return 0;
}
