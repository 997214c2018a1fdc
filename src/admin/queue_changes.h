// QueueChanges: queue.hold, queue.release, queue.requeue, queue.remove: of one mail, or of all that match.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "admin/queue_selection.h"
#include "async/task_group.h"
#include "base/clock.h"
#include "base/result.h"
#include "queue/mail_queue.h"

namespace admin {

// A change of many mails comes in steps, a request each: so many mails are looked at or changed at most, and the answer
// has the place to go on from. So no request is long, nothing of one is kept here, and a client that goes ends it.
//
// Hold, release and requeue change whole mails: all that have a recipient in the selection. Remove takes only mails all
// of whose remaining recipients are in it, unless it is told otherwise: what others wait for is not thrown away by the
// way. Requeue also ends the pauses of the destinations that are selected.
//
// Thread: the node's shard. The changes of a step wait for the disk together. Await Stop() before destruction, and
// before the log stops.
class QueueChanges {
 public:
  // Both borrowed, outlive this.
  QueueChanges(async::Executor executor, queue::MailQueue* queue, const base::Clock* clock)
      : queue_(queue), clock_(clock), changes_(std::move(executor), "queue changes") {}

  void AddTo(CommandTable* table);
  async::Task<void> Stop() { return changes_.Stop(); }

 private:
  using Answer = async::Task<base::Result<boost::json::object>>;
  enum class Verb : std::uint8_t { kHold, kRelease, kRequeue, kRemove };
  struct Batch;

  Answer Change(Verb verb, Arguments arguments);
  Answer ChangeOne(Verb verb, Arguments arguments);
  Answer ChangeMany(Verb verb, Arguments arguments);
  async::Task<base::Result<>> Apply(Verb verb, queue::QueueId id, std::string by);
  async::Task<void> ApplyInBatch(Verb verb, queue::QueueId id, std::string by, std::shared_ptr<Batch> batch);
  async::Task<base::Result<std::uint64_t>> ApplyToAll(Verb verb, std::vector<queue::QueueId> ids, std::string by);
  // Those of the destinations that are paused are tried now; gives how many. A dry run only counts.
  std::uint64_t EndPauses(const std::set<std::string>& destinations, bool dry_run);
  // Whether it is another mail afterwards.
  static bool Changes(Verb verb, const queue::QueuedMail& mail, base::WallTime now);

  queue::MailQueue* queue_;
  const base::Clock* clock_;
  async::TaskGroup changes_;
};

}  // namespace admin
