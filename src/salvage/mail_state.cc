#include "salvage/mail_state.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace salvage {
namespace {

constexpr std::uint32_t kRunBytes = 1u << 20;
constexpr std::uint64_t kEntriesBetweenFlushes = 2'000;

// The disk that the tool itself writes to has failed: nothing can go on.
bool IsOfTheTool(const base::Error& error) {
  return error.code() == base::Errc::kIo || error.code() == base::Errc::kNoSpace;
}

}  // namespace

async::Task<base::Result<std::unique_ptr<MailState>>> MailState::Load(const mffs::RecordReader* reader,
                                                                      const LogRecords* records,
                                                                      MailStateOptions options,
                                                                      mffs::Findings* findings) {
  std::unique_ptr<MailState> state(new MailState(reader, records, std::move(options), findings));
  ASSIGN_OR_CO_RETURN(state->mailboxes_,
                      store::SalvagedIndex::Open(state->options_.index_folder, state->options_.index_memory_bytes));
  CO_RETURN_IF_ERROR(co_await state->LoadAll());
  co_return state;
}

std::vector<replog::PartitionId> MailState::Partitions() const {
  std::vector<replog::PartitionId> partitions = records_->Partitions();
  if (options_.owner_state.has_value()) {
    for (const auto& saved : options_.owner_state->partitions) partitions.push_back(saved.partition);
  }
  std::ranges::sort(partitions);
  const auto repeated = std::ranges::unique(partitions);
  partitions.erase(repeated.begin(), repeated.end());
  return partitions;
}

async::Task<base::Result<>> MailState::LoadAll() {
  for (const replog::PartitionId partition : Partitions()) {
    CO_RETURN_IF_ERROR(co_await LoadPartition(partition));
  }
  run_.clear();
  co_return base::Result<>();
}

async::Task<base::Result<>> MailState::LoadPartition(replog::PartitionId partition) {
  CO_RETURN_IF_ERROR(co_await LoadSnapshot(partition));
  CO_RETURN_IF_ERROR(co_await ReplayEntries(partition));
  CO_RETURN_IF_ERROR(TakeReleased(partition));
  co_return base::Result<>();
}

// ---- Snapshots ----

async::Task<base::Result<>> MailState::LoadSnapshot(replog::PartitionId partition) {
  std::vector<SnapshotPlace> candidates = records_->SnapshotsOf(partition);
  if (options_.owner_state.has_value()) {
    candidates.clear();
    for (const auto& saved : options_.owner_state->partitions) {
      if (saved.partition != partition || saved.snapshot_reached == replog::Index()) continue;
      candidates.push_back({.partition = partition,
                            .reached = saved.snapshot_reached,
                            .epoch = saved.snapshot_epoch,
                            .place = saved.snapshot_end});
    }
  }
  for (const SnapshotPlace& candidate : candidates) {
    ASSIGN_OR_CO_RETURN(const std::uint64_t bad_pieces, co_await TrySnapshot(candidate));
    if (bad_pieces == 0) co_return base::Result<>();
  }
  if (candidates.empty()) co_return base::Result<>();
  // None is whole: what the newest one still tells is the best that there is.
  ASSIGN_OR_CO_RETURN(const std::uint64_t bad_pieces, co_await TrySnapshot(candidates.front()));
  ReportSnapshot(partition, fmt::format("{} pieces of its snapshot at entry {} cannot be read", bad_pieces,
                                        candidates.front().reached.value()));
  co_return base::Result<>();
}

base::Result<> MailState::BeginSnapshot(replog::PartitionId partition) {
  if (!IsQueue(partition)) return mailboxes_->BeginSnapshot(partition);
  queues_.BeginSnapshot(partition);
  return {};
}

async::Task<base::Result<std::uint64_t>> MailState::TrySnapshot(SnapshotPlace snapshot) {
  const replog::PartitionId partition = snapshot.partition;
  CO_RETURN_IF_ERROR(BeginSnapshot(partition));
  replayed_[partition] = {};
  const auto record = co_await ReadRecord(records_->moved().Resolve(snapshot.place));
  if (!record.has_value()) co_return 1;
  const auto end = replog::SnapshotEnd::Decode(record->head, record->body);
  if (!end.has_value()) co_return 1;
  std::uint64_t bad_pieces = 0;
  for (const replog::PiecePlace& piece : end->pieces) {
    if (piece.kind != replog::PieceKind::kStateMachine) continue;
    ASSIGN_OR_CO_RETURN(const bool is_loaded, co_await LoadPiece(partition, records_->moved().Resolve(piece.location)));
    if (!is_loaded) ++bad_pieces;
  }
  if (!IsQueue(partition)) {
    CO_RETURN_IF_ERROR(mailboxes_->EndSnapshot());
  }
  replayed_[partition] = {.reached = end->reached, .epoch = end->epoch};
  co_return bad_pieces;
}

