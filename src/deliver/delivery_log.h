// The log line of each delivery: what became of one recipient in one attempt.
#pragma once

#include "base/clock.h"
#include "queue/mail_queue.h"

namespace deliver {

// `delivery id= queue_id= from= to= relay= delay= dsn= status= answer=`; docs/operations.md says what each field means.
// `relay`: who took or refused the mail, "none" when nobody was reached. `dsn`: the
// outcome's status (RFC 3463), else the one that its answer begins with.
void LogDelivery(const queue::Claim& claim, const queue::RecipientOutcome& outcome, base::WallTime now);

}  // namespace deliver
