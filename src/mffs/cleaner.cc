#include "mffs/cleaner.h"

#include <deque>
#include <iterator>

#include "base/log.h"

namespace mffs {
namespace {

constexpr std::uint32_t kReadBytes = 256u << 10;
// Where there are fewer, each that could be free counts more than what its rest will cost later.
constexpr std::uint32_t kSegmentsForAges = 64;

// What the live records of a segment take when they are copied: with their entries in the summary.
std::uint64_t BytesOfCopies(const Segment& segment) {
  constexpr std::uint64_t kSummaryEntry = 64;
  return segment.live_bytes + std::uint64_t{segment.live.live()} * kSummaryEntry;
}

}  // namespace

// Copies of large records leave as much unused at the end of their segment as one of them takes. Copying what gains
// nothing would go on for ever, and use up what is kept for cleaning.
bool Cleaner::GainsSpace(const Segment& segment) const {
  if (segment.live.live() == 0) return true;
  const std::uint64_t unused = segment.live_bytes / segment.live.live() + 3 * kSectorBytes;
  return (BytesOfCopies(segment) + unused) * 100 <= std::uint64_t{geometry_.segment_bytes} * 95;
}

std::optional<std::uint32_t> Cleaner::Victim(std::uint32_t below_percent) const {
  if (begun_.has_value() && (*table_)[begun_->segment].generation == begun_->generation &&
      CanBeCleaned(begun_->segment) && HasRoomFor(begun_->segment)) {
    return begun_->segment;
  }
  std::optional<std::uint32_t> best;
  double best_score = 0;
  for (std::uint32_t i = 0; i < table_->size(); ++i) {
    const Segment& segment = (*table_)[i];
    if (segment.state != SegmentState::kSealed) continue;
    if (std::uint64_t{segment.live_bytes} * 100 >= std::uint64_t{geometry_.segment_bytes} * below_percent) continue;
    const double score = ScoreOf(segment);
    if (best.has_value() && score <= best_score) continue;
    if (!GainsSpace(segment) || !CanBeCleaned(i)) continue;
    best = i;
    best_score = score;
  }
  return best;
}

bool Cleaner::CanBeCleaned(std::uint32_t number) const {
  const Segment& segment = (*table_)[number];
  return segment.state == SegmentState::kSealed && segment.holds == 0 &&
         !unmovable_.contains({number, segment.generation}) && !checkpointer_->IsInUse(number);
}

double Cleaner::ScoreOf(const Segment& segment) const {
  const double live = static_cast<double>(segment.live_bytes) / static_cast<double>(geometry_.segment_bytes);
  if (!HasSpareSegment() || table_->size() < kSegmentsForAges) return 1 - live;
  const auto age = static_cast<double>(writer_->durable_lsn().value() - segment.last_lsn.value()) + 1;
  return (1 - live) * age / (1 + live);
}

Stream Cleaner::CopiesTo(std::uint32_t victim) const {
  const Segment& segment = (*table_)[victim];
  if (segment.stream != Stream::kBrief || table_->size() < kSegmentsForAges) return Stream::kCold;
  // Where a checkpoint will make room, it is waited for.
  const bool has_room = HasSpareSegment() || table_->freeable_count() > 0 ||
                        writer_->OpenRoomForCopies(Stream::kBrief) >= BytesOfCopies(segment);
  return has_room ? Stream::kBrief : Stream::kCold;
}

bool Cleaner::HasRoomFor(std::uint32_t victim) const {
  // The copies may take one segment beyond what is kept for meta; the note may take one of that.
  const bool copies_fit = writer_->OpenRoomForCopies(CopiesTo(victim)) >= BytesOfCopies((*table_)[victim]);
  const bool note_fits = writer_->OpenRoomBytes(Stream::kMeta) >= kNoteBytesMax;
  return (copies_fit || HasSpareSegment()) &&
         (note_fits || table_->free_count() > GatheringWriter::kReserveForCheckpoint);
}

async::Task<base::Result<std::uint64_t>> Cleaner::Step(std::uint32_t victim, RecordOwner* owner) {
  const std::uint32_t generation = (*table_)[victim].generation;
  const Stream copies_to = CopiesTo(victim);
  Copies copies = co_await Collect(victim, copies_to);
  const std::uint64_t bytes = copies.bytes;
  if (copies.records.empty() && copies.lacks_room) {
    co_return base::Error(base::Errc::kNoSpace, "its records are larger than the room that is left for copies");
  }
  if (copies.records.empty()) {
    const Segment& segment = (*table_)[victim];
    const bool unmovable = segment.generation == generation && segment.live.live() > 0;
    if (unmovable) unmovable_.insert({victim, generation});
    co_return 0;
  }
  std::vector<RecordKey> keys;
  for (const OwnedRecord& record : copies.records) keys.push_back(record.key);
  std::vector<Location> places;
  auto appended = co_await AppendAll(writer_, copies_to, std::move(copies.records), &places);
  if (!appended.has_value()) {
    // Nobody knows of the copies that succeeded.
    for (const Location& place : places) table_->Release(place);
    co_return std::move(appended).error();
  }
  // Some may have been released while they were copied: their copies are nobody's.
  std::vector<RecordOwner::Move> moves;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (table_->IsLive(copies.from[i])) {
      moves.push_back({.key = keys[i], .from = copies.from[i], .to = places[i]});
    } else {
      table_->Release(places[i]);
    }
  }
  const std::vector<RecordOwner::Move> moved = moves;
  auto noted = co_await owner->Moved(std::move(moves));
  if (!noted.has_value()) {
    // The note may be durable all the same, so both places stay. No second try in this mount: each would leave copies.
    unmovable_.insert({victim, generation});
    co_return std::move(noted).error();
  }
  for (const auto& move : moved) table_->Release(move.from);
  begun_.reset();
  if ((*table_)[victim].state == SegmentState::kSealed) {
    begun_ = {.segment = victim, .generation = generation};
  } else {
    ++segments_cleaned_;
  }
  co_return bytes;
}

