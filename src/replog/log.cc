#include "replog/log.h"

#include <algorithm>

#include "base/check.h"
#include "replog/engine.h"
#include "replog/recovery.h"
#include "replog/slot_map.h"
#include "replog/stopwatch.h"

namespace replog {
namespace {

// Leads every partition that has entries, all at once, so that their epochs and first entries share their writes.
async::Task<void> LeadOne(Proposals* proposals, Partition* partition, std::optional<base::Error>* error) {
  const base::Result<> led = co_await proposals->Lead(partition);
  if (!led.has_value()) *error = led.error();
}

async::Task<base::Result<>> LeadUsed(Context* context, Proposals* proposals) {
  async::TaskGroup group(context->executor, "log leads");
  std::optional<base::Error> error;
  for (Partition* partition : context->partitions.All()) {
    if (!partition->never_used()) group.Spawn(LeadOne(proposals, partition, &error));
  }
  co_await group.Join();
  co_await group.Stop();
  if (error.has_value()) co_return std::move(*error);
  co_return base::Result<>();
}

// What rotted at the end of a queue's log left no trace. Its indexes name mails, and to a mailbox that has got one of
// them another mail of that name would be the same one, and be dropped: so they are passed over.
async::Task<base::Result<>> PassOverLostIndexes(Context* context, Proposals* proposals) {
  constexpr std::uint32_t kEntriesInPlaceMax = 256;  // More than the sectors around a bad one hold.
  constexpr std::uint64_t kPlacesMax = 16;
  const auto places = static_cast<std::uint32_t>(std::min(context->damaged_places, kPlacesMax));
  const std::uint32_t count = kEntriesInPlaceMax * places;
  if (count == 0) co_return base::Result<>();
  for (std::uint32_t n = 0; n < context->options.queue_partitions; ++n) {
    Partition* const partition = context->partitions.Find(PartitionId(kFirstQueuePartition.value() + n));
    CO_RETURN_IF_ERROR(co_await proposals->PassOver(partition, count));
  }
  co_return base::Result<>();
}

}  // namespace

Log::Log(async::Executor executor, mffs::Volume* volume, mffs::BufferPool* pool, Coordinator* coordinator,
         LogOptions options)
    : engine_(std::make_unique<Engine>(executor, volume, pool, coordinator, std::move(options))) {}
Log::~Log() = default;

async::Task<base::Result<>> Log::Recover(StateMachine* mailboxes, StateMachine* queues) {
  Context* context = engine_->context();
  context->mailboxes = mailboxes;
  context->queues = queues;
  {
    Recovery recovery(context);
    CO_RETURN_IF_ERROR(co_await recovery.Run());
  }
  context->volume->Start(this);
  Stopwatch watch;
  CO_RETURN_IF_ERROR(co_await LeadUsed(context, engine_->proposals()));
  CO_RETURN_IF_ERROR(co_await PassOverLostIndexes(context, engine_->proposals()));
  context->times.lead = watch.Lap();
  CO_RETURN_IF_ERROR(co_await mailboxes->Recovered());
  if (queues != mailboxes) {
    CO_RETURN_IF_ERROR(co_await queues->Recovered());
  }
  context->times.apply = watch.Lap();
  // Not before: a state machine that still repeats releases must not lose them to a newer snapshot.
  engine_->snapshots()->Start();
  co_return base::Result<>();
}

PartitionId Log::MailboxPartitionOf(std::string_view canonical_address) const {
  return MailboxPartitionOfSlot(SlotOf(canonical_address), engine_->context()->options.mailbox_partitions);
}

std::uint32_t Log::queue_partition_count() const {
  return engine_->context()->options.queue_partitions;
}

PartitionId Log::QueuePartition(std::uint32_t n) const {
  CHECK(n < queue_partition_count());
  return PartitionId(kFirstQueuePartition.value() + n);
}

base::Result<> Log::Admit(mffs::Stream stream, std::uint64_t bytes) const {
  const Context* context = engine_->context();
  if (context->latched.has_value()) return base::Error(*context->latched);
  if (engine_->proposals()->pending_count() >= context->options.proposals_pending_max) {
    return base::Error(base::Errc::kBusy, "too many changes wait for the disk");
  }
  return context->volume->Admit(stream, bytes);
}

std::uint64_t Log::MailboxBytes() const {
  const auto live = engine_->context()->volume->Status().live_bytes_by_stream;
  std::uint64_t bytes = 0;
  for (const mffs::Stream stream : {mffs::Stream::kMailbox, mffs::Stream::kBrief, mffs::Stream::kCold}) {
    bytes += live[static_cast<std::size_t>(stream)];
  }
  return bytes;
}

async::Task<base::Result<Committed>> Log::Propose(PartitionId partition, Draft draft) {
  return engine_->proposals()->Propose(partition, std::move(draft), Until::kApplied);
}

async::Task<base::Result<Committed>> Log::ProposeCommitted(PartitionId partition, Draft draft) {
  return engine_->proposals()->Propose(partition, std::move(draft), Until::kCommitted);
}

async::Task<base::Result<std::string>> Log::ReadBody(BodyRef body, std::uint64_t offset, std::uint64_t size,
                                                     Prefetch prefetch) {
  return engine_->reader()->Read(std::move(body), offset, size, prefetch);
}

void Log::ReleaseBody(PartitionId id, const BodyRef& body) {
  if (body.empty()) return;
  Context* context = engine_->context();
  if ((body.id.value() & kPartsBodyBit) != 0) {
    for (const mffs::Location& place : body.extents) context->volume->Release(context->moved.Resolve(place));
    context->part_bodies.erase(body.id);
    return;
  }
  Partition* partition = context->partitions.Find(id);
  CHECK(partition != nullptr);
  context->cache.Drop(context->moved.Resolve(body.extents.front()));
  if (TailEntry* entry = partition->tail.Find(Index(body.id.value()))) {
    // A restart before the next snapshot would look for the entry: it goes with that.
    partition->tail.MarkUnneeded(entry);
    context->snapshot_wanted(partition);
    return;
  }
  context->volume->Release(context->moved.Resolve(body.extents.front()));
}

async::Task<base::Result<>> Log::SnapshotNow(PartitionId id) {
  Partition* partition = engine_->context()->partitions.Find(id);
  if (partition == nullptr) co_return base::Error(base::Errc::kInvalid, "there is no " + NameOf(id));
  co_return co_await engine_->snapshots()->Now(partition);
}

const RecoverTimes& Log::recover_times() const {
  return engine_->context()->times;
}

LogStatus Log::Status() const {
  LogStatus status = engine_->context()->counters;
  status.proposals_pending = engine_->proposals()->pending_count();
  status.tail_entries = engine_->context()->tails.entries;
  status.body_cache_bytes = engine_->context()->cache.bytes();
  return status;
}

async::Task<void> Log::Stop() {
  Context* context = engine_->context();
  context->stopping = true;
  co_await engine_->snapshots()->Stop();
  co_await engine_->proposals()->Stop();
  co_await context->open_bodies->WaitForWrites();
}

async::Task<base::Result<>> Log::Moved(std::vector<Move> moves) {
  return engine_->mover()->Moved(std::move(moves));
}

Log::CheckpointState Log::TakeCheckpointState() {
  return engine_->checkpoints()->Take();
}

void Log::CheckpointDurable() {
  engine_->checkpoints()->Durable();
}

}  // namespace replog
