// Courier: the seam to where mail goes. Here: mailboxes of this node; next hops come with outgoing mail.
#pragma once

#include <vector>

#include "async/asio.h"
#include "queue/mail_queue.h"

namespace deliver {

// Thread: the queue's shard.
// Fault model: may be slow, may fail for some recipients and not for others; a second try for a recipient that had the
// mail already does no harm (mailboxes: by delivery id).
class Courier {
 public:
  virtual ~Courier() = default;
  // Tries every recipient of the claim; never fails as a whole. Adds to `outcomes`, which outlives the task, what
  // became of each as soon as it is known: what stands there when the task is cancelled did happen, except that a
  // kRetryLater may be the cancellation's doing.
  virtual async::Task<void> Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) = 0;
};

}  // namespace deliver
