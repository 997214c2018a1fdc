#include "mffs/volume.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/check.h"
#include "base/random.h"
#include "mffs/engine.h"
#include "mffs/recovery.h"
#include "mffs/superblock.h"

namespace mffs {
namespace {

constexpr std::chrono::seconds kFormatDeadline{30};

// Of few segments, those that are kept free or partly filled are a share of the volume that cleaning has to make good
// (decision 0014).
std::uint32_t SegmentBytesFor(std::uint64_t device_bytes) {
  constexpr std::uint64_t kSegments = 1000;
  constexpr std::uint64_t kMost = 64u << 20;
  return static_cast<std::uint32_t>(std::bit_floor(std::clamp(device_bytes / kSegments, std::uint64_t{kMiB}, kMost)));
}

base::Result<Geometry> PlanGeometry(const BlockDevice& device, FormatOptions options) {
  if (options.segment_bytes == 0) options.segment_bytes = SegmentBytesFor(device.size_bytes());
  if (options.segment_bytes < kMiB || options.segment_bytes > kSegmentBytesMax || options.segment_bytes % kMiB != 0) {
    return base::Error(base::Errc::kInvalid,
                       fmt::format("a segment of {} bytes is not possible: take a multiple of 1 MiB up to 1 GiB",
                                   options.segment_bytes));
  }
  Geometry geometry;
  geometry.segment_bytes = options.segment_bytes;
  geometry.end = device.size_bytes() / kMiB * kMiB;
  const std::uint64_t segments = geometry.end < 2 * kMiB ? 0 : (geometry.end - 2 * kMiB) / options.segment_bytes;
  if (segments < kSegmentsMin || segments > 0xfffffffe) {
    return base::Error(base::Errc::kNoSpace,
                       fmt::format("{} has {} bytes, room for {} segments of {} bytes, but a volume needs at least {}: "
                                   "take smaller segments or a larger device",
                                   device.name(), device.size_bytes(), segments, options.segment_bytes, kSegmentsMin));
  }
  geometry.segment_count = static_cast<std::uint32_t>(segments);
  if (options.uuid.has_value()) {
    geometry.uuid = *options.uuid;
  } else {
    base::SecureRandom(geometry.uuid);
  }
  return geometry;
}

}  // namespace

async::Task<base::Result<>> Volume::Format(BlockDevice* device, FormatOptions options) {
  Superblock superblock;
  ASSIGN_OR_CO_RETURN(superblock.geometry, PlanGeometry(*device, options));
  superblock.sequence = 1;
  // Segments need not be wiped: nothing in them has a checksum that fits the new UUID.
  co_return co_await StoreSuperblock(device, superblock, kFormatDeadline);
}

async::Task<base::Result<std::unique_ptr<Volume>>> Volume::Open(BlockDevice* device, const base::Clock* clock,
                                                                VolumeOptions options) {
  const auto begun = clock->SteadyNow();
  // A process that was killed may have left writes that can be read but are not durable; what is built on them is.
  auto flushed = co_await FlushDevice(device, options.write_deadline);
  if (!flushed.has_value()) co_return std::move(flushed).error().In("open the volume");
  auto recovered = co_await Recover(device, options.write_deadline, options.recover_from, options.progress);
  if (!recovered.has_value()) co_return std::move(recovered).error().In("open the volume");
  recovered->report.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock->SteadyNow() - begun);
  auto engine = std::make_unique<Engine>(co_await asio::this_coro::executor, device, clock, std::move(options),
                                         std::move(*recovered));
  co_return std::unique_ptr<Volume>(new Volume(std::move(engine)));
}

Volume::Volume(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Volume::~Volume() = default;

const RecoveryReport& Volume::recovery() const {
  return engine_->recovery();
}
const std::string& Volume::owner_state() const {
  return engine_->owner_state();
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Volume::UnusedSpace() const {
  return engine_->UnusedSpace();
}

std::function<void()> Volume::ClaimRetry() {
  return engine_->ClaimRetry();
}

async::Task<base::Result<>> Volume::Scan(Lsn after, std::function<base::Result<>(const RecordView&)> visit) {
  return engine_->Scan(after, std::move(visit));
}

void Volume::Start(RecordOwner* owner) {
  engine_->Start(owner);
}

async::Task<void> Volume::AwaitRoom(std::chrono::milliseconds patience) {
  return engine_->AwaitRoom(patience);
}

base::Result<> Volume::Admit(Stream stream, std::uint64_t bytes, Need need) const {
  return engine_->Admit(stream, bytes, need);
}

void Volume::Append(AppendRequest* request) {
  engine_->Append(request);
}

async::Task<base::Result<Location>> Volume::AppendCopy(Stream stream, RecordKey key, std::string head, std::string body,
                                                       Need need) {
  return engine_->AppendCopy(stream, {.key = key, .head = std::move(head), .body = std::move(body)}, need);
}

async::Task<base::Result<Record>> Volume::Read(Location location) {
  return engine_->Read(location);
}

async::Task<base::Result<std::string>> Volume::ReadBody(Location location, std::uint32_t offset, std::uint32_t size) {
  return engine_->ReadBody(location, offset, size);
}

async::Task<base::Result<std::vector<std::pair<Location, Record>>>> Volume::ReadRun(Location location,
                                                                                    std::uint32_t bytes) {
  return engine_->ReadRun(location, bytes);
}

void Volume::Release(const Location& location) {
  engine_->Release(location);
}
bool Volume::IsLive(const Location& location) const {
  return engine_->IsLive(location);
}
async::Task<base::Result<>> Volume::Checkpoint() {
  return engine_->Checkpoint();
}
VolumeStatus Volume::Status() const {
  return engine_->Status();
}
base::Result<> Volume::BeginScrub(std::uint64_t bytes_per_second) {
  return engine_->scrubber().Begin(bytes_per_second);
}
void Volume::EndScrub() {
  engine_->scrubber().End();
}
ScrubStatus Volume::Scrub() const {
  return engine_->scrubber().Status();
}
async::Task<base::Result<>> Volume::Close() {
  return engine_->Close();
}

}  // namespace mffs