async::Task<base::Result<bool>> MailState::LoadPiece(replog::PartitionId partition, mffs::Location place) {
  const auto record = co_await ReadRecord(place);
  if (!record.has_value()) co_return false;
  const bool is_piece = record->key.type == static_cast<std::uint8_t>(replog::RecordType::kSnapshotPiece) &&
                        record->key.partition == partition.value();
  if (!is_piece) co_return false;
  const std::uint64_t left_out = mailboxes_->rows_left_out();
  const base::Result<> loaded =
      IsQueue(partition) ? queues_.LoadPiece(partition, record->body) : mailboxes_->LoadPiece(record->body);
  if (!loaded.has_value() && IsOfTheTool(loaded.error())) co_return base::Error(loaded.error());
  co_return loaded.has_value() && left_out == mailboxes_->rows_left_out();
}

// ---- Entries ----

async::Task<base::Result<>> MailState::ReplayEntries(replog::PartitionId partition) {
  Replayed& replayed = replayed_[partition];
  replog::Index committed = std::max(records_->CommittedOf(partition), replayed.reached);
  if (options_.owner_state.has_value()) {
    for (const auto& saved : options_.owner_state->partitions) {
      if (saved.partition == partition) committed = std::max(committed, saved.committed);
    }
  }
  const std::span<const EntryPlace> entries = records_->EntriesOf(partition);
  for (std::size_t at = 0; at < entries.size(); ++at) {
    const EntryPlace& entry = entries[at];
    // The first of an index is the one of the highest epoch, at its best place.
    if (!entry.is_live || entry.index <= replayed.reached) continue;
    const bool is_gap = entry.index != replayed.reached.Next() || entry.epoch < replayed.epoch;
    if (is_gap) {
      // Behind a gap nothing was acknowledged, unless the log says so.
      if (replayed.reached.Next() > committed) break;
      if (entry.index == replayed.reached.Next()) continue;
      ReportMissing(partition, replayed.reached.Next(), replog::Index(entry.index.value() - 1));
    }
    CO_RETURN_IF_ERROR(co_await Replay(entry));
    replayed = {.reached = entry.index, .epoch = std::max(entry.epoch, replayed.epoch)};
    if (++entries_replayed_ % kEntriesBetweenFlushes == 0) {
      CO_RETURN_IF_ERROR(TakeReleased(partition));
    }
    if (options_.progress) options_.progress(entries_replayed_, records_->entries().size());
  }
  if (replayed.reached < committed) ReportMissing(partition, replayed.reached.Next(), committed);
  co_return base::Result<>();
}

async::Task<base::Result<>> MailState::Replay(EntryPlace entry) {
  if (entry.type == 0) co_return base::Result<>();
  const LoadedEntry loaded = co_await ReadEntry(entry);
  const base::Result<> applied = ApplyEntry(entry, loaded);
  if (applied.has_value()) co_return base::Result<>();
  if (IsOfTheTool(applied.error())) co_return base::Error(applied.error());
  Report(entry.partition, entry.index,
         fmt::format("entry {} of {} cannot be used: {}; what it changed is not known", entry.index.value(),
                     NameOf(entry.partition), applied.error().message()));
  co_return base::Result<>();
}

base::Result<> MailState::ApplyEntry(const EntryPlace& entry, const LoadedEntry& loaded) {
  const replog::EntryView view{.partition = entry.partition,
                               .epoch = entry.epoch,
                               .index = entry.index,
                               .type = entry.type,
                               .cls = entry.cls,
                               .meta = loaded.meta,
                               .body = loaded.body,
                               .is_replay = true};
  if (loaded.meta.empty()) return base::Error(base::Errc::kCorrupt, "it is damaged");
  return IsQueue(entry.partition) ? queues_.Apply(view) : mailboxes_->Apply(view);
}

