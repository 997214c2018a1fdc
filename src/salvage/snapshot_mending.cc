#include "salvage/snapshot_mending.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/result.h"

namespace salvage {
namespace {

constexpr auto kEndType = static_cast<std::uint8_t>(replog::RecordType::kSnapshotEnd);
constexpr auto kPieceType = static_cast<std::uint8_t>(replog::RecordType::kSnapshotPiece);

}  // namespace

std::vector<mffs::OwnedRecord> NotesOf(replog::PartitionId partition, const std::vector<replog::MovedRecord>& moves) {
  std::vector<mffs::OwnedRecord> notes;
  for (std::size_t at = 0; at < moves.size(); at += replog::kMovesPerRecordMax) {
    const auto begin = moves.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end =
        moves.begin() + static_cast<std::ptrdiff_t>(std::min(moves.size(), at + replog::kMovesPerRecordMax));
    const std::vector<replog::MovedRecord> some(begin, end);
    notes.push_back({.key = {.type = static_cast<std::uint8_t>(replog::RecordType::kMove),
                             .partition = partition.value(),
                             .epoch = 0,
                             .index = 0},
                     .head = replog::EncodeMoveHead(static_cast<std::uint32_t>(some.size())),
                     .body = replog::EncodeMoves(some),
                     .is_copy = true});
  }
  return notes;
}

async::Task<void> SnapshotMender::Mend(replog::OwnerState::PartitionState saved) {
  if (saved.snapshot_reached == replog::Index()) co_return;
  Snapshot snapshot{
      .saved = saved, .key_epoch = 0, .pieces = {}, .notes = {}, .made = {}, .ends = {}, .to_release = {}};
  const auto end = co_await FindEnd(&snapshot);
  bool is_mended = end.has_value();
  if (end.has_value()) {
    co_await LoadPieces(&snapshot, &*end);
    is_mended = co_await MendPieces(&snapshot);
  }
  if (!is_mended) is_mended = co_await TakeFromIndex(&snapshot);
  if (is_mended && !snapshot.notes.empty()) Keep(std::move(snapshot));
}

async::Task<void> SnapshotMender::LoadPieces(Snapshot* snapshot, const replog::SnapshotEnd* end) {
  for (const replog::PiecePlace& place : end->pieces) {
    Piece piece{.place = {.location = records_->moved().Resolve(place.location), .kind = place.kind}, .body = {}};
    auto record = co_await ReadPiece(snapshot->saved.partition, piece.place.location);
    piece.is_readable = record.has_value();
    if (record.has_value()) piece.body = std::move(record->body);
    snapshot->pieces.push_back(std::move(piece));
  }
}

async::Task<std::optional<replog::SnapshotEnd>> SnapshotMender::FindEnd(Snapshot* snapshot) {
  const replog::OwnerState::PartitionState& saved = snapshot->saved;
  const mffs::Location wanted = records_->moved().Resolve(saved.snapshot_end);
  std::vector<mffs::Location> places{wanted};
  for (const SnapshotPlace& other : records_->SnapshotsOf(saved.partition)) {
    if (other.reached != saved.snapshot_reached || !other.is_live) continue;
    if (other.is_readable && other.place != wanted) places.push_back(other.place);
  }
  for (const mffs::Location& place : places) {
    const auto record = co_await reader_->Read(place);
    if (!record.has_value() || record->key.type != kEndType) continue;
    auto end = replog::SnapshotEnd::Decode(record->head, record->body);
    if (!end.has_value()) continue;
    snapshot->key_epoch = record->key.epoch;
    if (place != wanted) Point(snapshot, *record, wanted, place);
    co_return *std::move(end);
  }
  co_return EndFromPieces(snapshot, wanted);
}

std::optional<replog::SnapshotEnd> SnapshotMender::EndFromPieces(Snapshot* snapshot, mffs::Location end_place) {
  const replog::OwnerState::PartitionState& saved = snapshot->saved;
  // What is left of the end itself: its name, and with it which pieces are its own, or also how many they are.
  std::optional<std::uint64_t> key_epoch;
  std::optional<std::uint32_t> count;
  for (const SnapshotPlace& other : records_->SnapshotsOf(saved.partition)) {
    if (other.reached != saved.snapshot_reached || other.place != end_place) continue;
    key_epoch = other.key_epoch;
    std::uint32_t said = 0;
    if (replog::SnapshotEnd::DecodeHead(other.head, &said).has_value()) count = said;
  }
  // Without it: the end is the one record that is lost, so every piece is there.
  if (!count.has_value() && lost_records_ > 1) return std::nullopt;
  std::map<std::uint64_t, std::map<std::uint64_t, PiecePlace>> by_epoch;
  for (const PiecePlace& piece : records_->pieces()) {
    if (piece.partition != saved.partition || (key_epoch.has_value() && piece.key_epoch != *key_epoch)) continue;
    by_epoch[piece.key_epoch].try_emplace(piece.number, piece);
  }
  // Without a piece it was the snapshot of an empty partition.
  if (by_epoch.size() > 1) return std::nullopt;
  const std::uint64_t epoch =
      by_epoch.empty() ? key_epoch.value_or(saved.snapshot_epoch.value()) : by_epoch.begin()->first;
  const std::map<std::uint64_t, PiecePlace>& pieces = by_epoch[epoch];
  const std::uint64_t last = pieces.empty() ? 0 : pieces.rbegin()->first + 1;
  if (pieces.size() != last || (count.has_value() && *count != last)) return std::nullopt;
  replog::SnapshotEnd end{.reached = saved.snapshot_reached, .epoch = saved.snapshot_epoch, .bytes = 0, .pieces = {}};
  for (const auto& [number, piece] : pieces) {
    if (!piece.is_readable) return std::nullopt;
    end.bytes += piece.bytes;
    end.pieces.push_back({piece.place, piece.kind});
  }
  snapshot->key_epoch = epoch;
  const mffs::RecordKey key{
      .type = kEndType, .partition = saved.partition.value(), .epoch = epoch, .index = end.reached.value()};
  snapshot->made.push_back({.key = key, .head = end.EncodeHead(), .body = end.EncodeBody()});
  snapshot->notes.push_back(
      {.partition = saved.partition,
       .move = {.type = kEndType, .key_epoch = epoch, .key_index = key.index, .from = end_place, .to = {}},
       .made = snapshot->made.size() - 1});
  return end;
}

async::Task<bool> SnapshotMender::MendPieces(Snapshot* snapshot) {
  for (std::size_t i = 0; i < snapshot->pieces.size(); ++i) {
    if (snapshot->pieces[i].is_readable) continue;
    co_await FindPiece(snapshot, i);
  }
  // The list of mails in parts first: a piece of state is made with its help.
  for (const auto kind : {replog::PieceKind::kPartBodies, replog::PieceKind::kStateMachine}) {
    for (std::size_t i = 0; i < snapshot->pieces.size(); ++i) {
      Piece& piece = snapshot->pieces[i];
      if (piece.is_readable || piece.place.kind != kind) continue;
      auto body = co_await Rebuild(snapshot, i);
      if (!body.has_value() || body->size() > mffs::kBodyBytesMax) co_return false;
      snapshot->repeats_deliveries = snapshot->repeats_deliveries || kind == replog::PieceKind::kStateMachine;
      const mffs::RecordKey key{
          .type = kPieceType, .partition = snapshot->saved.partition.value(), .epoch = snapshot->key_epoch, .index = i};
      piece.body = *body;
      piece.is_readable = true;
      snapshot->made.push_back({.key = key, .head = replog::EncodePieceHead(kind), .body = *std::move(body)});
      snapshot->notes.push_back({.partition = snapshot->saved.partition,
                                 .move = {.type = kPieceType,
                                          .key_epoch = key.epoch,
                                          .key_index = key.index,
                                          .from = piece.place.location,
                                          .to = {}},
                                 .made = snapshot->made.size() - 1});
    }
  }
  co_return true;
}

// By its name: cleaning has moved it, and the note of that is lost.
async::Task<void> SnapshotMender::FindPiece(Snapshot* snapshot, std::size_t number) {
  const replog::PartitionId partition = snapshot->saved.partition;
  Piece& piece = snapshot->pieces[number];
  for (const PiecePlace& other : records_->pieces()) {
    if (other.partition != partition || other.key_epoch != snapshot->key_epoch || other.number != number) continue;
    if (!other.is_readable || other.kind != piece.place.kind) continue;
    auto record = co_await ReadPiece(partition, other.place);
    if (!record.has_value()) continue;
    Point(snapshot, *record, piece.place.location, other.place);
    piece.body = std::move(record->body);
    piece.is_readable = true;
    co_return;
  }
}

// What is looked for at `from` is `record`, at `to`. Where a note says that it went from there to `from`, and the copy
// is what has rotted, a note of the way back would close a circle: then it is written once more.
void SnapshotMender::Point(Snapshot* snapshot, const mffs::Record& record, mffs::Location from, mffs::Location to) {
  Note note{.partition = snapshot->saved.partition,
            .move = {.type = record.key.type,
                     .key_epoch = record.key.epoch,
                     .key_index = record.key.index,
                     .from = from,
                     .to = to}};
  if (records_->moved().Resolve(to) != to) {
    note.made = snapshot->made.size();
    snapshot->made.push_back({.key = record.key, .head = record.head, .body = record.body});
  }
  snapshot->notes.push_back(note);
}

async::Task<std::optional<std::string>> SnapshotMender::Rebuild(const Snapshot* snapshot, std::size_t number) {
  std::optional<std::string> rebuilt;
  if (snapshot->pieces[number].place.kind == replog::PieceKind::kPartBodies) {
    rebuilt = co_await RebuildPartBodies(snapshot);
  } else if (IsQueue(snapshot->saved.partition)) {
    rebuilt = co_await RebuildQueuePiece(snapshot, number);
  }
  co_return rebuilt;
}

async::Task<std::optional<mffs::Record>> SnapshotMender::ReadPiece(replog::PartitionId partition,
                                                                   mffs::Location place) {
  auto record = co_await reader_->Read(place);
  if (!record.has_value() || record->key.type != kPieceType || record->key.partition != partition.value()) {
    co_return std::nullopt;
  }
  co_return *std::move(record);
}

void SnapshotMender::Keep(Snapshot snapshot) {
  for (Note& note : snapshot.notes) {
    if (note.made.has_value()) *note.made += records_made_.size();
    if (note.end.has_value()) *note.end += ends_.size();
    notes_.push_back(note);
  }
  for (MadeEnd& end : snapshot.ends) {
    end.pieces_made += records_made_.size();
    ends_.push_back(std::move(end));
  }
  std::ranges::move(snapshot.made, std::back_inserter(records_made_));
  records_made_count_ = records_made_.size();
  std::ranges::move(snapshot.to_release, std::back_inserter(to_release_));
  if (snapshot.is_from_index) committed_[snapshot.saved.partition] = snapshot.saved.committed;
  Report(snapshot);
}

void SnapshotMender::Report(const Snapshot& snapshot) {
  const std::string name = NameOf(snapshot.saved.partition);
  mffs::Finding finding{
      .severity = snapshot.repeats_deliveries ? mffs::Severity::kDamage : mffs::Severity::kWarning,
      .kind = "snapshot",
      .sentence =
          snapshot.is_from_index
              ? fmt::format("the snapshot of {} is damaged: it is made anew from the index; nothing of it is lost",
                            name)
          : snapshot.repeats_deliveries
              ? fmt::format("the snapshot of {} is damaged: it is made anew from the entries of its mails; those "
                            "in the damaged piece count as not yet delivered to anybody, and not held",
                            name)
              : fmt::format("the snapshot of {} is damaged: it is made anew from what is left; nothing of it is "
                            "lost",
                            name)};
  finding.partition = snapshot.saved.partition.value();
  findings_->Add(std::move(finding));
}

std::vector<mffs::OwnedRecord> SnapshotMender::Ends(std::span<const mffs::Location> places) const {
  std::vector<mffs::OwnedRecord> ends;
  for (const MadeEnd& made : ends_) {
    replog::SnapshotEnd end = made.end;
    for (std::size_t i = 0; i < made.kinds.size(); ++i) {
      end.pieces.push_back({.location = places[made.pieces_made + i], .kind = made.kinds[i]});
    }
    ends.push_back({.key = made.key, .head = end.EncodeHead(), .body = end.EncodeBody()});
  }
  return ends;
}

std::vector<mffs::OwnedRecord> SnapshotMender::Notes(std::span<const mffs::Location> places) const {
  std::map<replog::PartitionId, std::vector<replog::MovedRecord>> by_partition;
  for (const Note& note : notes_) {
    replog::MovedRecord move = note.move;
    if (note.made.has_value()) move.to = places[*note.made];
    if (note.end.has_value()) move.to = places[records_made_count_ + *note.end];
    by_partition[note.partition].push_back(move);
  }
  std::vector<mffs::OwnedRecord> notes;
  for (const auto& [partition, moves] : by_partition)
    std::ranges::move(NotesOf(partition, moves), std::back_inserter(notes));
  return notes;
}

}  // namespace salvage
