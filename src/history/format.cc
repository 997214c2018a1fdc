#include "history/format.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"

namespace history {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSavedRecordBytesMin = 1 + mffs::Location::kEncodedSize + 1 + 8 + 8;
constexpr std::size_t kSavedRunBytesMin = 4;
constexpr std::size_t kMarkBytesMin = 4 + 1;

base::Error Damaged(std::string_view what) {
  return base::Error(base::Errc::kCorrupt, fmt::format("the {} of the history cannot be read", what));
}

base::Result<> ReadVersion(base::Decoder& in, std::string_view what) {
  const std::uint8_t version = in.U8();
  if (!in.ok()) return Damaged(what);
  if (version == kVersion) return {};
  return base::Error(
      base::Errc::kUnsupported,
      fmt::format("the {} of the history has format version {}; a newer Posthorn wrote it", what, version));
}

void Reserve(base::Encoder& out, int bytes) {
  for (int i = 0; i < bytes; ++i) out.U8(0);
}

std::int64_t Micros(base::WallTime time) {
  return time.time_since_epoch().count();
}

base::WallTime TimeOf(std::int64_t micros) {
  return base::WallTime(std::chrono::microseconds(micros));
}

bool ReadMarks(base::Decoder& in, Marks* marks) {
  const std::uint64_t count = in.Varint();
  if (count > in.remaining() / kMarkBytesMin) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const replog::PartitionId partition(in.U32());
    (*marks)[partition] = replog::Index(in.Varint());
  }
  return in.ok();
}

void Encode(const SavedRun& run, base::Encoder& out) {
  out.Varint(run.number.value());
  out.Varint(run.keys);
  out.Varint(run.parts.size());
  for (const mffs::Location& part : run.parts) part.EncodeTo(out);
  out.Varint(run.records.size());
  for (const SavedRecord& record : run.records) {
    out.Varint(record.slot);
    record.place.EncodeTo(out);
    out.Varint(record.event_bytes);
    out.I64(Micros(record.oldest));
    out.I64(Micros(record.newest));
  }
}

bool Read(base::Decoder& in, SavedRun* run) {
  run->number = RunNumber(in.Varint());
  const std::uint64_t keys = in.Varint();
  const std::uint64_t parts = in.Varint();
  if (keys > kKeysPerRunMax || parts > in.remaining() / mffs::Location::kEncodedSize) return false;
  run->keys = static_cast<std::uint32_t>(keys);
  if (parts != (keys == 0 ? 0 : PartsOf(run->keys))) return false;
  for (std::uint64_t i = 0; i < parts; ++i) run->parts.push_back(mffs::Location::DecodeFrom(in));
  const std::uint64_t records = in.Varint();
  if (records > in.remaining() / kSavedRecordBytesMin) return false;
  for (std::uint64_t i = 0; i < records; ++i) {
    SavedRecord& record = run->records.emplace_back();
    const std::uint64_t slot = in.Varint();
    const bool is_next = run->records.size() == 1 || slot > run->records[run->records.size() - 2].slot;
    if (slot >= kSlotsMax || !is_next) return false;
    record.slot = static_cast<Slot>(slot);
    record.place = mffs::Location::DecodeFrom(in);
    const std::uint64_t event_bytes = in.Varint();
    if (event_bytes > mffs::kBodyBytesMax) return false;
    record.event_bytes = static_cast<std::uint32_t>(event_bytes);
    record.oldest = TimeOf(in.I64());
    record.newest = TimeOf(in.I64());
  }
  return in.ok();
}

}  // namespace

std::string EventsHead::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  Reserve(e, 3);
  e.U32(events);
  e.U32(event_bytes);
  Reserve(e, 4);
  e.I64(Micros(oldest));
  e.I64(Micros(newest));
  return out;
}

base::Result<EventsHead> EventsHead::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(ReadVersion(d, "events' head"));
  d.Raw(3);
  EventsHead head;
  head.events = d.U32();
  head.event_bytes = d.U32();
  d.Raw(4);
  head.oldest = TimeOf(d.I64());
  head.newest = TimeOf(d.I64());
  if (!d.AtEnd() || head.event_bytes > mffs::kBodyBytesMax) return Damaged("events' head");
  return head;
}

void EncodeMarks(const Marks& marks, std::string* out) {
  base::Encoder e(*out);
  e.Varint(marks.size());
  for (const auto& [partition, index] : marks) {
    e.U32(partition.value());
    e.Varint(index.value());
  }
}

base::Result<Marks> DecodeMarks(std::string_view in) {
  base::Decoder d(in);
  Marks marks;
  if (!ReadMarks(d, &marks) || !d.AtEnd()) return Damaged("marks");
  return marks;
}

std::string IndexHead::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  Reserve(e, 3);
  e.U32(parts);
  e.U32(keys);
  return out;
}

base::Result<IndexHead> IndexHead::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(ReadVersion(d, "index"));
  d.Raw(3);
  IndexHead head;
  head.parts = d.U32();
  head.keys = d.U32();
  const bool is_good = d.AtEnd() && head.keys > 0 && head.keys <= kKeysPerRunMax && head.parts == PartsOf(head.keys);
  if (!is_good) return Damaged("index");
  return head;
}

std::vector<std::string> EncodeIndex(const std::vector<Key>& keys) {
  CHECK(keys.size() <= kKeysPerRunMax);
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < keys.size(); at += kKeysPerPart) {
    const std::size_t count = std::min<std::size_t>(kKeysPerPart, keys.size() - at);
    parts.emplace_back(reinterpret_cast<const char*>(keys.data() + at), count * sizeof(Key));
  }
  std::string fences;
  base::Encoder e(fences);
  for (std::size_t at = 0; at < keys.size(); at += kKeysPerFence) e.U32(HashIn(keys[at]));
  parts.push_back(std::move(fences));
  return parts;
}

std::string SavedState::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  e.Varint(runs.size());
  for (const SavedRun& run : runs) history::Encode(run, e);
  EncodeMarks(marks, &out);
  return out;
}

base::Result<SavedState> SavedState::Decode(std::string_view in) {
  SavedState state;
  if (in.empty()) return state;
  base::Decoder d(in);
  RETURN_IF_ERROR(ReadVersion(d, "state"));
  const std::uint64_t runs = d.Varint();
  if (runs > d.remaining() / kSavedRunBytesMin) return Damaged("state");
  for (std::uint64_t i = 0; i < runs; ++i) {
    SavedRun& run = state.runs.emplace_back();
    if (!Read(d, &run)) return Damaged("state");
    if (i > 0 && run.number <= state.runs[i - 1].number) return Damaged("state");
  }
  if (!ReadMarks(d, &state.marks) || !d.AtEnd()) return Damaged("state");
  return state;
}

std::string MeaningOf(const mffs::RecordKey& key, std::string_view head) {
  const std::string place = fmt::format("history, run {}", key.epoch);
  if (static_cast<RecordType>(key.type) == RecordType::kIndexPart)
    return fmt::format("{}: part {} of its index", place, key.index);
  if (static_cast<RecordType>(key.type) != RecordType::kEvents) return "of the history, of a type that is not known";
  const auto events = EventsHead::Decode(head);
  if (!events.has_value()) return fmt::format("{}: events of mails; its head cannot be read", place);
  return fmt::format("{}, slot {}: {} events of mails", place, key.index, events->events);
}

}  // namespace history
