#include "queue/mail_queue_state.h"

#include <algorithm>
#include <map>

namespace queue {
namespace {

// A jump of the wall clock is noticed after this at the latest.
constexpr std::chrono::seconds kSleepMax{60};

}  // namespace

mffs::Stream StreamOf(mail::Class cls) {
  return mail::IsParked(cls) ? mffs::Stream::kParked : mffs::Stream::kTransit;
}

MailQueue::State::State(async::Executor executor, replog::Log* in_log, const base::Clock* by_clock, Router by_router,
                        MailQueueOptions with)
    : log(in_log),
      clock(by_clock),
      router(std::move(by_router)),
      options(with),
      scheduler(with.claims_per_destination_max),
      random(base::SecureRandom64()),
      workers(executor),
      timer_(executor) {
  for (std::uint32_t n = 0; n < log->queue_partition_count(); ++n) {
    partitions_.push_back(std::make_unique<QueuePartition>(&strings));
  }
}

QueuePartition* MailQueue::State::Find(replog::PartitionId id) {
  if (id < replog::kFirstQueuePartition) return nullptr;
  const std::uint32_t n = id.value() - replog::kFirstQueuePartition.value();
  return n < partitions_.size() ? partitions_[n].get() : nullptr;
}

MailState* MailQueue::State::FindMail(QueueId id) {
  QueuePartition* partition = Find(id.partition);
  return partition == nullptr ? nullptr : partition->mails().Find(id.index);
}

replog::PartitionId MailQueue::State::PartitionFor(mail::Class cls) {
  // Entries are committed in order, and parked ones wait for company: they have a partition of their own, so that no
  // other mail waits behind them.
  const std::uint32_t count = partition_count();
  if (count == 1) return log->QueuePartition(0);
  if (mail::IsParked(cls)) return log->QueuePartition(count - 1);
  return log->QueuePartition(next_partition_++ % (count - 1));
}

void MailQueue::State::CountOut(const MailState& mail) {
  totals.mails -= 1;
  totals.bytes -= mail.size_bytes();
  for (const RecipientSlot& slot : mail.recipients()) {
    if (slot.state == RecipientState::kWaiting) totals.recipients_waiting -= 1;
    if (slot.state == RecipientState::kHeld) totals.recipients_held -= 1;
  }
}

void MailQueue::State::CountIn(const MailState& mail) {
  totals.mails += 1;
  totals.bytes += mail.size_bytes();
  for (const RecipientSlot& slot : mail.recipients()) {
    if (slot.state == RecipientState::kWaiting) totals.recipients_waiting += 1;
    if (slot.state == RecipientState::kHeld) totals.recipients_held += 1;
  }
}

void MailQueue::State::Schedule(replog::PartitionId partition, MailState* mail,
                                const std::vector<mail::Recipient>& recipients) {
  if (recipients.size() == 1) {
    ScheduleOne(partition, mail, recipients.front());
    return;
  }
  std::map<std::string, ItemId> items;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    RecipientSlot& slot = mail->recipients()[i];
    if (IsOver(slot.state)) continue;
    const auto [found, is_new] = items.try_emplace(router(recipients[i].address), kNoItem);
    if (is_new) found->second = scheduler.Add({partition, mail->index()}, strings.Add(found->first), mail->cls);
    slot.item = found->second;
  }
  Reschedule(*mail);
}

// As Schedule, without what only several recipients need: most mails have one, and a start schedules a million.
void MailQueue::State::ScheduleOne(replog::PartitionId partition, MailState* mail, const mail::Recipient& recipient) {
  RecipientSlot& slot = mail->recipients().front();
  if (IsOver(slot.state)) return;
  slot.item = scheduler.Add({partition, mail->index()}, strings.Add(router(recipient.address)), mail->cls);
  if (slot.state == RecipientState::kWaiting) scheduler.SetDue(slot.item, slot.next_attempt);
  Poke();
}

void MailQueue::State::Reschedule(const MailState& mail) {
  std::map<ItemId, std::optional<base::WallTime>> items;
  for (const RecipientSlot& slot : mail.recipients()) {
    if (slot.item == kNoItem) continue;
    std::optional<base::WallTime>& due = items[slot.item];
    if (slot.state == RecipientState::kWaiting) due = std::min(due.value_or(slot.next_attempt), slot.next_attempt);
  }
  for (const auto& [item, due] : items) {
    scheduler.SetClass(item, mail.cls);
    scheduler.SetDue(item, due);
  }
  Poke();
}

std::optional<base::WallTime> MailQueue::State::DueOf(const MailState& mail, ItemId item) {
  std::optional<base::WallTime> due;
  for (const RecipientSlot& slot : mail.recipients()) {
    if (slot.item != item || slot.state != RecipientState::kWaiting) continue;
    due = std::min(due.value_or(slot.next_attempt), slot.next_attempt);
  }
  return due;
}

void MailQueue::State::Unschedule(const MailState& mail) {
  std::vector<ItemId> items;
  for (const RecipientSlot& slot : mail.recipients()) {
    if (slot.item != kNoItem) items.push_back(slot.item);
  }
  std::ranges::sort(items);
  const auto repeated = std::ranges::unique(items);
  items.erase(repeated.begin(), repeated.end());
  for (const ItemId item : items) {
    const StringId destination = scheduler.DestinationOf(item);
    scheduler.Remove(item);
    strings.Drop(destination);
  }
}

void MailQueue::State::Poke() {
  if (!serving || workers.empty()) return;
  if (scheduler.HasDue(clock->WallNow())) {
    workers.WakeOne();
  } else {
    ArmTimer();
  }
}

void MailQueue::State::ArmTimer() {
  const std::optional<base::WallTime> due = scheduler.NextDue();
  if (!due.has_value() || armed_for_ == due) return;
  armed_for_ = due;
  const auto wait =
      std::clamp<std::chrono::microseconds>(*due - clock->WallNow(), std::chrono::microseconds(0), kSleepMax);
  timer_.expires_after(wait);
  timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
    if (error || alive.expired()) return;
    armed_for_.reset();
    Poke();
  });
}

}  // namespace queue
