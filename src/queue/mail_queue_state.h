// MailQueue::State: the partitions, their schedule, and those who wait for work.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "queue/mail_queue.h"
#include "queue/queue_partition.h"
#include "queue/scheduler.h"
#include "queue/wait_list.h"

namespace queue {

// Owned by MailQueue. Thread: the log's shard.
class MailQueue::State {
 public:
  State(async::Executor executor, replog::Log* in_log, const base::Clock* by_clock, Router by_router,
        MailQueueOptions with);

  replog::Log* const log;
  const base::Clock* const clock;
  const Router router;
  const MailQueueOptions options;
  SharedStrings strings;
  Scheduler scheduler;
  base::Random random;
  std::array<WaitList, kLaneCount> workers;
  bool serving = false;  // Replay is done.
  std::uint64_t recipients_claimed = 0;
  QueueStatus totals;  // Recipients claimed count as waiting here.

  // nullptr: not a queue partition of this node.
  QueuePartition* Find(replog::PartitionId id);
  MailState* FindMail(QueueId id);
  const MailState* FindMail(QueueId id) const { return const_cast<State*>(this)->FindMail(id); }
  std::uint32_t partition_count() const { return static_cast<std::uint32_t>(partitions_.size()); }
  replog::PartitionId PartitionFor(mail::Class cls);

  // Around every change of a mail, so that totals and schedule follow.
  void CountOut(const MailState& mail);
  void CountIn(const MailState& mail);
  // Gives a new mail its items, one a destination. `recipients` are those of its envelope.
  void Schedule(replog::PartitionId partition, MailState* mail, const std::vector<mail::Recipient>& recipients);
  void Reschedule(const MailState& mail);
  // When the first of an item's waiting recipients is due; nothing when none waits.
  static std::optional<base::WallTime> DueOf(const MailState& mail, ItemId item);
  // Not to be tried any more.
  bool IsTooOld(const MailState& mail) const;
  // Of a mail that goes.
  void Unschedule(const MailState& mail);
  // Somebody may have work now, or sooner than thought.
  void Poke();
  // Claims the next due item of a lane. Nothing: there is none now, and the timer is armed for the next.
  std::optional<ItemId> TakeDue(Lane lane);

 private:
  void ScheduleOne(replog::PartitionId partition, MailState* mail, const mail::Recipient& recipient);
  ItemId AddItem(replog::PartitionId partition, const MailState& mail, const std::string& destination);
  // Has mails claimed that have reached an age, some at a time.
  void SweepAges(base::WallTime now);
  void Press(const MailState& mail, base::WallTime now);
  // Wakes a worker when the next item becomes due, or a mail too old.
  void ArmTimer(base::WallTime now);

  std::vector<std::unique_ptr<QueuePartition>> partitions_;
  async::SteadyTimer timer_;
  std::optional<base::WallTime> armed_for_;
  std::uint32_t next_partition_ = 0;
  // How far the mails of each partition, which lie in the order of their age, have reached an age.
  struct Age {
    base::WallTime::duration age;
    std::vector<replog::Index> reached_by{};
    base::WallTime next = base::WallTime::max();  // When the next one reaches it; or earlier.
  };
  std::vector<Age> ages_;
  std::shared_ptr<bool> alive_ =
      std::make_shared<bool>(true);  // Owner: this; a timer's handler that is queued already asks it.
};

// Where mail of a class is written.
mffs::Stream StreamOf(mail::Class cls);

}  // namespace queue
