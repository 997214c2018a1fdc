// For tests of whatever stands on the queue: a mail put into it from a text.
#pragma once

#include <string>
#include <utility>

#include "queue/mail_queue.h"

namespace queue {

// `queue` outlives the task.
inline async::Task<base::Result<QueueId>> EnqueueText(MailQueue* queue, mail::Envelope envelope, std::string text) {
  replog::BodyWriter writer = queue->NewBody(envelope.cls);
  CO_RETURN_IF_ERROR(co_await writer.Write(text));
  ASSIGN_OR_CO_RETURN(replog::Body body, co_await writer.Finish());
  co_return co_await queue->Enqueue(std::move(envelope), std::move(body));
}

}  // namespace queue
