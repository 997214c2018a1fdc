// QueueCommands: queue.list, queue.tally, queue.show, queue.cat: what waits, and why.
#pragma once

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "base/clock.h"
#include "base/result.h"
#include "queue/mail_queue.h"

namespace admin {

// Thread: the node's shard. A request looks at so many mails at most, in turns: one that asks for few among a million
// gets its answer in several, each with a place to go on from.
class QueueCommands {
 public:
  // Both borrowed, outlive this.
  QueueCommands(queue::MailQueue* queue, const base::Clock* clock) : queue_(queue), clock_(clock) {}

  void AddTo(CommandTable* table);

 private:
  using Answer = async::Task<base::Result<boost::json::object>>;
  Answer List(Arguments arguments);
  Answer Tally(Arguments arguments);
  Answer Show(Arguments arguments);
  Answer Cat(Arguments arguments);

  queue::MailQueue* queue_;
  const base::Clock* clock_;
};

// The argument "id", and one that may be absent. Errors: kInvalid.
base::Result<queue::QueueId> QueueIdOf(const Arguments& arguments);
base::Result<queue::QueueId> PlaceIn(const Arguments& arguments);
base::Error NoSuchQueuedMail(queue::QueueId id);

// Mails that one request looks at.
inline constexpr std::uint64_t kExaminedMax = 20'000;

}  // namespace admin
