#include "history/directory.h"

#include <algorithm>

namespace history {
namespace {

constexpr std::size_t kPartsMax = PartsOf(kKeysPerRunMax);

// The later record of a key counts: it is a copy, or the same one twice.
void Take(mffs::Location* place, const mffs::Location& found,
          const std::function<void(const mffs::Location&)>& release) {
  if (!place->IsNowhere() && *place != found) release(*place);
  *place = found;
}

}  // namespace

Run* Directory::Open(std::size_t keys_max) {
  if (!runs_.empty()) {
    Run* const last = &runs_.rbegin()->second;
    const bool is_full = last->has_index() || last->records.size() == kSlotsMax || last->keys.size() >= keys_max;
    if (!is_full) return last;
  }
  const RunNumber number(runs_.empty() ? 1 : runs_.rbegin()->first.value() + 1);
  return &runs_.emplace(number, Run(number)).first->second;
}

Run* Directory::Find(RunNumber number) {
  const auto found = runs_.find(number);
  return found == runs_.end() ? nullptr : &found->second;
}

EventRecord* Directory::FindRecord(RunNumber number, Slot slot) {
  Run* const run = Find(number);
  return run == nullptr || slot >= run->records.size() ? nullptr : &run->records[slot];
}

base::Result<> Directory::Load(const SavedState& state, const std::vector<replog::Guest::Found>& found,
                               const std::function<void(const mffs::Location&)>& release) {
  for (const SavedRun& saved : state.runs) {
    Run& run = runs_.emplace(saved.number, Run(saved.number)).first->second;
    run.key_count = saved.keys;
    run.parts = saved.parts;
    for (const SavedRecord& record : saved.records) {
      run.records.resize(record.slot + 1);
      EventRecord& known = run.records[record.slot];
      known.place = record.place;
      known.event_bytes = record.event_bytes;
      known.oldest = record.oldest;
      known.newest = record.newest;
    }
  }
  for (const replog::Guest::Found& record : found) RETURN_IF_ERROR(AddFound(record, release));
  DropBrokenIndexes(release);
  return {};
}

base::Result<> Directory::AddFound(const replog::Guest::Found& found,
                                   const std::function<void(const mffs::Location&)>& release) {
  const RunNumber number(found.key.epoch);
  const auto type = static_cast<RecordType>(found.key.type);
  if (type == RecordType::kEvents && found.key.index < kSlotsMax) {
    ASSIGN_OR_RETURN(const EventsHead head, EventsHead::Decode(found.head));
    Run& run = runs_.emplace(number, Run(number)).first->second;
    if (run.records.size() <= found.key.index) run.records.resize(found.key.index + 1);
    EventRecord& record = run.records[found.key.index];
    Take(&record.place, found.place, release);
    record.event_bytes = head.event_bytes;
    record.oldest = head.oldest;
    record.newest = head.newest;
    return {};
  }
  if (type == RecordType::kIndexPart && found.key.index < kPartsMax) {
    ASSIGN_OR_RETURN(const IndexHead head, IndexHead::Decode(found.head));
    Run& run = runs_.emplace(number, Run(number)).first->second;
    if (run.parts.size() != head.parts) {
      for (const mffs::Location& part : run.parts) {
        if (!part.IsNowhere()) release(part);
      }
      run.parts.assign(head.parts, {});
    }
    run.key_count = head.keys;
    if (found.key.index < run.parts.size()) Take(&run.parts[found.key.index], found.place, release);
    return {};
  }
  return base::Error(base::Errc::kUnsupported, "the volume has a record of the history that a newer Posthorn wrote");
}

void Directory::DropBrokenIndexes(const std::function<void(const mffs::Location&)>& release) {
  for (auto& [number, run] : runs_) {
    const bool is_whole = run.has_index() && std::ranges::none_of(run.parts, &mffs::Location::IsNowhere);
    if (is_whole) continue;
    for (const mffs::Location& part : run.parts) {
      if (!part.IsNowhere()) release(part);
    }
    run.parts.clear();
    run.key_count = 0;
    run.lacks_keys = true;
    for (EventRecord& record : run.records) record.keys_missing = record.IsDurable();
  }
}

std::vector<SavedRun> Directory::Save() const {
  std::vector<SavedRun> saved;
  for (const auto& [number, run] : runs_) {
    SavedRun& out =
        saved.emplace_back(SavedRun{.number = number, .keys = run.key_count, .parts = run.parts, .records = {}});
    for (Slot slot = 0; slot < run.records.size(); ++slot) {
      const EventRecord& record = run.records[slot];
      if (record.IsDurable())
        out.records.push_back({slot, record.place, record.event_bytes, record.oldest, record.newest});
    }
  }
  std::erase_if(saved, [](const SavedRun& run) { return run.records.empty() && run.parts.empty(); });
  return saved;
}

bool Directory::Move(const mffs::RecordKey& key, const mffs::Location& from, const mffs::Location& to) {
  if (static_cast<RecordType>(key.type) == RecordType::kEvents) {
    EventRecord* const record =
        key.index < kSlotsMax ? FindRecord(RunNumber(key.epoch), static_cast<Slot>(key.index)) : nullptr;
    if (record == nullptr || record->place != from) return false;
    record->place = to;
    return true;
  }
  Run* const run = Find(RunNumber(key.epoch));
  if (run == nullptr || key.index >= run->parts.size() || run->parts[key.index] != from) return false;
  run->parts[key.index] = to;
  return true;
}

std::uint64_t Directory::bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, run] : runs_) {
    for (const EventRecord& record : run.records) bytes += record.place.size;
    for (const mffs::Location& part : run.parts) bytes += part.size;
  }
  return bytes;
}

}  // namespace history
