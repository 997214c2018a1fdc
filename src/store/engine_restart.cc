// How the index and the log agree at a restart. docs/format/store.md "Restart".
#include <memory>
#include <utility>

#include "base/log.h"
#include "store/engine.h"

namespace store {

namespace {

// The bodies in the release journal of a partition above `snapshot`.
base::Result<std::vector<replog::BodyRef>> QueryJournal(const ReadView& view, replog::PartitionId partition,
                                                        replog::Index snapshot) {
  std::vector<replog::BodyRef> bodies;
  const RowKey prefix(partition, RowKind::kRelease);
  const auto rows = view.Iterate();
  rows->Seek(RowKey(prefix).U64(snapshot.value() + 1).text());
  for (; rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
    base::Decoder in(rows->value().ToStringView());
    const std::uint64_t count = in.Varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) bodies.push_back(replog::BodyRef::DecodeFrom(in));
    if (!in.AtEnd()) return ReadView::UnreadableRow();
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return bodies;
}

void DropJournal(Changeset& changes, replog::PartitionId partition, replog::Index up_to) {
  changes.DeleteBetween(RowKey(partition, RowKind::kRelease).U64(0),
                        RowKey(partition, RowKind::kRelease).U64(up_to.value() + 1));
}

}  // namespace

base::Result<> MailStore::Engine::LoadHeld() {
  const ReadView view(&index_->db());
  ASSIGN_OR_RETURN(const auto partitions, QueryPartitions(view));
  for (const replog::PartitionId partition : partitions) {
    Held& held = held_[partition];
    auto row = view.GetRow<PartitionRow>(RowKey(partition, RowKind::kPartition));
    // Without its row: a snapshot was being loaded when the process ended. As good as nothing applied.
    if (row.has_value()) {
      held.row = *row;
    } else if (row.error().code() != base::Errc::kNotFound) {
      return base::Error(row.error());
    }
  }
  return {};
}

void MailStore::Engine::Forget(replog::PartitionId partition) {
  held_[partition].row = {};
  queue_.AddWork(
      [this, partition](Changeset& changes) {
        loader_.Begin(changes, partition);
        return base::Result<std::string>();
      },
      0, nullptr);
}

replog::StateMachine::Held MailStore::Engine::HeldOf(replog::PartitionId partition) const {
  const auto held = held_.find(partition);
  if (held == held_.end()) return {};
  return {.index = replog::Index(held->second.row.index), .epoch = replog::Epoch(held->second.row.epoch)};
}

void MailStore::Engine::BeginReplay(replog::PartitionId partition, replog::Index last) {
  Held& held = held_[partition];
  held.in_log = true;
  if (held.row.index <= last.value()) return;
  forgotten_ += 1;
  Forget(partition);
}

bool MailStore::Engine::BeginSnapshot(replog::PartitionId partition, replog::Index reached) {
  Held& held = held_[partition];
  held.snapshot = reached;
  // The mark, not the applied index: moves of bodies that came between this index and the snapshot are in the snapshot
  // and no longer in the log. The index has them if it has the mark, which was written after them.
  if (held.row.snapshot_index >= reached.value()) return false;
  Forget(partition);
  return true;
}

base::Result<> MailStore::Engine::LoadPiece(std::string_view piece) {
  if (queue_.failure().has_value()) return base::Error(*queue_.failure());
  auto load = [this, text = std::string(piece)](Changeset& changes) -> base::Result<std::string> {
    const auto loaded = loader_.Load(changes, text);
    if (!loaded.has_value()) changes.Fail(loaded.error());
    return std::string();
  };
  queue_.AddWork(std::move(load), piece.size(), nullptr);
  queue_.BlockUntilRoom();
  return {};
}

async::Task<base::Result<>> MailStore::Engine::EndSnapshot() {
  auto end = [this](Changeset& changes) -> base::Result<std::string> {
    const auto ended = loader_.End(changes);
    if (!ended.has_value()) return base::Error(ended.error());
    return std::string();
  };
  CO_RETURN_IF_ERROR(co_await queue_.Run(std::move(end)));
  co_return base::Result<>();
}

void MailStore::Engine::CheckReplayed(const replog::EntryView& entry) {
  const auto held = held_.find(entry.partition);
  if (held == held_.end() || entry.index.value() != held->second.row.index) return;
  if (entry.epoch.value() != held->second.row.epoch) held->second.is_foreign = true;
}

async::Task<base::Result<>> MailStore::Engine::Recovered() {
  for (const auto& [partition, held] : held_) {
    if (held.is_foreign) {
      co_return base::Error(base::Errc::kCorrupt, "the index in " + options_.index_folder +
                                                      " belongs to another log (partition " +
                                                      std::to_string(partition.value()) +
                                                      "): delete that folder and start again, it is rebuilt");
    }
    if (held.in_log || held.row.index == 0) continue;
    forgotten_ += 1;
    Forget(partition);
  }
  if (forgotten_ > 0) {
    base::LogWarning("index_dropped", {{"partitions", forgotten_},
                                       {"reason", "the log does not know the state that the index holds"},
                                       {"note", "they are rebuilt from the log"}});
  }
  CO_RETURN_IF_ERROR(co_await queue_.Applied());
  std::vector<std::pair<replog::PartitionId, replog::Index>> partitions;
  for (const auto& [partition, held] : held_) partitions.emplace_back(partition, held.snapshot);
  held_.clear();
  for (const auto& [partition, snapshot] : partitions) {
    CO_RETURN_IF_ERROR(co_await RepeatReleases(partition, snapshot));
  }
  // Nothing is proposed before the log has recovered: what is counted here is what the applies to come add to.
  ASSIGN_OR_CO_RETURN(const std::uint64_t without_scram_keys,
                      co_await Read([](const ReadView& view) { return QueryAccountsWithoutScramKeys(view); }));
  without_scram_keys_.store(without_scram_keys, std::memory_order_relaxed);
  recovered_ = true;
  ASSIGN_OR_CO_RETURN(const std::vector<MailboxId> garbage,
                      co_await Read([](const ReadView& view) { return QueryGarbage(view); }));
  for (const MailboxId mailbox : garbage) StartPurging(mailbox);
  co_return base::Result<>();
}

async::Task<base::Result<>> MailStore::Engine::RepeatReleases(replog::PartitionId partition, replog::Index snapshot) {
  // Entries that the index has already are not applied again, so what they released is repeated from the journal.
  ASSIGN_OR_CO_RETURN(
      const std::vector<replog::BodyRef> bodies,
      co_await Read([partition, snapshot](const ReadView& view) { return QueryJournal(view, partition, snapshot); }));
  for (const replog::BodyRef& body : bodies) log_->ReleaseBody(partition, body);
  SnapshotInForce(partition, snapshot);
  co_return base::Result<>();
}

void MailStore::Engine::SnapshotInForce(replog::PartitionId partition, replog::Index reached) {
  if (reached.value() == 0) return;
  queue_.AddWork(
      [partition, reached](Changeset& changes) {
        DropJournal(changes, partition, reached);
        return base::Result<std::string>();
      },
      0, nullptr);
}

}  // namespace store
