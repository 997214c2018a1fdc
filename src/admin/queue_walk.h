// QueueWalk: goes through the mails of the queue in the order of their ids, however many they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "async/turn.h"
#include "queue/mail_queue.h"

namespace admin {

// Few mails are copied at a time, and the shard is passed on every millisecond. What comes or goes meanwhile may be
// seen or not; what stays is seen once.
//
// Thread: the node's shard. Borrows the queue, which outlives it.
class QueueWalk {
 public:
  // Begins behind `after`.
  QueueWalk(const queue::MailQueue* queue, queue::QueueId after) : queue_(queue), after_(after) {}

  // The next few, at most `limit`; empty at the end. Valid until the next call.
  async::Task<std::span<const queue::QueuedMail>> Next(std::uint64_t limit);

  // The last mail that was given.
  queue::QueueId reached() const { return after_; }
  std::uint64_t examined() const { return examined_; }

 private:
  const queue::MailQueue* queue_;
  queue::QueueId after_;
  std::uint64_t examined_ = 0;
  std::vector<queue::QueuedMail> mails_;
  async::Turn turn_;
};

}  // namespace admin
