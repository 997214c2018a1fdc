#include "replog/recovery.h"

#include <algorithm>
#include <span>

#include "async/task_group.h"
#include "base/check.h"
#include "base/log.h"
#include "replog/mover.h"
#include "replog/read_all.h"
#include "replog/stopwatch.h"

namespace replog {
namespace {

constexpr std::uint32_t kReplaysRunningMax = 8192;
constexpr std::size_t kEntriesAtOnce = 512;

// The record holds more than its head: a large meta, the extents of a mail in parts.
bool HasMore(const FoundEntry& entry) {
  return entry.head.mail_in_parts() || entry.head.meta_in_body();
}

// The disk has lost it; anything else is trouble of now.
bool IsDamage(const base::Error& error) {
  return error.code() == base::Errc::kCorrupt || error.code() == base::Errc::kNotFound;
}

base::Error NeedsRepair(const base::Error& error, const std::string& what) {
  if (!IsDamage(error)) return base::Error(error).In("read " + what);
  return base::Error(base::Errc::kCorrupt, what + " is damaged: " + error.message() +
                                               "; without it nobody knows which mail there is: run `posthorn mffs "
                                               "repair` (it says what it changes and can be undone)");
}

async::Task<void> LetOthersRun() {
  co_await asio::post(co_await asio::this_coro::executor, async::use_task);
}

}  // namespace

Recovery::Recovery(Context* context) : context_(context), replayed_(context->executor) {}

async::Task<base::Result<>> Recovery::Run() {
  Stopwatch watch;
  CO_RETURN_IF_ERROR(LoadState());
  CO_RETURN_IF_ERROR(co_await Scan());
  CO_RETURN_IF_ERROR(co_await LoadGuest());
  context_->times.scan = watch.Lap();
  // Meanwhile the epochs that come next are taken: that is a wait for another disk's flush.
  async::TaskGroup epochs(context_->executor, "log epochs");
  for (Partition* partition : context_->partitions.All()) {
    if (const Epoch last = LastEpochOf(*partition); last != Epoch(0)) epochs.Spawn(ReserveEpoch(partition, last));
  }
  base::Result<> restored = co_await Restore();
  co_await epochs.Join();
  co_return restored;
}

Epoch Recovery::LastEpochOf(const Partition& partition) const {
  const auto found = found_.entries.find(partition.id);
  return found == found_.entries.end() ? partition.epoch : std::max(partition.epoch, found->second.last_epoch);
}

async::Task<void> Recovery::ReserveEpoch(Partition* partition, Epoch last) {
  const auto taken = co_await context_->coordinator->TakeEpoch(partition->id, last);
  // Leading asks again, and says what is wrong.
  if (taken.has_value()) partition->reserved = *taken;
}

async::Task<base::Result<>> Recovery::Restore() {
  Stopwatch watch;
  CO_RETURN_IF_ERROR(co_await LoadMoves());
  TellEnds();
  CO_RETURN_IF_ERROR(co_await LoadSnapshots());
  TellMoves();
  context_->times.snapshots = watch.Lap();
  for (const auto& [id, found] : found_.entries) entries_found_ += found.entries.size();
  for (Partition* partition : context_->partitions.All()) {
    CO_RETURN_IF_ERROR(co_await ReplayEntries(partition));
  }
  while (replays_running_ > 0) co_await replayed_.Wait();
  if (replay_error_.has_value()) co_return base::Error(*replay_error_);
  context_->times.replay = watch.Lap();
  const std::uint64_t places = context_->volume->recovery().corruptions.size();
  damaged_.Report(places);
  context_->counters.damaged_entries = damaged_.count();
  context_->damaged_places = std::max<std::uint64_t>(places, damaged_.count() > 0 ? 1 : 0);
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
    if (found != found_.entries.end()) last = std::max(last, found->second.last_index);
    // The last entries rotted, and the state machine has them: it is not ahead of the log, the log has lost its end.
    const StateMachine::Held held = context_->MachineOf(partition->id)->HeldOf(partition->id);
    const bool is_of_this_log = held.epoch == LastEpochOf(*partition) && held.epoch != Epoch(0);
    if (HasDamage() && is_of_this_log && held.index > last && held.index.value() - last.value() <= kLostEntriesMax) {
      partition->committed = std::max(partition->committed, held.index);
      last = held.index;
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
    FoundEntries& found = found_.entries[partition->id];
    found.snapshot_reached = saved.snapshot_reached;
    found.snapshot_epoch = saved.snapshot_epoch;
    found.led = saved.epoch;
  }
  found_.settled_lsn = state_.settled_lsn;
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

async::Task<base::Result<>> Recovery::LoadGuest() {
  context_->guest_state = std::move(state_.guest);
  if (context_->options.guest == nullptr) co_return base::Result<>();
  co_return co_await context_->options.guest->Load(context_->guest_state, std::move(found_.guests));
}

async::Task<base::Result<>> Recovery::LoadMoves() {
  for (std::span<const FoundRecord> rest(found_.moves); !rest.empty();) {
    const auto batch = rest.first(std::min(rest.size(), kReadsAtOnce));
    rest = rest.subspan(batch.size());
    std::vector<mffs::Location> places;
    for (const FoundRecord& found : batch) places.push_back(found.place);
    const std::vector<base::Result<mffs::Record>> records = co_await ReadAll(context_, std::move(places));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!records[i].has_value()) {
        const PartitionId partition(batch[i].key.partition);
        co_return NeedsRepair(records[i].error(), "a note of moved records of " + NameOf(partition));
      }
      CO_RETURN_IF_ERROR(LoadMove(batch[i], *records[i]));
    }
  }
  co_return base::Result<>();
}

