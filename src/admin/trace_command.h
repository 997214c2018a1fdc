// TraceCommand: trace.find: what became of a mail, from the history and the queue.
#pragma once

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "base/clock.h"
#include "base/result.h"
#include "history/history.h"
#include "queue/mail_queue.h"

namespace admin {

// Thread: the node's shard. All borrowed. Without a history every question is refused.
class TraceCommand {
 public:
  TraceCommand(history::History* history, const queue::MailQueue* queue, const base::Clock* clock)
      : history_(history), queue_(queue), clock_(clock) {}

  void AddTo(CommandTable* table);

 private:
  async::Task<base::Result<boost::json::object>> Find(Arguments arguments);

  history::History* history_;
  const queue::MailQueue* queue_;
  const base::Clock* clock_;
};

}  // namespace admin
