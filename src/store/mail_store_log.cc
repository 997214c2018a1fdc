// MailStore as the state machine of the mailbox partitions.
#include <utility>

#include "store/apply.h"
#include "store/engine.h"
#include "store/mail_store.h"

namespace store {

void MailStore::Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) {
  if (entry.is_replay) engine_->CheckReplayed(entry);
  engine_->queue().Add(entry, std::move(done));
}

void MailStore::BodiesMoved(replog::PartitionId partition, std::vector<BodyMove> moves) {
  std::vector<BodyMoved> moved;
  moved.reserve(moves.size());
  for (const BodyMove& move : moves) {
    moved.push_back({.body = move.body.value(), .part = move.part, .from = move.from, .to = move.to});
  }
  const std::uint64_t bytes = moved.size() * sizeof(BodyMoved);
  auto apply = [partition, moved = std::move(moved)](Changeset& changes) {
    ApplyMoves(changes, partition, moved);
    return base::Result<std::string>();
  };
  engine_->queue().AddWork(std::move(apply), bytes, nullptr);
}

async::Task<base::Result<replog::Index>> MailStore::WriteSnapshot(replog::PartitionId partition,
                                                                  replog::SnapshotWriter* writer) {
  // Shared with the work, which runs to its end though this task may be given up.
  auto rows = std::make_shared<std::unique_ptr<SnapshotRows>>();
  auto begin = [partition, rows](Changeset& changes) -> base::Result<std::string> {
    // The mark tells at a restart that the index has all that the snapshot has (Engine::BeginSnapshot).
    const PartitionRow& state = changes.Partition(partition);
    if (state.index != 0) {
      PartitionRow& marked = changes.ChangePartition(partition);
      marked.snapshot_index = marked.index;
      RETURN_IF_ERROR(changes.Flush());
    }
    *rows = std::make_unique<SnapshotRows>(&changes.db(), partition, changes.Partition(partition));
    return std::string();
  };
  CO_RETURN_IF_ERROR(co_await engine_->queue().Run(std::move(begin)));
  for (;;) {
    auto piece = co_await engine_->ReadPiece(rows->get());
    if (!piece.has_value()) co_return std::move(piece).error();
    if (piece->empty()) co_return (*rows)->reached();
    CO_RETURN_IF_ERROR(co_await writer->Write(*std::move(piece)));
  }
}

replog::StateMachine::Held MailStore::HeldOf(replog::PartitionId partition) {
  return engine_->HeldOf(partition);
}

void MailStore::BeginReplay(replog::PartitionId partition, replog::Index last) {
  engine_->BeginReplay(partition, last);
}

bool MailStore::BeginSnapshot(replog::PartitionId partition, replog::Index reached) {
  return engine_->BeginSnapshot(partition, reached);
}

base::Result<> MailStore::LoadSnapshotPiece(replog::PartitionId, std::string_view piece) {
  return engine_->LoadPiece(piece);
}

async::Task<base::Result<>> MailStore::EndSnapshot(replog::PartitionId) {
  return engine_->EndSnapshot();
}

async::Task<base::Result<>> MailStore::Recovered() {
  return engine_->Recovered();
}

void MailStore::SnapshotInForce(replog::PartitionId partition, replog::Index reached) {
  engine_->SnapshotInForce(partition, reached);
}

}  // namespace store