base::Result<> Recovery::LoadMove(const FoundRecord& found, const mffs::Record& record) {
  ASSIGN_OR_RETURN(const std::vector<MovedRecord> moves, DecodeMoves(record.head, record.body));
  Partition* partition = context_->partitions.Find(PartitionId(found.key.partition));
  if (partition == nullptr) return base::Error(base::Errc::kCorrupt, "a move of a partition that does not exist");
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
  return {};
}

async::Task<base::Result<>> Recovery::LoadSnapshots() {
  std::vector<Partition*> with_snapshot;
  for (Partition* partition : context_->partitions.All()) {
    Snapshot& snapshot = partition->in_force;
    partition->next = snapshot.reached.Next();
    partition->commit.Durable(kSelf, snapshot.reached);
    partition->applied = snapshot.reached;
    partition->applied_epoch = snapshot.epoch;
    partition->last_told = snapshot.reached;
    if (snapshot.reached == Index(0)) continue;
    snapshot.end = context_->moved.Resolve(snapshot.end);
    with_snapshot.push_back(partition);
  }
  for (std::span<Partition*> rest(with_snapshot); !rest.empty();) {
    const auto batch = rest.first(std::min(rest.size(), kReadsAtOnce));
    rest = rest.subspan(batch.size());
    std::vector<mffs::Location> places;
    for (const Partition* partition : batch) places.push_back(partition->in_force.end);
    const std::vector<base::Result<mffs::Record>> ends = co_await ReadAll(context_, std::move(places));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Tell("partitions", with_snapshot.size() - rest.size() - batch.size() + i, with_snapshot.size());
      CO_RETURN_IF_ERROR(co_await LoadSnapshot(batch[i], &ends[i]));
    }
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> Recovery::LoadSnapshot(Partition* partition, const base::Result<mffs::Record>* record) {
  if (!record->has_value()) co_return NeedsRepair(record->error(), "the snapshot of " + NameOf(partition->id));
  Snapshot& snapshot = partition->in_force;
  ASSIGN_OR_CO_RETURN(SnapshotEnd end, SnapshotEnd::Decode((*record)->head, (*record)->body));
  snapshot.bytes = end.bytes;
  snapshot.pieces = std::move(end.pieces);
  known_places_.insert(snapshot.end);
  StateMachine* machine = context_->MachineOf(partition->id);
  const bool wanted = machine->BeginSnapshot(partition->id, snapshot.reached);
  std::vector<PiecePlace> to_read;
  for (PiecePlace& piece : snapshot.pieces) {
    piece.location = context_->moved.Resolve(piece.location);
    known_places_.insert(piece.location);
    if (piece.kind != PieceKind::kStateMachine || wanted) to_read.push_back(piece);
  }
  CO_RETURN_IF_ERROR(co_await LoadPieces(partition, std::move(to_read)));
  if (wanted) {
    CO_RETURN_IF_ERROR(co_await machine->EndSnapshot(partition->id));
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> Recovery::LoadPieces(Partition* partition, std::vector<PiecePlace> pieces) {
  std::vector<mffs::Location> places;
  for (const PiecePlace& piece : pieces) places.push_back(piece.location);
  BatchReader reader(context_, std::move(places));
  base::Result<> loaded;
  for (std::span<const PiecePlace> rest(pieces); !rest.empty() && loaded.has_value();) {
    const ReadRecords records = co_await reader.Next();
    for (std::size_t i = 0; i < records.size() && loaded.has_value(); ++i) {
      loaded = LoadPiece(partition, rest[i].kind, records[i]);
    }
    rest = rest.subspan(records.size());
  }
  co_await reader.Stop();
  co_return loaded;
}

base::Result<> Recovery::LoadPiece(Partition* partition, PieceKind kind, const base::Result<mffs::Record>& record) {
  if (!record.has_value()) return NeedsRepair(record.error(), "the snapshot of " + NameOf(partition->id));
  if (kind == PieceKind::kPartBodies) return LoadPartBodies(partition, record->body);
  return context_->MachineOf(partition->id)->LoadSnapshotPiece(partition->id, record->body);
}

base::Result<> Recovery::LoadPartBodies(Partition* partition, std::string_view piece) {
  base::Decoder in(piece);
  while (in.remaining() > 0) {
    const BodyId id(in.U64());
    if (!in.ok()) return base::Error(base::Errc::kCorrupt, "a snapshot's list of mails in parts is damaged");
    context_->part_bodies[id] = {partition->id, partition->in_force.reached};
  }
  return {};
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
  FoundEntries found = std::move(found_.entries[partition->id]);
  for (const FoundEntry& entry : found.below) {
    // The note of its move may be what is lost: then the copy is all that there is.
    if (!HasDamage() && IsUnsettled(entry.is_copy, entry.lsn, entry.place)) context_->volume->Release(entry.place);
  }
  ASSIGN_OR_CO_RETURN(ChosenEntries chosen, ChooseEntries(partition->id, std::move(found), partition->committed,
                                                          context_->moved, HasDamage()));
  for (const mffs::Location& orphan : chosen.orphans) context_->volume->Release(orphan);
  for (std::span<const FoundEntry> rest(chosen.entries); !rest.empty();) {
    const std::span<const FoundEntry> batch = TakeBatch(&rest);
    std::vector<mffs::Location> places;
    for (const FoundEntry& entry : batch) {
      if (HasMore(entry)) places.push_back(entry.place);
    }
    const std::vector<base::Result<mffs::Record>> records = co_await ReadAll(context_, std::move(places));
    auto record = records.begin();
    for (const FoundEntry& entry : batch) {
      const base::Result<mffs::Record>* const more = HasMore(entry) ? &*record++ : nullptr;
      CO_RETURN_IF_ERROR(ReplayOne(partition, entry, more));
    }
    while (replays_running_ >= kReplaysRunningMax) co_await replayed_.Wait();
    entries_replayed_ += batch.size();
    Tell("entries", entries_replayed_, entries_found_);
    co_await LetOthersRun();
  }
  for (MoveRecord& move : partition->moves) move.settled_at = partition->applied;
  co_return base::Result<>();
}

std::span<const FoundEntry> Recovery::TakeBatch(std::span<const FoundEntry>* entries) {
  std::size_t count = 0;
  std::size_t reads = 0;
  while (count < std::min(entries->size(), kEntriesAtOnce) && reads < kReadsAtOnce) {
    reads += HasMore((*entries)[count++]) ? 1 : 0;
  }
  const auto batch = entries->first(count);
  *entries = entries->subspan(count);
  return batch;
}

base::Result<> Recovery::ReplayOne(Partition* partition, const FoundEntry& entry,
                                   const base::Result<mffs::Record>* record) {
  if (entry.is_lost) return LeaveOut(partition, entry);
  const EntryHead& head = entry.head;
  BodyRef body{.id = head.body, .size_bytes = head.mail_bytes, .extents = {}, .extent_bytes = {}};
  std::string_view meta = head.meta;
  if (record != nullptr) {
    if (!record->has_value() && IsDamage(record->error())) return ReplayDamaged(partition, entry);
    if (!record->has_value()) {
      return base::Error(record->error())
          .In("read entry " + std::to_string(entry.index.value()) + " of " + NameOf(partition->id));
    }
    RETURN_IF_ERROR(TakeRest(partition, entry, (*record)->body, &body));
    if (head.meta_in_body()) meta = std::string_view((*record)->body).substr((*record)->body.size() - head.meta_bytes);
  }
  if (head.has_mail() && !head.mail_in_parts()) {
    body.extents.push_back(entry.place);
    body.extent_bytes.push_back(static_cast<std::uint32_t>(head.mail_bytes));
  }
  Replay(partition, entry, meta, std::move(body));
  return {};
}

base::Result<> Recovery::ReplayDamaged(Partition* partition, const FoundEntry& entry) {
  const EntryHead& head = entry.head;
  const auto extents = head.mail_in_parts() && !head.meta_in_body() ? ExtentsFromParts(head, found_.parts)
                                                                    : std::optional<std::vector<Extent>>();
  if (!extents.has_value()) return LeaveOut(partition, entry);
  base::LogWarning("log_entry_mended",
                   {{"entry", NameOf(partition->id) + " entry " + std::to_string(entry.index.value())},
                    {"note", "the table of its mail's parts is damaged; the parts themselves told"},
                    {"do", "look at the disk's own error log"}});
  BodyRef body{.id = head.body, .size_bytes = head.mail_bytes, .extents = {}, .extent_bytes = {}};
  TakeExtents(partition, entry, *extents, &body);
  Replay(partition, entry, head.meta, std::move(body));
  return {};
}

// As an empty entry of the log's own. Its record, if one was found, is not released: a rescue may still want it.
base::Result<> Recovery::LeaveOut(Partition* partition, FoundEntry entry) {
  const StateMachine::Held held = context_->MachineOf(partition->id)->HeldOf(partition->id);
  RETURN_IF_ERROR(damaged_.LeaveOut(partition->id, entry.index, entry.was_empty || entry.index <= held.index));
  if (entry.head.mail_in_parts()) context_->part_bodies[entry.head.body] = {partition->id, entry.index};
  entry.epoch = std::max(entry.epoch, partition->applied_epoch);
  entry.place = {};
  entry.head = {};
  entry.head_bytes = {};
  Replay(partition, entry, {}, {});
  return {};
}

base::Result<> Recovery::TakeRest(Partition* partition, const FoundEntry& entry, std::string_view record_body,
                                  BodyRef* body) {
  const EntryHead& head = entry.head;
  const std::uint64_t front = head.mail_in_parts() ? std::uint64_t{head.parts} * Extent::kEncodedSize : head.mail_bytes;
  if (record_body.size() != front + (head.meta_in_body() ? head.meta_bytes : 0)) {
    return base::Error(base::Errc::kCorrupt, "entry " + std::to_string(entry.index.value()) + " of " +
                                                 NameOf(partition->id) + " has the wrong size");
  }
  if (!head.mail_in_parts()) return {};
  ASSIGN_OR_RETURN(const std::vector<Extent> extents, DecodeExtents(record_body, head.parts));
  TakeExtents(partition, entry, extents, body);
  return {};
}

void Recovery::TakeExtents(Partition* partition, const FoundEntry& entry, const std::vector<Extent>& extents,
                           BodyRef* body) {
  for (const Extent& extent : extents) {
    body->extents.push_back(context_->moved.Resolve(extent.location));
    body->extent_bytes.push_back(extent.bytes);
    known_places_.insert(body->extents.back());
  }
  replayed_bodies_.insert(body->id);
  context_->part_bodies[body->id] = {partition->id, entry.index};
}

void Recovery::Replay(Partition* partition, const FoundEntry& entry, std::string_view meta, BodyRef body) {
  const EntryHead& head = entry.head;
  partition->tail.Append(entry.index, {.location = entry.place,
                                       .head_bytes = static_cast<std::uint32_t>(entry.head_bytes.size()),
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

void Recovery::Tell(std::string_view what, std::uint64_t done, std::uint64_t total) const {
  if (context_->options.progress) context_->options.progress({.what = what, .done = done, .total = total});
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
  // The entry of parts that nobody names, or the note of their move, may be among what is lost: a rescue, or a repair,
  // puts the mail together from them.
  const bool keeps_parts = HasDamage();
  const auto owner = damaged_.OwnerOfUnknown();
  for (const FoundRecord& part : found_.parts) {
    const BodyId body(part.key.index);
    const bool wanted = replayed_bodies_.contains(body) ? known_places_.contains(part.place)
                                                        : !IsUnsettled(part.is_copy, part.lsn, part.place);
    const bool has_entry = context_->part_bodies.contains(body);
    if (!keeps_parts && !(has_entry && wanted)) {
      context_->volume->Release(part.place);
    } else if (!has_entry && owner.has_value() && context_->volume->IsLive(part.place)) {
      context_->part_bodies.try_emplace(body, PartBody{owner->first, owner->second});
    }
  }
  for (const FoundRecord& record : found_.snapshots) {
    if (!known_places_.contains(record.place)) context_->volume->Release(record.place);
  }
}

}  // namespace replog
