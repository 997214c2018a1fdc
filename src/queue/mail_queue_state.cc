#include "queue/mail_queue_state.h"

#include <algorithm>
#include <map>

namespace queue {
namespace {

// A jump of the wall clock is noticed after this at the latest.
constexpr std::chrono::seconds kSleepMax{60};
// Mails that reach an age together came together: others have their turn between them.
constexpr int kAgedAtOnce = 1000;

}  // namespace

mffs::Stream StreamOf(mail::Class cls) {
  return mail::IsParked(cls) ? mffs::Stream::kParked : mffs::Stream::kTransit;
}

MailQueue::State::State(async::Executor executor, replog::Log* in_log, const base::Clock* by_clock, Router by_router,
                        MailQueueOptions with)
    : log(in_log),
      clock(by_clock),
      router(std::move(by_router)),
      options(std::move(with)),
      scheduler(options.destinations),
      random(base::SecureRandom64()),
      workers{WaitList(executor), WaitList(executor)},
      timer_(executor) {
  if (options.delay_told_after.count() > 0) ages_.push_back({.age = options.delay_told_after});
  ages_.push_back({.age = options.retry.give_up_after});
  for (Age& age : ages_) age.reached_by.resize(log->queue_partition_count());
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
    if (is_new) found->second = AddItem(partition, *mail, found->first);
    slot.item = found->second;
  }
  Reschedule(*mail);
}

// As Schedule, without what only several recipients need: most mails have one, and a start schedules a million.
void MailQueue::State::ScheduleOne(replog::PartitionId partition, MailState* mail, const mail::Recipient& recipient) {
  RecipientSlot& slot = mail->recipients().front();
  if (IsOver(slot.state)) return;
  slot.item = AddItem(partition, *mail, router(recipient.address));
  if (slot.state == RecipientState::kWaiting) scheduler.SetDue(slot.item, slot.next_attempt);
  Poke();
}

ItemId MailQueue::State::AddItem(replog::PartitionId partition, const MailState& mail, const std::string& destination) {
  for (Age& age : ages_) age.next = std::min(age.next, mail.queued_at() + age.age);
  const Lane lane = options.lane_of ? options.lane_of(destination) : Lane::kLocal;
  return scheduler.Add({partition, mail.index()}, strings.Add(destination), mail.cls, lane);
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
  const bool nobody_waits = std::ranges::all_of(workers, &WaitList::empty);
  if (!serving || nobody_waits) return;
  const base::WallTime now = clock->WallNow();
  SweepAges(now);
  bool somebody_waits = false;
  for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
    if (workers[lane].empty()) continue;
    if (scheduler.HasDue(now, static_cast<Lane>(lane))) {
      workers[lane].WakeOne();
    } else {
      somebody_waits = true;
    }
  }
  if (somebody_waits) ArmTimer(now);
}

std::optional<ItemId> MailQueue::State::TakeDue(Lane lane) {
  const base::WallTime now = clock->WallNow();
  SweepAges(now);
  const std::optional<ItemId> item = serving ? scheduler.Claim(now, lane) : std::nullopt;
  if (!item.has_value()) ArmTimer(now);
  return item;
}

void MailQueue::State::SweepAges(base::WallTime now) {
  for (Age& age : ages_) {
    if (now < age.next) continue;
    age.next = base::WallTime::max();
    int left = kAgedAtOnce;
    for (std::size_t n = 0; n < partitions_.size(); ++n) {
      const QueuePartition& partition = *partitions_[n];
      const MailState* mail = partition.mails().Next(age.reached_by[n]);
      for (; mail != nullptr && left > 0 && now - mail->queued_at() >= age.age; --left) {
        Press(*mail, now);
        age.reached_by[n] = mail->index();
        mail = partition.mails().Next(age.reached_by[n]);
      }
      if (mail != nullptr) age.next = std::min(age.next, mail->queued_at() + age.age);
    }
  }
}

void MailQueue::State::Press(const MailState& mail, base::WallTime now) {
  for (const RecipientSlot& slot : mail.recipients()) {
    if (slot.item == kNoItem || slot.state != RecipientState::kWaiting || scheduler.IsClaimed(slot.item)) continue;
    scheduler.SetPressing(slot.item, true);
    scheduler.SetDue(slot.item, now);
  }
}

bool MailQueue::State::IsTooOld(const MailState& mail) const {
  return clock->WallNow() - mail.queued_at() >= options.retry.give_up_after;
}

void MailQueue::State::ArmTimer(base::WallTime now) {
  base::WallTime due = scheduler.NextDue().value_or(base::WallTime::max());
  for (const Age& age : ages_) due = std::min(due, age.next);
  if (due == base::WallTime::max() || armed_for_ == due) return;
  armed_for_ = due;
  const auto wait = std::clamp<std::chrono::microseconds>(due - now, std::chrono::microseconds(0), kSleepMax);
  timer_.expires_after(wait);
  timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
    if (error || alive.expired()) return;
    armed_for_.reset();
    Poke();
  });
}

}  // namespace queue
