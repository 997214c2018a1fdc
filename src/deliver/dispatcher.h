// Dispatcher: deliverd's head. Takes due claims of one lane from the queue and gives each to a courier; a bounded
// number at once.
#pragma once

#include <chrono>
#include <cstdint>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "deliver/courier.h"
#include "deliver/delivery_metrics.h"
#include "deliver/notices.h"
#include "queue/mail_queue.h"

namespace deliver {

struct DispatcherOptions {
  queue::Lane lane = queue::Lane::kLocal;
  // Claims under way at once. Mailboxes need few, since nothing there waits but for the disk. Next hops need many: one
  // that hangs keeps as many workers as its destination has claims, for as long as its time-outs are.
  std::uint32_t workers = 8;
  std::chrono::milliseconds record_retry{1000};  // After an outcome could not be written.
  // How long Stop() lets deliveries go on that are under way. A mailbox can be told the same twice; a next hop that has
  // the whole mail and could not yet say so would get it again after the next start.
  std::chrono::milliseconds stop_grace{0};
  DeliveryMetrics metrics{};
};

// Each lane has a dispatcher of its own with its own courier, so that next hops that hang never take the workers of
// mailboxes. A claim for a paused destination is recorded without troubling the courier.
//
// Thread: the queue's shard. Borrows queue, courier and notices. Start() once, then await Stop() before
// destruction.
// Of a claim that is under way at Stop() what became of its recipients so far is recorded; the others stay due as they
// were, and delivery ids keep the mailboxes from getting the mail twice.
class Dispatcher {
 public:
  Dispatcher(async::Executor executor, queue::MailQueue* queue, Courier* courier, Notices* notices,
             DispatcherOptions options);

  void Start();
  async::Task<void> Stop();

 private:
  async::Task<void> Work();
  async::Task<void> AwaitIdle();
  // Has the claim delivered and recorded. Errors: those of MailQueue::Record.
  async::Task<base::Result<>> Serve(queue::Claim claim);

  queue::MailQueue* queue_;
  Courier* courier_;
  Notices* notices_;
  DispatcherOptions options_;
  async::TaskGroup workers_;
  async::Notifier ended_;  // Of each claim, once it is draining.
  std::uint32_t under_way_ = 0;
  bool is_draining_ = false;  // Takes no more claims.
};

}  // namespace deliver
