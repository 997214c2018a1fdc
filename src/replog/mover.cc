#include "replog/mover.h"

#include <map>

namespace replog {
namespace {

void Replace(mffs::Location* place, const MovedRecord& move) {
  if (*place == move.from) *place = move.to;
}

void ReplaceIn(Snapshot* snapshot, const MovedRecord& move) {
  if (snapshot == nullptr) return;
  Replace(&snapshot->end, move);
  for (PiecePlace& piece : snapshot->pieces) Replace(&piece.location, move);
}

}  // namespace

std::optional<StateMachine::BodyMove> BodyMoveOf(const MovedRecord& move) {
  switch (static_cast<RecordType>(move.type)) {
    case RecordType::kEntry:
      return StateMachine::BodyMove{.body = BodyId(move.key_index), .part = 0, .from = move.from, .to = move.to};
    case RecordType::kPart:
      return StateMachine::BodyMove{.body = BodyId(move.key_index),
                                    .part = static_cast<std::uint32_t>(move.key_epoch),
                                    .from = move.from,
                                    .to = move.to};
    default:
      return std::nullopt;
  }
}

async::Task<base::Result<>> Mover::Moved(std::vector<mffs::RecordOwner::Move> moves) {
  std::map<PartitionId, std::vector<MovedRecord>> by_partition;
  for (const mffs::RecordOwner::Move& move : moves) {
    if (IsGuestType(move.key.type)) {
      if (context_->options.guest == nullptr) {
        co_return base::Error(base::Errc::kUnsupported, "a record of the history stays where it is: nobody keeps it");
      }
      context_->options.guest->Moved(move);
      continue;
    }
    Partition* partition = PartitionOf(move.key);
    if (partition != nullptr) {
      by_partition[partition->id].push_back({.type = move.key.type,
                                             .key_epoch = move.key.epoch,
                                             .key_index = move.key.index,
                                             .from = move.from,
                                             .to = move.to});
    } else if (!context_->open_bodies->Moved(BodyId(move.key.index), move.key.epoch, move.to)) {
      // Nobody gave it up, and nobody knows it: the entry that named it is lost, and a rescue may want its parts.
      if (context_->volume->IsLive(move.from)) {
        co_return base::Error(base::Errc::kCorrupt, "part of a mail whose entry is damaged: it stays where it is");
      }
      // Released while it was copied.
      context_->volume->Release(move.to);
    }
  }
  for (auto& [id, of_partition] : by_partition) {
    for (std::size_t at = 0; at < of_partition.size(); at += kMovesPerRecordMax) {
      const auto begin = of_partition.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end =
          of_partition.begin() + static_cast<std::ptrdiff_t>(std::min(of_partition.size(), at + kMovesPerRecordMax));
      CO_RETURN_IF_ERROR(co_await Record(context_->partitions.Find(id), std::vector<MovedRecord>(begin, end)));
    }
  }
  // The volume makes the next copies only after this call.
  context_->settled_lsn = context_->volume->Status().durable_lsn;
  co_return base::Result<>();
}

async::Task<base::Result<>> Mover::Record(Partition* partition, std::vector<MovedRecord> moves) {
  const mffs::RecordKey key{.type = static_cast<std::uint8_t>(RecordType::kMove),
                            .partition = partition->id.value(),
                            .epoch = partition->epoch.value(),
                            .index = 0};
  const mffs::Lsn after = context_->volume->Status().durable_lsn;
  ASSIGN_OR_CO_RETURN(
      const mffs::Location place,
      co_await context_->volume->AppendCopy(
          mffs::Stream::kMeta, key, EncodeMoveHead(static_cast<std::uint32_t>(moves.size())), EncodeMoves(moves)));
  const Index last(partition->next.value() - 1);
  MoveRecord record{.location = place, .from = {}, .after = after, .settled_at = last};
  std::vector<StateMachine::BodyMove> bodies;
  for (const MovedRecord& move : moves) {
    record.from.push_back(move.from);
    context_->moved.Add(move.from, move.to);
    Follow(partition, move, &bodies);
  }
  partition->moves.push_back(std::move(record));
  if (!bodies.empty()) context_->MachineOf(partition->id)->BodiesMoved(partition->id, std::move(bodies));
  co_return base::Result<>();
}

Partition* Mover::PartitionOf(const mffs::RecordKey& key) {
  if (key.type != static_cast<std::uint8_t>(RecordType::kPart))
    return context_->partitions.Find(PartitionId(key.partition));
  const auto found = context_->part_bodies.find(BodyId(key.index));
  return found == context_->part_bodies.end() ? nullptr : context_->partitions.Find(found->second.partition);
}

void Mover::Follow(Partition* partition, const MovedRecord& move, std::vector<StateMachine::BodyMove>* bodies) {
  // Released while the copy or the move record was written: the copy goes too.
  if (!context_->volume->IsLive(move.from)) {
    context_->volume->Release(move.to);
    return;
  }
  switch (static_cast<RecordType>(move.type)) {
    case RecordType::kEntry:
      FollowEntry(partition, move, bodies);
      break;
    case RecordType::kPart:
      bodies->push_back(*BodyMoveOf(move));
      break;
    case RecordType::kSnapshotPiece:
    case RecordType::kSnapshotEnd:
      ReplaceIn(&partition->in_force, move);
      ReplaceIn(partition->writing.get(), move);
      ReplaceIn(partition->written.get(), move);
      break;
    case RecordType::kMove:
      for (MoveRecord& record : partition->moves) Replace(&record.location, move);
      break;
  }
}

void Mover::FollowEntry(Partition* partition, const MovedRecord& move, std::vector<StateMachine::BodyMove>* bodies) {
  TailEntry* entry = partition->tail.Find(Index(move.key_index));
  if (entry != nullptr) {
    Replace(&entry->location, move);
    // An entry whose record holds no mail, or none that somebody needs.
    if (entry->applied && !entry->mail_kept) return;
  }
  bodies->push_back(*BodyMoveOf(move));
}

}  // namespace replog
