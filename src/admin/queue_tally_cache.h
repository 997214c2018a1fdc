// QueueTallyCache: the queue counted for those who watch it, without counting a million mails anew for each look.
#pragma once

#include <array>
#include <chrono>
#include <memory>

#include "admin/queue_tally.h"
#include "async/asio.h"
#include "async/notifier.h"
#include "base/clock.h"
#include "queue/mail_queue.h"

namespace admin {

// A count is given again until it is twenty times as old as it took to make: watching takes a twentieth of the shard at
// most, and a queue of ordinary size is counted anew at each look.
//
// Thread: the node's shard. Borrows queue and clock, which outlive it; outlives the tasks that called Get().
class QueueTallyCache {
 public:
  QueueTallyCache(async::Executor executor, const queue::MailQueue* queue, const base::Clock* clock);

  // Of the whole queue.
  async::Task<std::shared_ptr<const QueueTally>> Get(TallyBy by);

 private:
  static constexpr std::size_t kKinds = 3;
  struct Kept {
    std::shared_ptr<const QueueTally> tally;  // Owners: this, and the answers that are being made of it.
    std::chrono::steady_clock::time_point fresh_until;
    bool is_counting = false;
  };
  async::Task<void> Count(TallyBy by, Kept* kept);

  const queue::MailQueue* queue_;
  const base::Clock* clock_;
  std::array<Kept, kKinds> kept_;
  async::Notifier counted_;
};

}  // namespace admin
