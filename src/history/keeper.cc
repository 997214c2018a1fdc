#include "history/keeper.h"

#include <algorithm>
#include <utility>

#include "async/one_shot.h"
#include "base/check.h"
#include "base/log.h"
#include "mffs/format.h"

namespace history {
namespace {

constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::seconds kDropInterval{10};
constexpr std::chrono::seconds kSortRetry{60};

std::vector<std::string> SortIntoParts(std::vector<Key> keys) {
  std::ranges::sort(keys);
  return EncodeIndex(keys);
}

}  // namespace

Keeper::Keeper(async::Executor executor, mffs::Volume* volume, const base::Clock* clock, async::WorkerPool* workers,
               Directory* directory, Gatherer* gatherer, KeepingLimits limits)
    : volume_(volume),
      clock_(clock),
      workers_(workers),
      directory_(directory),
      gatherer_(gatherer),
      limits_(limits),
      space_max_(limits.space_max != 0 ? limits.space_max : volume->Status().space.capacity_bytes / 10),
      wanted_(executor),
      written_(executor),
      keys_loaded_(executor),
      background_(executor, "history") {}

void Keeper::Start() {
  background_.Spawn(Loop());
}

async::Task<void> Keeper::Stop() {
  stopping_ = true;
  wanted_.NotifyAll();
  co_await background_.Join();
  co_await background_.Stop();
}

async::Task<void> Keeper::AwaitWritten(replog::PartitionId partition) {
  std::uint64_t through = gatherer_->LastBatchWith(partition);
  if (in_flight_.has_value() && in_flight_->marks.contains(partition)) through = std::max(through, in_flight_->number);
  if (through == 0) co_return;
  asked_through_ = std::max(asked_through_, through);
  wanted_.NotifyAll();
  while (written_through_ < through) co_await written_.Wait();
}

async::Task<void> Keeper::AwaitKeys() {
  const auto lacks = [](const auto& run) { return run.second.lacks_keys; };
  while (!stopping_ && std::ranges::any_of(directory_->runs(), lacks)) co_await keys_loaded_.Wait();
}

void Keeper::Rebuild(RunNumber number) {
  Run* const run = directory_->Find(number);
  if (run == nullptr || !run->has_index()) return;
  base::LogWarning("history_index_rebuilt",
                   {{"run", number.value()}, {"note", "its blocks are damaged; it is made again from the events"}});
  for (const mffs::Location& part : run->parts) volume_->Release(part);
  run->parts.clear();
  run->fences.reset();
  run->key_count = 0;
  run->lacks_keys = true;
  for (EventRecord& record : run->records) record.keys_missing = record.IsDurable();
  wanted_.NotifyAll();
}

void Keeper::CutMark(replog::PartitionId partition, replog::Index last) {
  const auto mark = marks_.find(partition);
  if (mark != marks_.end()) mark->second = std::min(mark->second, last);
}

bool Keeper::Move(const mffs::Location& from, const mffs::Location& to) {
  const auto part = std::ranges::find(sorting_parts_, from);
  if (part == sorting_parts_.end()) return false;
  *part = to;
  return true;
}

async::Task<void> Keeper::Loop() {
  while (!stopping_) {
    co_await LoadMissingKeys();
    co_await WriteDue();
    co_await SortFullRuns();
    const base::SteadyTime now = clock_->SteadyNow();
    if (now - dropped_at_ >= kDropInterval) {
      DropOld();
      dropped_at_ = now;
    }
    if (!stopping_ && !WritingIsDue()) co_await wanted_.WaitFor(kTick);
  }
  while (!gatherer_->IsEmpty()) co_await Write(gatherer_->Take());
  keys_loaded_.NotifyAll();
}

// ---- Writing ----

bool Keeper::WritingIsDue() const {
  if (gatherer_->IsEmpty()) return false;
  return gatherer_->HasFull() || asked_through_ > written_through_ ||
         clock_->SteadyNow() - *gatherer_->WaitsSince() >= limits_.write_after;
}

async::Task<void> Keeper::WriteDue() {
  while (WritingIsDue()) co_await Write(gatherer_->Take());
}

async::Task<void> Keeper::Write(Batch batch) {
  in_flight_ = batch;
  const EventsHead head{.events = batch.events,
                        .event_bytes = static_cast<std::uint32_t>(batch.text->size()),
                        .oldest = batch.oldest,
                        .newest = batch.newest};
  std::string body = *batch.text;
  EncodeMarks(batch.marks, &body);
  const mffs::RecordKey key{.type = static_cast<std::uint8_t>(RecordType::kEvents),
                            .partition = 0,
                            .epoch = batch.run.value(),
                            .index = batch.slot};
  writing_after_ = volume_->Status().durable_lsn;
  const base::Result<mffs::Location> place = co_await Append(key, head.Encode(), std::move(body));
  EventRecord* const record = directory_->FindRecord(batch.run, batch.slot);
  CHECK(record != nullptr);
  record->text.reset();
  gatherer_->Done(batch);
  if (place.has_value()) {
    record->place = *place;
    record->event_bytes = head.event_bytes;
    for (const auto& [partition, index] : batch.marks) marks_[partition] = std::max(marks_[partition], index);
    counts_.records_written += 1;
    counts_.events_written += batch.events;
  } else {
    Lose(batch, place.error());
  }
  writing_after_.reset();
  written_through_ = batch.number;
  in_flight_.reset();
  written_.NotifyAll();
}

void Keeper::Lose(const Batch& batch, const base::Error& error) {
  counts_.events_lost += batch.events;
  if (std::exchange(loss_is_told_, true)) return;
  base::LogWarning("history_lost", {{"events", batch.events},
                                    {"reason", error.message()},
                                    {"note",
                                     "mail goes on; `posthorn trace` does not know these events, nor others "
                                     "that cannot be written; posthorn_history_events_lost counts them"}});
}

async::Task<base::Result<mffs::Location>> Keeper::Append(mffs::RecordKey key, std::string head, std::string body) {
  mffs::AppendRequest request;
  request.stream = mffs::Stream::kHistory;
  request.key = key;
  request.head = head;
  request.body = {body, {}, {}};
  CO_RETURN_IF_ERROR(volume_->Admit(request.stream, mffs::RecordHeader::kEncodedSize + head.size() + body.size()));
  // Set within the call that makes the record durable, so that no checkpoint comes between that and the directory.
  async::OneShot<base::Result<mffs::Location>> done;
  request.done = [&done](base::Result<mffs::Location> result) { done.Set(std::move(result)); };
  volume_->Append(&request);
  co_return co_await done.Wait();
}

// ---- Keys of runs without an index ----

async::Task<void> Keeper::LoadMissingKeys() {
  for (;;) {
    const auto lacking =
        std::ranges::find_if(directory_->runs(), [](const auto& run) { return run.second.lacks_keys; });
    if (stopping_ || lacking == directory_->runs().end()) co_return;
    co_await LoadKeys(lacking->first);
  }
}

async::Task<void> Keeper::LoadKeys(RunNumber number) {
  const Slot end = static_cast<Slot>(directory_->Find(number)->records.size());
  for (Slot slot = 0; slot < end && !stopping_; ++slot) co_await LoadKeysOf(number, slot);
  directory_->Find(number)->lacks_keys = stopping_;
  keys_loaded_.NotifyAll();
}

async::Task<void> Keeper::LoadKeysOf(RunNumber number, Slot slot) {
  // What this process has gathered has its keys.
  if (!directory_->FindRecord(number, slot)->keys_missing) co_return;
  const mffs::Location place = directory_->FindRecord(number, slot)->place;
  const base::Result<mffs::Record> read = co_await volume_->Read(place);
  EventRecord* const record = directory_->FindRecord(number, slot);
  const bool has_moved = !read.has_value() && record->place != place;
  if (has_moved) {
    co_await LoadKeysOf(number, slot);
    co_return;
  }
  record->keys_missing = false;
  if (!read.has_value()) {
    base::LogWarning("history_record_damaged",
                     {{"run", number.value()}, {"slot", slot}, {"reason", read.error().message()}});
    co_return;
  }
  const auto head = EventsHead::Decode(read->head);
  if (!head.has_value() || head->event_bytes > read->body.size()) co_return;
  Run* const run = directory_->Find(number);
  std::vector<std::uint32_t> hashes;
  base::Ignore(ForEachEvent(std::string_view(read->body).substr(0, head->event_bytes),
                            [&](std::string_view bytes, std::uint32_t offset) {
                              const auto event = Event::Decode(bytes);
                              if (!event.has_value() || offset >= kOffsetsEnd) return;
                              hashes.clear();
                              AddHashes(*event, &hashes);
                              for (const std::uint32_t hash : hashes) {
                                run->keys.push_back(KeyOf(hash, PositionOf(slot, offset)));
                              }
                            }));
}

async::Task<void> Keeper::SortFullRuns() {
  if (clock_->SteadyNow() < sort_after_) co_return;
  std::vector<RunNumber> full;
  for (const auto& [number, run] : directory_->runs()) {
    if (!run.has_index() && !run.lacks_keys && !run.keys.empty() && !directory_->IsOpen(run)) full.push_back(number);
  }
  for (const RunNumber number : full) {
    if (stopping_) co_return;
    const Run& run = *directory_->Find(number);
    // Its last record is still to be written.
    const bool is_durable = std::ranges::none_of(run.records, [](const EventRecord& r) { return r.text != nullptr; });
    if (!is_durable) continue;
    const base::Result<> sorted = co_await Sort(number);
    writing_after_.reset();
    for (const mffs::Location& part : std::exchange(sorting_parts_, {})) volume_->Release(part);
    if (!sorted.has_value()) sort_after_ = clock_->SteadyNow() + kSortRetry;
  }
}

async::Task<base::Result<>> Keeper::Sort(RunNumber number) {
  std::vector<Key> keys = directory_->Find(number)->keys;
  const IndexHead head{.parts = PartsOf(static_cast<std::uint32_t>(keys.size())),
                       .keys = static_cast<std::uint32_t>(keys.size())};
  ASSIGN_OR_CO_RETURN(std::vector<std::string> parts, co_await workers_->Run([keys = std::move(keys)]() mutable {
    return SortIntoParts(std::move(keys));
  }));
  CHECK(parts.size() == head.parts);
  writing_after_ = volume_->Status().durable_lsn;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const mffs::RecordKey key{
        .type = static_cast<std::uint8_t>(RecordType::kIndexPart), .partition = 0, .epoch = number.value(), .index = i};
    ASSIGN_OR_CO_RETURN(const mffs::Location place, co_await Append(key, head.Encode(), std::move(parts[i])));
    sorting_parts_.push_back(place);
  }
  Run* const run = directory_->Find(number);
  run->parts = std::exchange(sorting_parts_, {});
  run->key_count = head.keys;
  run->keys = {};
  run->sorted_keys = 0;
  counts_.runs_sorted += 1;
  co_return base::Result<>();
}

