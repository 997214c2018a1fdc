#include "salvage/queue_replay.h"

#include <string>

namespace salvage {
namespace {

base::Error OutOfOrder() {
  return base::Error(base::Errc::kCorrupt, "the queue's mails are not in order");
}

}  // namespace

void QueueReplay::BeginSnapshot(replog::PartitionId partition) {
  partitions_[partition] = std::make_unique<Partition>(&strings_);
}

QueueReplay::Partition& QueueReplay::PartitionOf(replog::PartitionId partition) {
  std::unique_ptr<Partition>& found = partitions_[partition];
  if (found == nullptr) found = std::make_unique<Partition>(&strings_);
  return *found;
}

base::Result<> QueueReplay::LoadPiece(replog::PartitionId id, std::string_view piece) {
  ASSIGN_OR_RETURN(const std::vector<queue::SavedMail> mails, queue::DecodePiece(piece));
  Partition& partition = PartitionOf(id);
  for (const queue::SavedMail& mail : mails) {
    if (mail.index <= partition.last) return OutOfOrder();
    partition.last = mail.index;
    partition.state.Load(mail);
  }
  return {};
}

base::Result<> QueueReplay::Apply(const replog::EntryView& entry) {
  Partition& partition = PartitionOf(entry.partition);
  switch (static_cast<queue::EntryType>(entry.type)) {
    case queue::EntryType::kEnqueue: {
      ASSIGN_OR_RETURN(const queue::EnqueueEntry enqueue, queue::EnqueueEntry::Decode(entry.meta));
      return Enqueue(entry, &partition, enqueue);
    }
    case queue::EntryType::kOutcome: {
      ASSIGN_OR_RETURN(const queue::OutcomeEntry outcome, queue::OutcomeEntry::Decode(entry.meta));
      Record(entry.partition, &partition, outcome);
      return {};
    }
    case queue::EntryType::kOutcomeWithNotice: {
      ASSIGN_OR_RETURN(const queue::OutcomeWithNoticeEntry both, queue::OutcomeWithNoticeEntry::Decode(entry.meta));
      const bool takes_notice = partition.state.TakesNotice(both.outcome);
      Record(entry.partition, &partition, both.outcome);
      if (takes_notice) return Enqueue(entry, &partition, both.notice);
      if (!entry.body.empty()) released_.emplace_back(entry.partition, entry.body.id);
      return {};
    }
    case queue::EntryType::kControl: {
      ASSIGN_OR_RETURN(const queue::ControlEntry control, queue::ControlEntry::Decode(entry.meta));
      queue::MailState* const mail = partition.state.mails().Find(control.mail);
      if (mail == nullptr) return {};
      if (control.operation != queue::Operation::kRemove) partition.state.Control(control);
      const bool is_gone = control.operation == queue::Operation::kRemove || queue::QueuePartition::IsDone(*mail);
      if (is_gone) Erase(entry.partition, &partition, mail);
      return {};
    }
  }
  return base::Error(base::Errc::kUnsupported,
                     "an entry of type " + std::to_string(entry.type) + " was written by a newer version");
}

base::Result<> QueueReplay::Enqueue(const replog::EntryView& entry, Partition* partition,
                                    const queue::EnqueueEntry& enqueue) {
  if (entry.index <= partition->last) return OutOfOrder();
  partition->last = entry.index;
  partition->state.Enqueue(entry.index, enqueue, entry.cls, entry.body);
  return {};
}

void QueueReplay::Record(replog::PartitionId id, Partition* partition, const queue::OutcomeEntry& outcome) {
  queue::MailState* const mail = partition->state.Record(outcome);
  if (mail != nullptr && queue::QueuePartition::IsDone(*mail)) Erase(id, partition, mail);
}

void QueueReplay::Erase(replog::PartitionId id, Partition* partition, queue::MailState* mail) {
  const replog::BodyRef body = partition->state.mails().BodyOf(*mail);
  if (!body.empty()) released_.emplace_back(id, body.id);
  partition->state.mails().Erase(mail);
}

std::optional<std::pair<replog::PartitionId, queue::SavedMail>> QueueReplay::Next(replog::PartitionId partition,
                                                                                  replog::Index after) const {
  for (auto it = partitions_.lower_bound(partition); it != partitions_.end(); ++it) {
    const queue::MailTable& mails = it->second->state.mails();
    const queue::MailState* const mail = mails.Next(it->first == partition ? after : replog::Index());
    if (mail != nullptr) return std::pair(it->first, mails.Save(*mail));
  }
  return std::nullopt;
}

}  // namespace salvage
