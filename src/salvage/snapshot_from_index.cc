// SnapshotMender: the snapshot of a mailbox partition made anew from the index of the node.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "mffs/types.h"
#include "salvage/snapshot_mending.h"

namespace salvage {

async::Task<bool> SnapshotMender::TakeFromIndex(Snapshot* snapshot) {
  const replog::PartitionId partition = snapshot->saved.partition;
  if (index_ == nullptr || IsQueue(partition)) co_return false;
  const auto held = index_->StateOf(partition);
  if (!held.has_value() || !Fits(snapshot->saved, *held)) {
    mffs::Finding finding{
        .severity = mffs::Severity::kWarning,
        .kind = "index",
        .sentence = fmt::format("the index is no help for the snapshot of {}: {}", NameOf(partition),
                                held.has_value() ? "it is older, or of another log" : held.error().message())};
    finding.partition = partition.value();
    findings_->Add(std::move(finding));
    co_return false;
  }
  const auto rows = index_->PiecesOf(partition);
  auto lists = co_await PartBodyLists(snapshot);
  if (!rows.has_value() || !lists.has_value()) co_return false;
  std::vector<std::pair<replog::PieceKind, std::string>> pieces;
  for (const std::string& piece : *rows) pieces.emplace_back(replog::PieceKind::kStateMachine, piece);
  for (std::string& list : *lists) pieces.emplace_back(replog::PieceKind::kPartBodies, std::move(list));
  const bool has_room =
      std::ranges::all_of(pieces, [](const auto& piece) { return piece.second.size() <= mffs::kBodyBytesMax; });
  if (!has_room) co_return false;
  // Its rows show what entries behind the snapshot did. Were these lost, others would get their indexes and be taken
  // for applied: so the state says that they were committed.
  snapshot->saved.committed = std::max(snapshot->saved.committed, held->index);
  Replace(snapshot, std::move(pieces));
  co_return true;
}

// What a start asks of an index before it does without the snapshot; and here the log must reach as far as the index.
bool SnapshotMender::Fits(const replog::OwnerState::PartitionState& saved, const store::SavedState& held) const {
  if (held.snapshot < saved.snapshot_reached) return false;
  if (held.index <= saved.snapshot_reached) return held.epoch <= saved.snapshot_epoch;
  const replog::Index committed = std::max(saved.committed, records_->CommittedOf(saved.partition));
  bool is_in_log = held.index <= committed;
  for (const EntryPlace& entry : records_->EntriesOf(saved.partition)) {
    if (entry.index != held.index || !entry.is_live) continue;
    if (entry.epoch != held.epoch) return false;
    is_in_log = is_in_log || entry.is_readable;
  }
  return is_in_log;
}

async::Task<std::optional<std::vector<std::string>>> SnapshotMender::PartBodyLists(const Snapshot* snapshot) {
  std::vector<std::string> lists;
  bool is_whole = !snapshot->pieces.empty();
  for (const Piece& piece : snapshot->pieces) {
    if (piece.place.kind != replog::PieceKind::kPartBodies) continue;
    is_whole = is_whole && piece.is_readable;
    if (piece.is_readable) lists.push_back(piece.body);
  }
  if (is_whole) co_return lists;
  auto rest = co_await RebuildPartBodies(snapshot);
  if (!rest.has_value()) co_return std::nullopt;
  lists.push_back(*std::move(rest));
  co_return lists;
}

void SnapshotMender::Replace(Snapshot* snapshot, std::vector<std::pair<replog::PieceKind, std::string>> pieces) {
  const replog::OwnerState::PartitionState& saved = snapshot->saved;
  const std::uint64_t key_epoch = snapshot->key_epoch != 0 ? snapshot->key_epoch : saved.epoch.value();
  const mffs::Location old_end = records_->moved().Resolve(saved.snapshot_end);
  snapshot->is_from_index = true;
  snapshot->repeats_deliveries = false;
  snapshot->made.clear();
  MadeEnd made{.key = {.type = static_cast<std::uint8_t>(replog::RecordType::kSnapshotEnd),
                       .partition = saved.partition.value(),
                       .epoch = key_epoch,
                       .index = saved.snapshot_reached.value()},
               .end = {.reached = saved.snapshot_reached, .epoch = saved.snapshot_epoch, .bytes = 0, .pieces = {}},
               .kinds = {}};
  for (auto& [kind, body] : pieces) {
    const mffs::RecordKey key{.type = static_cast<std::uint8_t>(replog::RecordType::kSnapshotPiece),
                              .partition = saved.partition.value(),
                              .epoch = key_epoch,
                              .index = made.kinds.size()};
    made.kinds.push_back(kind);
    made.end.bytes += body.size();
    snapshot->made.push_back({.key = key, .head = replog::EncodePieceHead(kind), .body = std::move(body)});
  }
  snapshot->ends = {std::move(made)};
  snapshot->notes = {{.partition = saved.partition,
                      .move = {.type = static_cast<std::uint8_t>(replog::RecordType::kSnapshotEnd),
                               .key_epoch = key_epoch,
                               .key_index = saved.snapshot_reached.value(),
                               .from = old_end,
                               .to = {}},
                      .end = 0}};
  // A start looks for pieces that nobody names only behind the place from which it reads the log.
  for (const Piece& piece : snapshot->pieces) snapshot->to_release.push_back(piece.place.location);
  for (const PiecePlace& piece : records_->pieces()) {
    if (piece.partition == saved.partition) snapshot->to_release.push_back(piece.place);
  }
  for (const SnapshotPlace& end : records_->SnapshotsOf(saved.partition)) {
    if (end.is_live) snapshot->to_release.push_back(end.place);
  }
}

}  // namespace salvage