// ---- Age and space ----

void Keeper::DropOld() {
  const base::WallTime horizon = clock_->WallNow() - limits_.keep;
  for (auto& [number, run] : directory_->runs()) {
    for (EventRecord& record : run.records) {
      if (record.IsDurable() && record.newest < horizon) DropRecord(&record);
    }
  }
  std::uint64_t bytes = directory_->bytes();
  for (auto& [number, run] : directory_->runs()) {
    for (EventRecord& record : run.records) {
      if (!IsShortOfSpace(bytes)) break;
      if (!record.IsDurable()) continue;
      bytes -= std::min<std::uint64_t>(bytes, record.place.size);
      DropRecord(&record);
    }
  }
  DropEmptyRuns();
}

bool Keeper::IsShortOfSpace(std::uint64_t bytes) const {
  if (bytes > space_max_) return true;
  const mffs::SpaceStatus space = volume_->Status().space;
  return space.FreeBytes() * 100 < space.capacity_bytes * limits_.free_percent_min;
}

void Keeper::DropRecord(EventRecord* record) {
  volume_->Release(record->place);
  record->place = {};
  counts_.records_dropped += 1;
}

void Keeper::DropEmptyRuns() {
  std::vector<RunNumber> empty;
  for (const auto& [number, run] : directory_->runs()) {
    if (!directory_->IsOpen(run) && std::ranges::none_of(run.records, &EventRecord::IsThere)) empty.push_back(number);
  }
  for (const RunNumber number : empty) {
    for (const mffs::Location& part : directory_->Find(number)->parts) volume_->Release(part);
    directory_->Erase(number);
  }
}

}  // namespace history
