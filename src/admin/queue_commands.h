// QueueCommands: queue.list, queue.show, queue.hold, queue.release, queue.requeue, queue.remove.
#pragma once

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "base/clock.h"
#include "base/result.h"
#include "queue/mail_queue.h"

namespace admin {

// Thread: the node's shard. A list tells of each mail in a few numbers, since a mail may have a thousand recipients;
// `show` tells all of one.
class QueueCommands {
 public:
  // Both borrowed, outlive this.
  QueueCommands(queue::MailQueue* queue, const base::Clock* clock) : queue_(queue), clock_(clock) {}

  void AddTo(CommandTable* table);

 private:
  using Answer = async::Task<base::Result<boost::json::object>>;
  using Control = async::Task<base::Result<>> (queue::MailQueue::*)(queue::QueueId);
  Answer List(Arguments arguments);
  Answer Show(Arguments arguments);
  Answer Change(Control control, Arguments arguments);

  queue::MailQueue* queue_;
  const base::Clock* clock_;
};

// A mail of the queue in a line of the list, and in full.
boost::json::object QueuedMailSummary(const queue::QueuedMail& mail, base::WallTime now);
boost::json::object QueuedMailDetails(const queue::QueuedMail& mail, base::WallTime now);

}  // namespace admin
