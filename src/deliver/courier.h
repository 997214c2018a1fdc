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
  // Tries every recipient of the claim and tells what became of each; never fails as a whole.
  virtual async::Task<std::vector<queue::RecipientOutcome>> Deliver(queue::Claim claim) = 0;
};

}  // namespace deliver
