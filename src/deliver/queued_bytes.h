// QueuedBytes: the bytes of a mail in the queue as an SMTP client reads them.
#pragma once

#include "queue/mail_queue.h"
#include "smtp/client/client_session.h"

namespace deliver {

// Thread: the queue's, which is borrowed. Keeps no bytes: the reader says how many it wants in memory.
class QueuedBytes final : public smtp::MailBytes {
 public:
  QueuedBytes(queue::MailQueue* queue, const queue::Claim& claim) : queue_(queue) {
    // Without the envelope, which may have a thousand recipients: each read takes a copy.
    claim_.id = claim.id;
    claim_.body = claim.body;
  }
  std::uint64_t size_bytes() const override { return claim_.body.size_bytes; }
  async::Task<base::Result<std::string>> Read(std::uint64_t offset, std::uint64_t size) override {
    return queue_->ReadBody(claim_, offset, size);
  }

 private:
  queue::MailQueue* queue_;
  queue::Claim claim_;
};

}  // namespace deliver
