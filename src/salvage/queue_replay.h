// QueueReplay: the mails of the queue partitions, from their snapshots and entries, without a node.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "queue/queue_partition.h"
#include "replog/types.h"

namespace salvage {

// Thread: one. The state is the queue's own (queue::QueuePartition). Memory: as the queue of a node.
class QueueReplay {
 public:
  // What the partition had before is dropped.
  void BeginSnapshot(replog::PartitionId partition);
  // Errors: kCorrupt, kUnsupported: nothing of the piece counts.
  base::Result<> LoadPiece(replog::PartitionId partition, std::string_view piece);
  // Errors: kCorrupt, kUnsupported: the entry is left out.
  base::Result<> Apply(const replog::EntryView& entry);

  // Bodies that their mails have given up since the last call.
  std::vector<std::pair<replog::PartitionId, replog::BodyId>> TakeReleased() { return std::exchange(released_, {}); }

  // The first mail after this one, partition by partition; nothing at the end. Begin with {0, 0}.
  std::optional<std::pair<replog::PartitionId, queue::SavedMail>> Next(replog::PartitionId partition,
                                                                       replog::Index after) const;

 private:
  struct Partition {
    explicit Partition(queue::SharedStrings* strings) : state(strings) {}
    queue::QueuePartition state;
    replog::Index last;  // Added; a table takes mails in the order of their indexes only.
  };
  Partition& PartitionOf(replog::PartitionId partition);
  base::Result<> Enqueue(const replog::EntryView& entry, Partition* partition, const queue::EnqueueEntry& enqueue);
  void Record(replog::PartitionId id, Partition* partition, const queue::OutcomeEntry& outcome);
  void Erase(replog::PartitionId id, Partition* partition, queue::MailState* mail);

  queue::SharedStrings strings_;
  std::map<replog::PartitionId, std::unique_ptr<Partition>> partitions_;
  std::vector<std::pair<replog::PartitionId, replog::BodyId>> released_;
};

}  // namespace salvage
