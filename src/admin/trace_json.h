// The life of a mail as trace.find answers it. docs/cli.md, "Tracing a mail"
#pragma once

#include <boost/json/object.hpp>

#include "base/clock.h"
#include "history/finder.h"
#include "queue/mail_queue.h"

namespace admin {

// Where it is now comes from the queue while it is there.
boost::json::object ToJson(const history::TracedMail& mail, const queue::MailQueue& mail_queue, base::WallTime now);

}  // namespace admin