async::Task<Cleaner::Copies> Cleaner::Collect(std::uint32_t victim, Stream copies_to) {
  Copies copies;
  std::deque<std::pair<Location, Record>> run;  // Read with an earlier one: a read each would bound cleaning's speed.
  const std::uint64_t room = StepRoom(copies_to);
  const bool may_exceed = HasSpareSegment();
  SegmentCursor cursor(device_, geometry_, victim, (*table_)[victim], Lsn(), deadline_);
  while (copies.bytes < room && copies.records.size() < kStepRecordsMax) {
    const bool more = co_await cursor.Next();
    if (!more) break;
    for (const RecordBatch::Entry& entry : cursor.batch().entries) {
      if (!table_->IsLive(entry.location)) continue;
      if (entry.header.key.type >= kOwnTypesFirst) continue;
      if (copies.bytes >= room || copies.records.size() >= kStepRecordsMax) continue;
      if (!may_exceed && copies.bytes + PaddedRecordBytes(entry.location.size) > room) {
        copies.lacks_room = true;
        continue;
      }
      while (!run.empty() && run.front().first < entry.location) run.pop_front();
      if (run.empty() || run.front().first != entry.location) {
        auto read = co_await reader_.ReadRun(entry.location, kReadBytes, (*table_)[victim].end_sector);
        if (!read.has_value()) {
          base::LogError("mffs_record_damaged", {{"reason", read.error().message()}});
          continue;
        }
        run.assign(std::make_move_iterator(read->begin()), std::make_move_iterator(read->end()));
      }
      Record* const record = &run.front().second;
      copies.bytes += entry.location.size;
      copies.from.push_back(entry.location);
      copies.records.push_back(
          {.key = record->key, .head = std::move(record->head), .body = std::move(record->body), .is_copy = true});
    }
  }
  co_return copies;
}

}  // namespace mffs
