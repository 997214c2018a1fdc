// How queued mail looks in control answers and to the queue page's script.
#pragma once

#include <boost/json/object.hpp>

#include "admin/queue_selection.h"
#include "admin/queue_tally.h"
#include "base/clock.h"
#include "queue/mail_queue.h"

namespace admin {

// In a line of a list. A mail may have a thousand recipients: they are counted by state, and the first few that are in
// the selection are told in full ("first_recipients").
boost::json::object QueuedMailSummary(const queue::QueuedMail& mail, const QueueSelection& selection,
                                      base::WallTime now);
// With all recipients.
boost::json::object QueuedMailDetails(const queue::QueuedMail& mail, base::WallTime now);

boost::json::object ToJson(const TallyGroup& group, base::WallTime now);
// "by", "total", "groups" (at most `limit`), "group_count", "ages", and "rest" when not all have a group. A count by
// destination tells which are paused now, and why.
boost::json::object ToJson(const QueueTally& tally, std::size_t limit, const queue::MailQueue& mail_queue);

// The pause is not over: nothing is tried there now.
bool IsPaused(const queue::DestinationStatus& destination, base::WallTime now);

}  // namespace admin