// As much of the entry as can be read: all of it, or its head. Without a meta nothing can be done with it.
async::Task<MailState::LoadedEntry> MailState::ReadEntry(EntryPlace entry) {
  LoadedEntry loaded;
  loaded.body.id = entry.body;
  loaded.body.size_bytes = entry.mail_bytes;
  std::string head_bytes;
  std::string body_bytes;
  auto record = co_await ReadRecord(entry.place);
  if (record.has_value()) {
    head_bytes = std::move(record->head);
    body_bytes = std::move(record->body);
  } else {
    head_bytes = std::string(records_->HeadOf(entry).value_or(""));
  }
  const auto head = replog::EntryHead::Decode(head_bytes);
  if (!head.has_value()) co_return loaded;
  if (!head->meta_in_body()) {
    loaded.meta = head->meta;
  } else if (body_bytes.size() >= head->meta_bytes) {
    loaded.meta = body_bytes.substr(body_bytes.size() - head->meta_bytes);
  }
  if (head->has_mail() && !head->mail_in_parts()) {
    loaded.body.extents.push_back(entry.place);
    loaded.body.extent_bytes.push_back(static_cast<std::uint32_t>(head->mail_bytes));
  }
  if (!head->mail_in_parts()) co_return loaded;
  const auto extents = replog::DecodeExtents(body_bytes, head->parts);
  if (extents.has_value()) {
    for (const replog::Extent& extent : *extents) {
      loaded.body.extents.push_back(extent.location);
      loaded.body.extent_bytes.push_back(extent.bytes);
    }
    co_return loaded;
  }
  // The table of the parts is lost; the parts name themselves.
  for (const PartPlace& part : records_->PartsOf(entry.body)) {
    loaded.body.extents.push_back(part.place);
    loaded.body.extent_bytes.push_back(part.bytes);
  }
  co_return loaded;
}

async::Task<base::Result<mffs::Record>> MailState::ReadRecord(mffs::Location place) {
  auto found = run_.find(place);
  if (found == run_.end()) {
    run_.clear();
    auto run = co_await reader_->ReadRun(place, kRunBytes, options_.segment_end_sector);
    if (!run.has_value()) co_return std::move(run).error();
    for (auto& [location, record] : *run) run_.emplace(location, std::move(record));
    found = run_.find(place);
    if (found == run_.end()) co_return base::Error(base::Errc::kCorrupt, "the record is not where it should be");
  }
  mffs::Record record = std::move(found->second);
  run_.erase(found);
  co_return record;
}

base::Result<> MailState::TakeReleased(replog::PartitionId partition) {
  for (const auto& [of, body] : queues_.TakeReleased()) given_up_.insert(KeyOf(of, body));
  const auto of_mailboxes = mailboxes_->Flush();
  if (!of_mailboxes.has_value()) {
    if (IsOfTheTool(of_mailboxes.error())) return base::Error(of_mailboxes.error());
    Report(partition, std::nullopt,
           fmt::format("{}: some of its latest entries cannot be used: {}", NameOf(partition),
                       of_mailboxes.error().message()));
    return {};
  }
  for (const auto& [of, body] : *of_mailboxes) given_up_.insert(KeyOf(of, body));
  return {};
}

// ---- What it knows ----

bool MailState::IsReached(const EntryPlace& entry) const {
  const auto found = replayed_.find(entry.partition);
  return found != replayed_.end() && entry.index <= found->second.reached;
}

bool MailState::WasGivenUp(replog::PartitionId partition, replog::BodyId body) const {
  return given_up_.contains(KeyOf(partition, body));
}

void MailState::ReportMissing(replog::PartitionId partition, replog::Index first, replog::Index last) {
  const std::string which = first == last ? fmt::format("entry {}", first.value())
                                          : fmt::format("entries {} to {}", first.value(), last.value());
  Report(
      partition, first,
      fmt::format("{} lacks {}, acknowledged but nowhere on the volume: restore the volume from a copy, or save what "
                  "is left with `posthorn mffs rescue`",
                  NameOf(partition), which));
}

void MailState::ReportSnapshot(replog::PartitionId partition, std::string_view what) {
  Report(partition, std::nullopt,
         fmt::format("{}: {}; places and flags of its older mail are known in part only: save it with `posthorn mffs "
                     "rescue`",
                     NameOf(partition), what));
}

void MailState::Report(replog::PartitionId partition, std::optional<replog::Index> index, std::string sentence) {
  incomplete_.insert(partition);
  mffs::Finding finding{.severity = mffs::Severity::kDamage, .kind = "log", .sentence = std::move(sentence)};
  finding.partition = partition.value();
  if (index.has_value()) finding.index = index->value();
  findings_->Add(std::move(finding));
}

}  // namespace salvage
