// The replog::StateMachine side of MailQueue: entries, moves, snapshots.
#include <utility>

#include "queue/mail_queue.h"
#include "queue/mail_queue_state.h"

namespace queue {
namespace {

// A mail with the most recipients and the longest answers still fits a record behind this much.
constexpr std::size_t kPieceBytes = 32u << 10;

base::Error Unknown(std::uint8_t type) {
  return base::Error(base::Errc::kCorrupt, "the queue has an entry of unknown type " + std::to_string(type) +
                                               "; a newer Posthorn wrote it, so run that one");
}

}  // namespace

void MailQueue::Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) {
  QueuePartition* partition = state_->Find(entry.partition);
  partition->set_reached(entry.index);
  const base::Result<> applied = ApplyEntry(entry, partition);
  if (!applied.has_value()) {
    done(base::Error(applied.error()));
    return;
  }
  done(std::string());
}

base::Result<> MailQueue::ApplyEntry(const replog::EntryView& entry, QueuePartition* partition) {
  switch (static_cast<EntryType>(entry.type)) {
    case EntryType::kEnqueue: {
      ASSIGN_OR_RETURN(const EnqueueEntry enqueue, EnqueueEntry::Decode(entry.meta));
      ApplyEnqueue(entry, partition, enqueue);
      return {};
    }
    case EntryType::kOutcome: {
      ASSIGN_OR_RETURN(const OutcomeEntry outcome, OutcomeEntry::Decode(entry.meta));
      ApplyOutcome(entry, partition, outcome);
      return {};
    }
    case EntryType::kOutcomeWithNotice: {
      ASSIGN_OR_RETURN(const OutcomeWithNoticeEntry both, OutcomeWithNoticeEntry::Decode(entry.meta));
      const bool takes_notice = partition->TakesNotice(both.outcome);
      ApplyOutcome(entry, partition, both.outcome);
      if (takes_notice) {
        ApplyEnqueue(entry, partition, both.notice);
      } else {
        state_->log->ReleaseBody(entry.partition, entry.body);
      }
      return {};
    }
    case EntryType::kControl:
      return ApplyControl(entry, partition);
  }
  return Unknown(entry.type);
}

void MailQueue::ApplyEnqueue(const replog::EntryView& entry, QueuePartition* partition, const EnqueueEntry& enqueue) {
  MailState* mail = partition->Enqueue(entry.index, enqueue, entry.cls, entry.body);
  state_->CountIn(*mail);
  state_->Schedule(entry.partition, mail, enqueue.envelope.recipients);
}

void MailQueue::ApplyOutcome(const replog::EntryView& entry, QueuePartition* partition, const OutcomeEntry& outcome) {
  MailState* mail = partition->mails().Find(outcome.mail);
  if (mail == nullptr) return;
  state_->CountOut(*mail);
  partition->Record(outcome);
  state_->CountIn(*mail);
  AfterChange(entry.partition, partition, mail);
}

base::Result<> MailQueue::ApplyControl(const replog::EntryView& entry, QueuePartition* partition) {
  ASSIGN_OR_RETURN(const ControlEntry control, ControlEntry::Decode(entry.meta));
  MailState* mail = partition->mails().Find(control.mail);
  if (mail == nullptr) return base::Error(base::Errc::kNotFound, "the mail has left the queue");
  if (control.operation == Operation::kRemove) {
    Erase(entry.partition, partition, mail);
    return {};
  }
  state_->CountOut(*mail);
  partition->Control(control);
  state_->CountIn(*mail);
  AfterChange(entry.partition, partition, mail);
  return {};
}

void MailQueue::AfterChange(replog::PartitionId id, QueuePartition* partition, MailState* mail) {
  if (QueuePartition::IsDone(*mail)) {
    Erase(id, partition, mail);
  } else {
    state_->Reschedule(*mail);
  }
}

void MailQueue::Erase(replog::PartitionId id, QueuePartition* partition, MailState* mail) {
  partition->BeforeChange(*mail);
  state_->CountOut(*mail);
  state_->Unschedule(*mail);
  const replog::BodyRef body = partition->mails().BodyOf(*mail);
  partition->mails().Erase(mail);
  state_->log->ReleaseBody(id, body);
}

void MailQueue::BodiesMoved(replog::PartitionId id, std::vector<BodyMove> moves) {
  for (const BodyMove& move : moves) state_->Find(id)->Move(move);
}

async::Task<base::Result<replog::Index>> MailQueue::WriteSnapshot(replog::PartitionId id,
                                                                  replog::SnapshotWriter* writer) {
  QueuePartition* partition = state_->Find(id);
  const replog::Index reached = partition->reached();
  struct Running {
    QueuePartition* partition;
    explicit Running(QueuePartition* p) : partition(p) { p->BeginSnapshot(); }
    ~Running() { partition->EndSnapshot(); }
  };
  const Running running(partition);
  for (;;) {
    while (const std::optional<std::size_t> kept = partition->NextKept()) writer->Keep(*kept);
    std::string piece = partition->NextPiece(kPieceBytes);
    if (piece.empty()) break;
    CO_RETURN_IF_ERROR(co_await writer->Write(std::move(piece)));
  }
  co_return reached;
}

void MailQueue::BeginReplay(replog::PartitionId, replog::Index) {
  state_->scheduler.Advance(state_->clock->WallNow());
}

bool MailQueue::BeginSnapshot(replog::PartitionId id, replog::Index reached) {
  state_->Find(id)->set_reached(reached);
  return true;
}

base::Result<> MailQueue::LoadSnapshotPiece(replog::PartitionId id, std::string_view piece) {
  QueuePartition* partition = state_->Find(id);
  PieceReader reader(piece);
  SnapshotPieces::Piece place{.first = {}, .last = {}, .bytes = static_cast<std::uint32_t>(piece.size())};
  for (bool is_first = true;; is_first = false) {
    ASSIGN_OR_RETURN(const SavedMail* saved, reader.Next());
    if (saved == nullptr && is_first) return base::Error(base::Errc::kCorrupt, "a piece of a queue snapshot is empty");
    if (saved == nullptr) break;
    if (is_first && partition->mails().last_index() >= saved->index) {
      return base::Error(base::Errc::kCorrupt, "the pieces of a queue snapshot are out of order");
    }
    if (is_first) place.first = saved->index;
    place.last = saved->index;
    MailState* mail = partition->Load(*saved);
    state_->CountIn(*mail);
    state_->Schedule(id, mail, saved->envelope.recipients);
  }
  partition->Loaded(place);
  return {};
}

std::uint64_t MailQueue::KeptBytes(replog::PartitionId id) const {
  return state_->Find(id)->kept_bytes();
}

void MailQueue::SnapshotInForce(replog::PartitionId id, replog::Index) {
  state_->Find(id)->SnapshotInForce();
}

async::Task<base::Result<>> MailQueue::EndSnapshot(replog::PartitionId) {
  co_return base::Result<>();
}

async::Task<base::Result<>> MailQueue::Recovered() {
  state_->serving = true;
  state_->Poke();
  co_return base::Result<>();
}

}  // namespace queue
