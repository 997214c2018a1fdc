// The other half of Volume::Engine: which records may come in, by how much is free.
#include <fmt/format.h>

#include "base/log.h"
#include "mffs/engine.h"

namespace mffs {
namespace {

// docs/format/mffs.md, "Space".
constexpr std::int64_t kSegmentsForParked = 8;
// What stands below another takes one segment more, so that whoever makes room finds some: notes of moves take what
// copies left, copies what the owner's states left, those what changes left.
constexpr std::int64_t kSegmentsForStates = GatheringWriter::kReserveForMeta + 1;
constexpr std::int64_t kSegmentsForChanges = GatheringWriter::kReserveForMeta + GatheringWriter::kReserveForCleaning;
constexpr std::uint64_t kAcceptedPercentMin = 3;

bool IsForOwnRecords(Stream stream) {
  return stream == Stream::kMeta || stream == Stream::kCold;
}

std::uint64_t FreePercentMin(Stream stream, Need need) {
  if (IsForOwnRecords(stream)) return 0;
  if (need == Need::kAccepted) return kAcceptedPercentMin;
  return stream == Stream::kParked ? 12 : 7;
}

// What an operator reads when a watermark was passed, in either direction.
struct Notice {
  std::string_view what;
  std::string_view advice;
};

Notice NoticeOf(SpaceLevel level) {
  switch (level) {
    case SpaceLevel::kAllWelcome:
      return {"all mail is accepted again", "nothing"};
    case SpaceLevel::kParkedRefused:
      return {"little space is left: suspect and bulk mail is refused for now",
              "let users remove mail, remove held mail (posthorn queue), or move to a larger volume"};
    case SpaceLevel::kNewRefused:
      return {"almost no space is left: all new mail is refused for now",
              "remove mail at once, or move to a larger volume; mail can still be read, flagged and removed"};
  }
  return {"", ""};
}

}  // namespace

std::int64_t Volume::Engine::AvailableSegments() const {
  const auto queued = static_cast<std::int64_t>(writer_.pending_bytes() / geometry_.segment_bytes);
  return std::int64_t{table_.free_count()} + table_.empty_count() - queued;
}

bool Volume::Engine::KeepsShare(Stream stream, std::uint64_t bytes, Need need) const {
  const std::uint64_t capacity = geometry_.CapacityBytes();
  const std::uint64_t used = table_.live_bytes() + writer_.pending_bytes() + bytes;
  return used <= capacity && (capacity - used) * 100 >= capacity * FreePercentMin(stream, need);
}

std::int64_t Volume::Engine::SegmentsLeftAlone(Stream stream, Need need) {
  if (!IsForOwnRecords(stream)) {
    return stream == Stream::kParked && need == Need::kNew ? kSegmentsForParked : kSegmentsForNew;
  }
  switch (need) {
    case Need::kNew:
      return GatheringWriter::kReserveForCheckpoint;
    case Need::kState:
      return kSegmentsForStates;
    case Need::kAccepted:
      return kSegmentsForChanges;
  }
  return 0;
}

base::Result<> Volume::Engine::Admit(Stream stream, std::uint64_t bytes, Need need) const {
  if (writer_.read_only()) return base::Error(base::Errc::kReadOnly, writer_.read_only_reason());
  // What fits into the open segment takes nothing from anybody.
  const bool needs_another = writer_.OpenRoomBytes(stream) < bytes;
  const std::int64_t needed = SegmentsLeftAlone(stream, need) + (needs_another ? 1 : 0);
  if (KeepsShare(stream, bytes, need) && AvailableSegments() >= needed) return {};
  return base::Error(base::Errc::kNoSpace,
                     fmt::format("{} has no room for stream {}: {} of {} bytes are live, {} segments can be taken; "
                                 "remove mail or use a larger volume",
                                 device_->name(), ToString(stream), table_.live_bytes(), geometry_.CapacityBytes(),
                                 AvailableSegments()));
}

// For the largest record, and as if it needed another segment: at a level that welcomes a mail none is refused.
bool Volume::Engine::HasRoomForMail(Stream stream, std::uint64_t margin_bytes, std::int64_t margin_segments) const {
  return KeepsShare(stream, kBodyBytesMax + margin_bytes, Need::kNew) &&
         AvailableSegments() > SegmentsLeftAlone(stream, Need::kNew) + margin_segments;
}

SpaceLevel Volume::Engine::LevelWith(std::uint64_t margin_bytes, std::int64_t margin_segments) const {
  if (!HasRoomForMail(Stream::kTransit, margin_bytes, margin_segments)) return SpaceLevel::kNewRefused;
  if (!HasRoomForMail(Stream::kParked, margin_bytes, margin_segments)) return SpaceLevel::kParkedRefused;
  return SpaceLevel::kAllWelcome;
}

void Volume::Engine::WatchSpace() {
  const std::uint64_t capacity = geometry_.CapacityBytes();
  const auto level = space_watch_.Look(LevelWith(0, 0), LevelWith(capacity / 100, 1));
  if (!level.has_value()) return;
  const double free = 100.0 * static_cast<double>(capacity - table_.live_bytes()) / static_cast<double>(capacity);
  const Notice notice = NoticeOf(*level);
  base::Log(*level == SpaceLevel::kNewRefused ? base::LogLevel::kError : base::LogLevel::kWarning, "mffs_space",
            {{"device", device_->name()},
             {"level", ToString(*level)},
             {"what", notice.what},
             {"free_percent", fmt::format("{:.1f}", free)},
             {"free_segments", AvailableSegments()},
             {"do", notice.advice}});
}

}  // namespace mffs
