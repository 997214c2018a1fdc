#include "history/history.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "mffs/format.h"

namespace history {

History::History(async::Executor executor, mffs::Volume* volume, const base::Clock* clock, async::WorkerPool* workers,
                 const HistoryOptions& options)
    : volume_(volume),
      clock_(clock),
      is_on_(options.keeping.keep.count() > 0),
      gatherer_(&directory_, options.gathering),
      keeper_(executor, volume, clock, workers, &directory_, &gatherer_, options.keeping),
      pieces_(volume, options.read_bytes_max),
      finder_(executor, &directory_, &keeper_, &pieces_) {}

bool History::Wants(replog::PartitionId partition, replog::Index index) const {
  if (!is_on_) return false;
  const auto mark = keeper_.marks().find(partition);
  return mark == keeper_.marks().end() || index > mark->second;
}

void History::Add(const Event& event, Entry entry) {
  if (gatherer_.Add(event, entry, clock_->SteadyNow())) {
    keeper_.Gathered();
  } else {
    keeper_.CountLost(1);
  }
}

HistoryStatus History::Status() const {
  HistoryStatus status;
  status.bytes = directory_.bytes();
  for (const auto& [number, run] : directory_.runs()) {
    status.runs += 1;
    status.records += static_cast<std::uint64_t>(std::ranges::count_if(run.records, &EventRecord::IsDurable));
  }
  status.counts = keeper_.counts();
  return status;
}

async::Task<base::Result<>> History::Load(std::string state, std::vector<Found> found) {
  auto saved = SavedState::Decode(state);
  // Mail goes first: a start does not fail for the history.
  if (!saved.has_value() && saved.error().code() == base::Errc::kCorrupt) {
    base::LogWarning("history_state_damaged", {{"reason", saved.error().message()},
                                               {"note", "only what was written since the last checkpoint is known"}});
    saved = SavedState();
  }
  CO_RETURN_IF_ERROR(saved);
  const auto release = [this](const mffs::Location& place) { volume_->Release(place); };
  CO_RETURN_IF_ERROR(directory_.Load(*saved, found, release));
  co_return co_await LoadMarks(*std::move(saved), std::move(found));
}

// Records that were written since the checkpoint have their marks behind their events.
async::Task<base::Result<>> History::LoadMarks(SavedState saved, std::vector<Found> found) {
  Marks marks = std::move(saved.marks);
  for (const Found& record : found) {
    if (static_cast<RecordType>(record.key.type) != RecordType::kEvents) continue;
    const EventRecord* const known =
        directory_.FindRecord(RunNumber(record.key.epoch), static_cast<Slot>(record.key.index));
    if (known == nullptr || known->place != record.place) continue;
    const std::uint32_t body = record.place.size - mffs::RecordHeader::kEncodedSize - EventsHead::kEncodedSize;
    if (known->event_bytes >= body) continue;
    const auto bytes = co_await volume_->ReadBody(record.place, known->event_bytes, body - known->event_bytes);
    const auto read = bytes.has_value() ? DecodeMarks(*bytes) : base::Result<Marks>(base::Error(bytes.error()));
    if (!read.has_value()) {
      // Some events may come twice.
      base::LogWarning("history_record_damaged", {{"run", record.key.epoch}, {"reason", read.error().message()}});
      continue;
    }
    for (const auto& [partition, index] : *read) marks[partition] = std::max(marks[partition], index);
  }
  keeper_.SetMarks(std::move(marks));
  co_return base::Result<>();
}

async::Task<void> History::Stop() {
  co_await finder_.Stop();
  co_await keeper_.Stop();
}

History::State History::TakeState(mffs::Lsn now) {
  const SavedState saved{.runs = directory_.Save(), .marks = keeper_.marks()};
  return {.bytes = saved.Encode(), .needed_after = std::min(now, keeper_.NeededAfter(now))};
}

void History::Moved(const mffs::RecordOwner::Move& move) {
  const bool is_ours = directory_.Move(move.key, move.from, move.to) || keeper_.Move(move.from, move.to);
  // Given up while it was copied.
  if (!is_ours) volume_->Release(move.to);
}

}  // namespace history
