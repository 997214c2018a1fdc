#include "replog/proposals.h"

#include <utility>

#include "async/task_group.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "replog/body_state.h"

namespace replog {
namespace {

constexpr std::uint32_t kAppendsPerFloor = 256;
// Cleaning and snapshots make room within milliseconds, or there is none to be made.
constexpr std::chrono::milliseconds kRoomWait{250};
constexpr int kRoomWaitsMax = 8;

// The extents of a body that nobody has read yet, with their bytes.
void FillExtents(const OpenBody& open, BodyRef* body) {
  body->extents.reserve(open.extents.size());
  body->extent_bytes.reserve(open.extents.size());
  for (const Extent& extent : open.extents) {
    body->extents.push_back(extent.location);
    body->extent_bytes.push_back(extent.bytes);
  }
}

bool LacksRoom(const base::Result<>& checked) {
  return !checked.has_value() && checked.error().code() == base::Errc::kNoSpace;
}

}  // namespace

Proposals::Proposals(Context* context) : context_(context), changed_(context->executor) {}

async::Task<base::Result<Committed>> Proposals::Propose(PartitionId id, Draft draft, Until until) {
  CHECK(draft.type != 0);
  Partition* partition = context_->partitions.Find(id);
  if (partition == nullptr) {
    co_return base::Error(base::Errc::kInvalid, "there is no partition " + std::to_string(id.value()));
  }
  if (partition->leading != Leading::kYes) {
    CO_RETURN_IF_ERROR(co_await Lead(partition));
  }
  co_return co_await Run(partition, std::move(draft), until);
}

async::Task<base::Result<>> Proposals::Lead(Partition* partition) {
  while (partition->leading == Leading::kTaking) co_await changed_.Wait();
  if (partition->leading == Leading::kYes) co_return base::Result<>();
  co_return co_await TakeLead(partition);
}

async::Task<base::Result<>> Proposals::TakeLead(Partition* partition) {
  // Also when the taker is cancelled: the next proposer tries again.
  struct Taking {
    Partition* partition;
    async::Notifier* changed;
    explicit Taking(Partition* p, async::Notifier* n) : partition(p), changed(n) { p->leading = Leading::kTaking; }
    ~Taking() {
      if (partition->leading == Leading::kTaking) partition->leading = Leading::kNo;
      changed->NotifyAll();
    }
  };
  const Taking taking(partition, &changed_);
  Epoch epoch = partition->reserved;
  if (epoch <= partition->epoch) {
    ASSIGN_OR_CO_RETURN(epoch, co_await context_->coordinator->TakeEpoch(partition->id, partition->epoch));
  }
  if (epoch <= partition->epoch) {
    co_return base::Error(base::Errc::kInvalid, "the coordinator gave an epoch that partition " +
                                                    std::to_string(partition->id.value()) + " has used already");
  }
  partition->epoch = epoch;
  // The leader serves nothing before its first entry is committed (CLUSTER.md "Epochs").
  Draft empty;
  empty.stream = mffs::Stream::kMeta;
  const auto first = co_await Run(partition, std::move(empty), Until::kCommitted);
  CO_RETURN_IF_ERROR(first);
  partition->leading = Leading::kYes;
  co_return base::Result<>();
}

async::Task<base::Result<>> Proposals::PassOver(Partition* partition, std::uint32_t count) {
  CO_RETURN_IF_ERROR(co_await Lead(partition));
  base::Result<> result;
  async::TaskGroup group(context_->executor, "log indexes");
  for (std::uint32_t i = 0; i < count; ++i) group.Spawn(PassOne(partition, &result));
  co_await group.Join();
  co_await group.Stop();
  co_return result;
}

async::Task<void> Proposals::PassOne(Partition* partition, base::Result<>* result) {
  Draft empty;
  empty.stream = mffs::Stream::kMeta;
  const auto passed = co_await Run(partition, std::move(empty), Until::kCommitted);
  if (!passed.has_value()) *result = base::Error(passed.error());
}

async::Task<void> Proposals::Stop() {
  context_->stopping = true;
  while (pending_count_ > 0) co_await changed_.Wait();
}

async::Task<base::Result<Committed>> Proposals::Run(Partition* partition, Draft draft, Until until) {
  base::Result<> checked = Check(&draft);
  // New mail is refused at once, and its sender tries again. A user who removes mail from a full volume should not have
  // to.
  const bool may_wait = draft.body.size_bytes() == 0;
  for (int waits = 0; may_wait && waits < kRoomWaitsMax && LacksRoom(checked); ++waits) {
    co_await context_->volume->AwaitRoom(kRoomWait);
    checked = Check(&draft);
  }
  CO_RETURN_IF_ERROR(checked);
  Pending* const pending = Start(partition, std::move(draft), until);
  base::Result<Committed> result = co_await pending->waiter->Wait();
  pool_.GiveBack(pending);
  co_return result;
}

base::Result<> Proposals::Check(Draft* draft) {
  if (context_->latched.has_value()) return base::Error(*context_->latched);
  if (context_->stopping) return base::Error(base::Errc::kClosed, "the log is being closed");
  if (pending_count_ >= context_->options.proposals_pending_max) {
    return base::Error(base::Errc::kBusy, "too many changes wait for the disk");
  }
  const Body::State* body = draft->body.state_.get();
  const std::size_t table =
      body != nullptr && body->open != nullptr ? body->open->extents.size() * Extent::kEncodedSize : 0;
  if (draft->meta.size() > context_->options.meta_bytes_max || draft->meta.size() + table > mffs::kBodyBytesMax) {
    return base::Error(base::Errc::kInvalid, "the change is larger than the log takes");
  }
  const std::uint64_t in_record = table != 0 ? table : draft->body.size_bytes();
  return AdmitToVolume(draft, EntryHead::kFixedBytes + draft->meta.size() + in_record);
}

base::Result<> Proposals::AdmitToVolume(Draft* draft, std::uint64_t bytes) {
  base::Result<> admitted = context_->volume->Admit(draft->stream, bytes, draft->need);
  if (!LacksRoom(admitted)) return admitted;
  // What the log itself could give up is given up soon.
  context_->space_refused = true;
  context_->snapshot_wanted(nullptr);
  if (draft->body.size_bytes() > 0) return admitted;
  // An entry without a mail is how mail leaves a full volume: it may use the room that is kept for the log's own
  // records.
  // Noted in the draft, which may be checked again: in meta, a need for something new is that of notes of moves.
  draft->stream = mffs::Stream::kMeta;
  draft->need = mffs::Need::kAccepted;
  return context_->volume->Admit(draft->stream, bytes, draft->need);
}

Pending* Proposals::Start(Partition* partition, Draft draft, Until until) {
  if (appends_since_floor_++ % kAppendsPerFloor == 0) context_->RefreshLsnFloor();
  Pending* pending = pool_.Take();
  pending->partition = partition;
  pending->epoch = partition->epoch;
  pending->index = partition->next;
  partition->next = partition->next.Next();
  pending->draft = std::move(draft);
  pending->until = until;
  pending->waiter.emplace();
  pending_count_ += 1;
  partition->pending.PushBack(pending);

  Encode(pending);
  PrepareAppend(pending);
  TailEntry in_tail;
  in_tail.head_bytes = static_cast<std::uint32_t>(pending->head.size());
  in_tail.after = context_->lsn_floor;
  partition->tail.Append(pending->index, in_tail);
  context_->volume->Append(&pending->request);
  return pending;
}

void Proposals::Encode(Pending* pending) {
  const Draft& draft = pending->draft;
  EntryHead head;
  head.type = draft.type;
  head.cls = draft.cls;
  head.meta_bytes = static_cast<std::uint32_t>(draft.meta.size());
  head.committed = pending->partition->committed;
  if (draft.meta.size() > EntryHead::kMetaInlineMax) head.flags |= EntryHead::kMetaInBody;
  pending->extent_table.clear();
  if (Body::State* body = draft.body.state_.get(); body != nullptr && body->size_bytes > 0) {
    head.flags |= EntryHead::kHasMail;
    head.mail_bytes = body->size_bytes;
    const OpenBody* open = body->open.get();
    if (open != nullptr) {
      head.flags |= EntryHead::kMailInParts;
      head.parts = static_cast<std::uint32_t>(open->extents.size());
      head.mail_digest = DigestOf(open->extents);
      pending->body.id = open->id;
      EncodeExtents(open->extents, pending->extent_table);
      FillExtents(*open, &pending->body);
      context_->part_bodies[open->id] = {pending->partition->id, pending->index};
      pending->parts = body->TakeParts();
    } else {
      head.mail_digest = base::Crc32c(base::AsBytes(body->buffer.view()));
      pending->body.id = BodyId(pending->index.value());
    }
    pending->body.size_bytes = body->size_bytes;
    head.body = pending->body.id;
  }
  head.meta = draft.meta;
  head.checksum = head.Checksum(draft.meta);
  pending->head.clear();
  head.EncodeTo(pending->head);
}

void Proposals::PrepareAppend(Pending* pending) {
  const Draft& draft = pending->draft;
  mffs::AppendRequest& request = pending->request;
  request.stream = draft.stream;
  request.patient = draft.stream == mffs::Stream::kParked;
  request.key = {.type = static_cast<std::uint8_t>(RecordType::kEntry),
                 .partition = pending->partition->id.value(),
                 .epoch = pending->epoch.value(),
                 .index = pending->index.value()};
  request.head = pending->head;
  request.body = {draft.body.in_memory(), pending->extent_table, {}};
  if (draft.meta.size() > EntryHead::kMetaInlineMax) request.body[2] = draft.meta;
  // Set once: a pooled request may be used again while the call of its last `done` returns.
  if (!request.done) {
    request.done = [this, pending](base::Result<mffs::Location> result) { AppendDone(pending, std::move(result)); };
  }
}

void Proposals::AppendDone(Pending* pending, base::Result<mffs::Location> result) {
  if (!result.has_value() && !context_->latched.has_value()) Latch(result.error());
  if (context_->latched.has_value()) {
    Complete(pending, base::Error(*context_->latched));
    CompleteWaiting();
    return;
  }
  pending->durable = true;
  if (pending->body.id.value() != 0 && (pending->body.id.value() & kPartsBodyBit) == 0) {
    pending->body.extents.push_back(*result);
    pending->body.extent_bytes.push_back(static_cast<std::uint32_t>(pending->body.size_bytes));
  }
  pending->partition->tail.Find(pending->index)->location = *result;
  CommitReady(pending->partition);
  CompleteWaiting();
}

void Proposals::CommitReady(Partition* partition) {
  busy_ = true;
  Pending* durable = nullptr;
  for (Pending* pending = partition->pending.first; pending != nullptr && pending->durable; pending = pending->next) {
    durable = pending;
  }
  if (durable != nullptr) {
    partition->commit.Durable(kSelf, durable->index);
    partition->committed = partition->commit.Committed();
  }
  PendingList& waiting = partition->pending;
  while (!waiting.empty() && waiting.first->durable && waiting.first->index <= partition->committed) {
    Apply(waiting.PopFront());
  }
  busy_ = false;
}

void Proposals::Apply(Pending* pending) {
  Partition* partition = pending->partition;
  for (mffs::Location& place : pending->body.extents) place = context_->moved.Resolve(place);
  const bool mail_in_record = !pending->body.empty() && (pending->body.id.value() & kPartsBodyBit) == 0;
  if (mail_in_record && PartitionTable::IsQueue(partition->id)) {
    // deliverd asks for it soon.
    context_->cache.Put(pending->body.extents.front(), pending->draft.stream, pending->draft.body.state_->TakeBuffer());
  }
  partition->applied = pending->index;
  partition->applied_epoch = pending->epoch;
  partition->tail.MarkApplied(pending->index, mail_in_record);
  context_->counters.entries_committed += 1;
  context_->snapshot_wanted(partition);

  if (pending->draft.type != 0) partition->last_told = pending->index;
  if (pending->draft.type == 0) {
    Complete(pending, Committed{pending->epoch, pending->index, {}, {}});
    return;
  }
  EntryView entry{.partition = partition->id,
                  .epoch = pending->epoch,
                  .index = pending->index,
                  .type = pending->draft.type,
                  .cls = pending->draft.cls,
                  .meta = pending->draft.meta,
                  .body = {}};
  StateMachine* machine = context_->MachineOf(partition->id);
  if (pending->until == Until::kApplied) {
    entry.body = pending->body;
    machine->Apply(entry, [this, pending](base::Result<std::string> result) { ApplyDone(pending, std::move(result)); });
    return;
  }
  entry.body = std::move(pending->body);
  machine->Apply(entry, [](const base::Result<std::string>&) {});
  Complete(pending, Committed{pending->epoch, pending->index, std::move(entry.body), {}});
}

void Proposals::ApplyDone(Pending* pending, base::Result<std::string> result) {
  if (result.has_value()) {
    Complete(pending, Committed{pending->epoch, pending->index, std::move(pending->body), *std::move(result)});
  } else {
    Complete(pending, std::move(result).error());
  }
  CompleteWaiting();
}

void Proposals::Complete(Pending* pending, base::Result<Committed> result) {
  pending->result.emplace(std::move(result));
  if (pending->parts != nullptr) context_->open_bodies->Adopt(std::exchange(pending->parts, nullptr).get());
  // The mail's memory is needed no longer, even if the proposer is slow to look.
  pending->draft.body = Body();
  completed_.PushBack(pending);
}

void Proposals::CompleteWaiting() {
  if (busy_) return;
  while (!completed_.empty()) {
    Pending* pending = completed_.PopFront();
    pending_count_ -= 1;
    if (pending_count_ == 0 && context_->stopping) changed_.NotifyAll();
    // Resumes the proposer here and now: it may propose again, which only appends.
    pending->waiter->Set(*std::move(pending->result));
  }
}

void Proposals::Latch(const base::Error& error) {
  context_->latched = base::Error(error.code(), "the log stopped writing: " + error.message());
  base::LogError("log_stopped", {{"error", error.message()}, {"do", "check the disk, then restart the node"}});
  busy_ = true;
  // Those in flight end with their own completion; those that only waited for an earlier one end now.
  for (Partition* partition : context_->partitions.All()) {
    while (!partition->pending.empty()) {
      Pending* pending = partition->pending.PopFront();
      if (pending->durable) Complete(pending, base::Error(*context_->latched));
    }
  }
  busy_ = false;
}

}  // namespace replog
