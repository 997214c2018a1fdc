#include "replog/recovery.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "replog/mover.h"
#include "replog/stopwatch.h"

namespace replog {
namespace {

constexpr std::uint32_t kReplaysRunningMax = 8192;
constexpr std::uint32_t kReplaysBetweenPauses = 512;

async::Task<void> LetOthersRun() {
  co_await asio::post(co_await asio::this_coro::executor, async::use_task);
}

}  // namespace

Recovery::Recovery(Context* context) : context_(context), replayed_(context->executor) {}

async::Task<base::Result<>> Recovery::Run() {
  Stopwatch watch;
  CO_RETURN_IF_ERROR(LoadState());
  CO_RETURN_IF_ERROR(co_await Scan());
  context_->times.scan = watch.Lap();
  CO_RETURN_IF_ERROR(co_await LoadMoves());
  TellEnds();
  for (Partition* partition : context_->partitions.All()) {
    CO_RETURN_IF_ERROR(co_await LoadSnapshot(partition));
  }
  TellMoves();
  context_->times.snapshots = watch.Lap();
  for (Partition* partition : context_->partitions.All()) {
    CO_RETURN_IF_ERROR(co_await ReplayEntries(partition));
  }
  while (replays_running_ > 0) co_await replayed_.Wait();
  if (replay_error_.has_value()) co_return base::Error(*replay_error_);
  context_->times.replay = watch.Lap();
  ReleaseOrphans();
  // Every copy that there is has been judged.
  context_->RefreshLsnFloor();
  context_->settled_lsn = context_->lsn_floor;
  co_return base::Result<>();
}

void Recovery::TellEnds() {
  for (Partition* partition : context_->partitions.All()) {
    Index last = partition->in_force.reached;
    const auto found = found_.entries.find(partition->id);
    if (found != found_.entries.end()) {
      for (const FoundEntry& entry : found->second) last = std::max(last, entry.index);
    }
    if (last != Index(0)) context_->MachineOf(partition->id)->BeginReplay(partition->id, last);
  }
}

base::Result<> Recovery::LoadState() {
  const std::string& bytes = context_->volume->owner_state();
  if (bytes.empty()) return {};
  ASSIGN_OR_RETURN(state_, OwnerState::Decode(bytes));
  const LogOptions& options = context_->options;
  if (state_.mailbox_partitions != options.mailbox_partitions || state_.queue_partitions > options.queue_partitions) {
    return base::Error(base::Errc::kInvalid,
                       "the volume has " + std::to_string(state_.mailbox_partitions) + " mailbox and " +
                           std::to_string(state_.queue_partitions) + " queue partitions, the configuration says " +
                           std::to_string(options.mailbox_partitions) + " and " +
                           std::to_string(options.queue_partitions) +
                           ": mailbox partitions cannot be changed, queue partitions only be added");
  }
  for (const OwnerState::PartitionState& saved : state_.partitions) {
    Partition* partition = context_->partitions.Find(saved.partition);
    if (partition == nullptr) {
      return base::Error(base::Errc::kCorrupt, "the log's state names partition " +
                                                   std::to_string(saved.partition.value()) + ", which does not exist");
    }
    partition->epoch = saved.epoch;
    partition->committed = saved.committed;
    partition->in_force.reached = saved.snapshot_reached;
    partition->in_force.epoch = saved.snapshot_epoch;
    partition->in_force.end = saved.snapshot_end;
  }
  return {};
}

async::Task<base::Result<>> Recovery::Scan() {
  CO_RETURN_IF_ERROR(co_await context_->volume->Scan(
      state_.scan_after, [this](const mffs::RecordView& record) { return found_.Add(record); }));
  for (const auto& [id, entries] : found_.entries) {
    if (context_->partitions.Find(id) == nullptr) {
      co_return base::Error(base::Errc::kInvalid, "the volume has entries of " + NameOf(id) +
                                                      ", for which the configuration has too few partitions");
    }
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> Recovery::LoadMoves() {
  for (const FoundRecord& found : found_.moves) {
    ASSIGN_OR_CO_RETURN(const mffs::Record record, co_await context_->volume->Read(found.place));
    ASSIGN_OR_CO_RETURN(const std::vector<MovedRecord> moves, DecodeMoves(record.head, record.body));
    Partition* partition = context_->partitions.Find(PartitionId(found.key.partition));
    if (partition == nullptr) co_return base::Error(base::Errc::kCorrupt, "a move of a partition that does not exist");
    MoveRecord kept{.location = found.place, .from = {}, .after = mffs::Lsn(found.lsn.value() - 1), .settled_at = {}};
    for (const MovedRecord& move : moves) {
      // A move cut short of a record that the checkpoint released: the copy goes too. (A copied note is of a complete
      // move.)
      const bool incomplete = !found.is_copy && found.lsn > state_.settled_lsn;
      if (incomplete && !context_->volume->IsLive(move.from)) context_->volume->Release(move.to);
      kept.from.push_back(move.from);
      context_->moved.Add(move.from, move.to);
      // The volume gives the old place up after the move; whether that was durable is not known here.
      context_->volume->Release(move.from);
      move_targets_.insert(move.to);
    }
    partition->moves.push_back(std::move(kept));
    auto& all = moves_[partition->id];
    all.insert(all.end(), moves.begin(), moves.end());
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> Recovery::LoadSnapshot(Partition* partition) {
  Snapshot& snapshot = partition->in_force;
  partition->next = snapshot.reached.Next();
  partition->commit.Durable(kSelf, snapshot.reached);
  partition->applied = snapshot.reached;
  partition->applied_epoch = snapshot.epoch;
  partition->last_told = snapshot.reached;
  if (snapshot.reached == Index(0)) co_return base::Result<>();
  snapshot.end = context_->moved.Resolve(snapshot.end);
  base::Result<mffs::Record> record = co_await context_->volume->Read(snapshot.end);
  if (!record.has_value()) co_return std::move(record).error().In("read the snapshot of " + NameOf(partition->id));
  ASSIGN_OR_CO_RETURN(SnapshotEnd end, SnapshotEnd::Decode(record->head, record->body));
  snapshot.bytes = end.bytes;
  snapshot.pieces = std::move(end.pieces);
  known_places_.insert(snapshot.end);
  StateMachine* machine = context_->MachineOf(partition->id);
  const bool wanted = machine->BeginSnapshot(partition->id, snapshot.reached);
  for (PiecePlace& piece : snapshot.pieces) {
    piece.location = context_->moved.Resolve(piece.location);
    known_places_.insert(piece.location);
    CO_RETURN_IF_ERROR(co_await LoadPiece(partition, piece, wanted));
  }
  if (wanted) {
    CO_RETURN_IF_ERROR(co_await machine->EndSnapshot(partition->id));
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> Recovery::LoadPiece(Partition* partition, PiecePlace piece, bool for_machine) {
  if (piece.kind == PieceKind::kStateMachine && !for_machine) co_return base::Result<>();
  base::Result<mffs::Record> record = co_await context_->volume->Read(piece.location);
  if (!record.has_value()) co_return std::move(record).error().In("read the snapshot of " + NameOf(partition->id));
  if (piece.kind == PieceKind::kStateMachine) {
    co_return context_->MachineOf(partition->id)->LoadSnapshotPiece(partition->id, record->body);
  }
  base::Decoder in(record->body);
  while (in.remaining() > 0) {
    const BodyId id(in.U64());
    if (!in.ok()) co_return base::Error(base::Errc::kCorrupt, "a snapshot's list of mails in parts is damaged");
    context_->part_bodies[id] = {partition->id, partition->in_force.reached};
  }
  co_return base::Result<>();
}

void Recovery::TellMoves() {
  for (const auto& [id, moves] : moves_) {
    std::vector<StateMachine::BodyMove> bodies;
    for (const MovedRecord& move : moves) {
      std::optional<StateMachine::BodyMove> body = BodyMoveOf(move);
      if (!body.has_value()) continue;
      // To the end of the chain, so that the order of the records does not matter.
      body->to = context_->moved.Resolve(body->to);
      bodies.push_back(*body);
    }
    if (!bodies.empty()) context_->MachineOf(id)->BodiesMoved(id, std::move(bodies));
  }
}

async::Task<base::Result<>> Recovery::ReplayEntries(Partition* partition) {
  ASSIGN_OR_CO_RETURN(ChosenEntries chosen,
                      ChooseEntries(partition->id, std::move(found_.entries[partition->id]),
                                    partition->in_force.reached, partition->committed, context_->moved));
  for (const mffs::Location& orphan : chosen.orphans) context_->volume->Release(orphan);
  for (const FoundEntry& entry : chosen.below) {
    if (IsUnsettled(entry.is_copy, entry.lsn, entry.place)) context_->volume->Release(entry.place);
  }
  std::uint32_t since_pause = 0;
  for (FoundEntry& entry : chosen.entries) {
    ASSIGN_OR_CO_RETURN(EntryHead head, EntryHead::Decode(entry.head));
    std::string large_meta;
    BodyRef body{.id = head.body, .size_bytes = head.mail_bytes, .extents = {}, .extent_bytes = {}};
    if (head.mail_in_parts() || head.meta_in_body()) {
      CO_RETURN_IF_ERROR(co_await ReadRest(partition, &entry, &large_meta, &body));
    }
    if (head.has_mail() && !head.mail_in_parts()) {
      body.extents.push_back(entry.place);
      body.extent_bytes.push_back(static_cast<std::uint32_t>(head.mail_bytes));
    }
    Replay(partition, entry, head, head.meta_in_body() ? std::string_view(large_meta) : head.meta, std::move(body));
    while (replays_running_ >= kReplaysRunningMax) co_await replayed_.Wait();
    if (++since_pause % kReplaysBetweenPauses == 0) co_await LetOthersRun();
  }
  for (MoveRecord& move : partition->moves) move.settled_at = partition->applied;
  co_return base::Result<>();
}

async::Task<base::Result<>> Recovery::ReadRest(Partition* partition, FoundEntry* entry, std::string* meta,
                                               BodyRef* body) {
  base::Result<mffs::Record> record = co_await context_->volume->Read(entry->place);
  if (!record.has_value()) {
    co_return std::move(record).error().In("read entry " + std::to_string(entry->index.value()) + " of " +
                                           NameOf(partition->id));
  }
  ASSIGN_OR_CO_RETURN(const EntryHead head, EntryHead::Decode(entry->head));
  const std::uint64_t front = head.mail_in_parts() ? std::uint64_t{head.parts} * Extent::kEncodedSize : head.mail_bytes;
  const std::uint64_t expected = front + (head.meta_in_body() ? head.meta_bytes : 0);
  if (record->body.size() != expected) {
    co_return base::Error(base::Errc::kCorrupt, "entry " + std::to_string(entry->index.value()) + " of " +
                                                    NameOf(partition->id) + " has the wrong size");
  }
  if (head.meta_in_body()) *meta = record->body.substr(front);
  if (!head.mail_in_parts()) co_return base::Result<>();
  ASSIGN_OR_CO_RETURN(const std::vector<Extent> extents, DecodeExtents(record->body, head.parts));
  for (const Extent& extent : extents) {
    body->extents.push_back(context_->moved.Resolve(extent.location));
    body->extent_bytes.push_back(extent.bytes);
    known_places_.insert(body->extents.back());
  }
  replayed_bodies_.insert(body->id);
  context_->part_bodies[body->id] = {partition->id, entry->index};
  co_return base::Result<>();
}

void Recovery::Replay(Partition* partition, const FoundEntry& entry, const EntryHead& head, std::string_view meta,
                      BodyRef body) {
  partition->tail.Append(entry.index, {.location = entry.place,
                                       .head_bytes = static_cast<std::uint32_t>(entry.head.size()),
                                       .after = mffs::Lsn(entry.lsn.value() - 1)});
  partition->tail.MarkApplied(entry.index, head.has_mail() && !head.mail_in_parts());
  partition->epoch = std::max(partition->epoch, entry.epoch);
  partition->next = entry.index.Next();
  partition->commit.Durable(kSelf, entry.index);
  partition->committed = partition->commit.Committed();
  partition->applied = entry.index;
  partition->applied_epoch = entry.epoch;
  context_->counters.replayed_entries += 1;
  if (head.type == 0) return;
  partition->last_told = entry.index;
  const EntryView view{.partition = partition->id,
                       .epoch = entry.epoch,
                       .index = entry.index,
                       .type = head.type,
                       .cls = head.cls,
                       .meta = meta,
                       .body = std::move(body),
                       .is_replay = true};
  replays_running_ += 1;
  context_->MachineOf(partition->id)->Apply(view, [this](const base::Result<std::string>& result) {
    ReplayDone(result);
  });
}

void Recovery::ReplayDone(const base::Result<std::string>& result) {
  // An error that the entry itself decided was the answer to its proposer; a broken index is the log's concern.
  if (!result.has_value() &&
      (result.error().code() == base::Errc::kIo || result.error().code() == base::Errc::kCorrupt)) {
    replay_error_ = result.error();
  }
  replays_running_ -= 1;
  replayed_.NotifyAll();
}

bool Recovery::IsUnsettled(bool is_copy, mffs::Lsn lsn, const mffs::Location& place) const {
  return is_copy && lsn > state_.settled_lsn && !move_targets_.contains(place);
}

void Recovery::ReleaseOrphans() {
  for (const FoundRecord& part : found_.parts) {
    const BodyId body(part.key.index);
    const bool wanted = replayed_bodies_.contains(body) ? known_places_.contains(part.place)
                                                        : !IsUnsettled(part.is_copy, part.lsn, part.place);
    if (!wanted || !context_->part_bodies.contains(body)) context_->volume->Release(part.place);
  }
  for (const FoundRecord& record : found_.snapshots) {
    if (!known_places_.contains(record.place)) context_->volume->Release(record.place);
  }
}

}  // namespace replog
