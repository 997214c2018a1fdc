#include "history/watch.h"

#include "history/entry_events.h"
#include "queue/entry.h"

namespace history {

async::Task<base::Result<replog::Index>> Watch::WriteSnapshot(replog::PartitionId partition,
                                                              replog::SnapshotWriter* writer) {
  ASSIGN_OR_CO_RETURN(const replog::Index reached, co_await machine_->WriteSnapshot(partition, writer));
  // The entries up to there may be cut off once this returns.
  co_await history_->AwaitWritten(partition);
  co_return reached;
}

void MailboxWatch::Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) {
  if (history_->Wants(entry.partition, entry.index)) {
    if (const auto event = EventOfMailboxEntry(entry); event.has_value()) history_->Add(*event);
  }
  machine_->Apply(entry, std::move(done));
}

void QueueWatch::Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) {
  if (!history_->Wants(entry.partition, entry.index)) {
    machine_->Apply(entry, std::move(done));
    return;
  }
  const auto event = EventOfQueueEntry(entry);
  const auto notice = NoticeIn(entry);
  const auto* const control = event.has_value() ? std::get_if<Control>(&event->what) : nullptr;
  // The mail may have left the queue just before: then nothing is done to it.
  const bool is_idle = control != nullptr && !queue_->Contains({entry.partition, control->mail});
  if (event.has_value() && !is_idle) history_->Add(*event, notice.has_value() ? Entry::kGoesOn : Entry::kEnds);
  if (notice.has_value()) history_->Add(*notice);
  machine_->Apply(entry, std::move(done));
}

std::optional<Event> QueueWatch::NoticeIn(const replog::EntryView& entry) const {
  if (static_cast<queue::EntryType>(entry.type) != queue::EntryType::kOutcomeWithNotice) return std::nullopt;
  const auto both = queue::OutcomeWithNoticeEntry::Decode(entry.meta);
  // One that tells nothing new is not queued.
  const bool is_queued = both.has_value() && queue_->TakesNotice(entry.partition, both->outcome);
  return is_queued ? ArrivalOfQueueEntry(entry) : std::nullopt;
}

}  // namespace history
