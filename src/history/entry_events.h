// What the entries of the logs tell of mails, as events.
#pragma once

#include <optional>

#include "base/clock.h"
#include "history/event.h"
#include "replog/types.h"

namespace history {

// Of a mailbox partition: a delivery that did not come from the queue. Nothing: another entry, or one that cannot be
// read.
std::optional<Event> EventOfMailboxEntry(const replog::EntryView& entry);

// Of a queue partition: what became of a queued mail. Nothing: an entry that cannot be read.
std::optional<Event> EventOfQueueEntry(const replog::EntryView& entry);
// The mail that the entry queues: its own, or the notice of an outcome. Nothing: it queues none.
std::optional<Event> ArrivalOfQueueEntry(const replog::EntryView& entry);

}  // namespace history
