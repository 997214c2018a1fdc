// SettledMarks: what the mailbox partitions were told of the mail that left the queue, so that they can forget its
// delivery ids.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "queue/mail_queue.h"
#include "store/mail_store.h"

namespace deliver {

struct SettledMarksOptions {
  // A mailbox partition is told once a queue partition has moved on by so many entries: what it keeps grows by the ids
  // of those, and telling costs an entry of several kilobytes when many mails wait.
  std::uint64_t step = 4096;
  // Mails that may stay behind in a queue partition without keeping the ids of all that came after them.
  std::size_t except_max = 4096;
};

// Thread: the queue's shard. Borrows the queue. Memory: three words for each pair of a mailbox and a queue partition.
// After a restart everybody is told anew.
class SettledMarks {
 public:
  SettledMarks(const queue::MailQueue* queue, SettledMarksOptions options) : queue_(queue), options_(options) {}

  // What to tell `mailboxes` with a delivery from `from`; mostly nothing.
  std::optional<store::Settled> News(replog::PartitionId mailboxes, replog::PartitionId from);
  // It was told: to be called once the delivery is committed.
  void Told(replog::PartitionId mailboxes, const store::Settled& settled);

 private:
  struct Mark {
    replog::Index told;       // Everything below, but for exceptions.
    replog::Index looked_at;  // The queue partition's last entry when News last looked closely.
    bool known = false;
  };
  using Pair = std::pair<replog::PartitionId, replog::PartitionId>;

  const queue::MailQueue* queue_;
  SettledMarksOptions options_;
  std::map<Pair, Mark> marks_;
};

}  // namespace deliver
