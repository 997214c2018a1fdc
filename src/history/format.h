// What the history writes into MFFS records and into the checkpoint, as values. docs/format/history.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "mffs/types.h"
#include "replog/types.h"

namespace history {

// On disk as one byte: never renumber. In the range of replog::Guest.
enum class RecordType : std::uint8_t { kEvents = 0x40, kIndexPart = 0x41 };

using RunNumber = base::Id<struct RunNumberTag>;
using Slot = std::uint32_t;  // Of a record of events in its run.

inline constexpr std::uint32_t kSlotsMax = 1u << 14;
inline constexpr std::uint32_t kOffsetsEnd = 1u << 18;  // Of an event in the body of its record.

// Where an event lies in its run, in the order in which events came: slot << 18 | offset.
using Position = std::uint32_t;
constexpr Position PositionOf(Slot slot, std::uint32_t offset) {
  return slot << 18 | offset;
}
constexpr Slot SlotOf(Position position) {
  return position >> 18;
}
constexpr std::uint32_t OffsetOf(Position position) {
  return position & (kOffsetsEnd - 1);
}

// The hash of what is looked for << 32 | position.
using Key = std::uint64_t;
constexpr Key KeyOf(std::uint32_t hash, Position position) {
  return std::uint64_t{hash} << 32 | position;
}
constexpr std::uint32_t HashIn(Key key) {
  return static_cast<std::uint32_t>(key >> 32);
}
constexpr Position PositionIn(Key key) {
  return static_cast<Position>(key);
}

// "Events (0x40)".
struct EventsHead {
  static constexpr std::size_t kEncodedSize = 32;
  std::uint32_t events = 0;
  std::uint32_t event_bytes = 0;  // The marks stand behind them.
  base::WallTime oldest;
  base::WallTime newest;
  std::string Encode() const;
  static base::Result<EventsHead> Decode(std::string_view in);
};
static_assert(EventsHead::kEncodedSize == 4 + 4 + 4 + 4 + 8 + 8);

// For each partition the last index of which the history has all events.
using Marks = std::map<replog::PartitionId, replog::Index>;
void EncodeMarks(const Marks& marks, std::string* out);
base::Result<Marks> DecodeMarks(std::string_view in);

// Hands each event's bytes and offset to `visit`, in their order. Errors: kCorrupt.
template <class Visit>
base::Result<> ForEachEvent(std::string_view events, Visit visit) {
  base::Decoder in(events);
  while (in.remaining() > 0) {
    const auto offset = static_cast<std::uint32_t>(events.size() - in.remaining());
    const std::string_view event = in.Text();
    if (!in.ok()) return base::Error(base::Errc::kCorrupt, "a record of the history cannot be read");
    visit(event, offset);
  }
  return {};
}

// "Index of a run (0x41)".
struct IndexHead {
  static constexpr std::size_t kEncodedSize = 12;
  std::uint32_t parts = 0;  // With the one of fences.
  std::uint32_t keys = 0;
  std::string Encode() const;
  static base::Result<IndexHead> Decode(std::string_view in);
};
inline constexpr std::uint32_t kKeysPerPart = 65'536;
inline constexpr std::uint32_t kKeysPerFence = 2'048;
static_assert(kKeysPerPart * sizeof(Key) == mffs::kBodyBytesMax);
inline constexpr std::uint32_t kKeysPerRunMax = 1u << 27;  // More fences would not fit a record.
constexpr std::uint32_t PartsOf(std::uint32_t keys) {
  return (keys + kKeysPerPart - 1) / kKeysPerPart + 1;
}
// The bodies of all parts. `keys` are sorted, at most kKeysPerRunMax.
std::vector<std::string> EncodeIndex(const std::vector<Key>& keys);

// "State in the checkpoint".
struct SavedRecord {
  Slot slot = 0;
  mffs::Location place;
  std::uint32_t event_bytes = 0;
  base::WallTime oldest;
  base::WallTime newest;
  friend bool operator==(const SavedRecord&, const SavedRecord&) = default;
};
struct SavedRun {
  RunNumber number;
  std::uint32_t keys = 0;  // 0: it has no index yet.
  std::vector<mffs::Location> parts;
  std::vector<SavedRecord> records;  // Ascending by slot.
  friend bool operator==(const SavedRun&, const SavedRun&) = default;
};
struct SavedState {
  std::vector<SavedRun> runs;  // Ascending by number.
  Marks marks;
  std::string Encode() const;
  static base::Result<SavedState> Decode(std::string_view in);
  friend bool operator==(const SavedState&, const SavedState&) = default;
};

// A sentence about a record of the history, for `mffs dump`.
std::string MeaningOf(const mffs::RecordKey& key, std::string_view head);

}  // namespace history
