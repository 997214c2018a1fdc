#include "replog/partition.h"

#include <unordered_set>

#include "replog/moved_places.h"
#include "replog/pending.h"

namespace replog {

std::vector<mffs::Location> PiecesOnlyOf(const Snapshot& snapshot, const Snapshot& other) {
  std::unordered_set<mffs::Location, PlaceHash> shared;
  for (const PiecePlace& piece : other.pieces) shared.insert(piece.location);
  std::vector<mffs::Location> only;
  for (const PiecePlace& piece : snapshot.pieces) {
    if (!shared.contains(piece.location)) only.push_back(piece.location);
  }
  return only;
}

void PendingList::PushBack(Pending* pending) {
  pending->next = nullptr;
  (last == nullptr ? first : last->next) = pending;
  last = pending;
}

Pending* PendingList::PopFront() {
  Pending* front = first;
  first = front->next;
  if (first == nullptr) last = nullptr;
  front->next = nullptr;
  return front;
}

mffs::Lsn Partition::NeededAfter(mffs::Lsn otherwise) const {
  mffs::Lsn after = otherwise;
  if (!tail.empty()) after = std::min(after, tail.after());
  if (!moves.empty()) after = std::min(after, moves.front().after);
  if (writing != nullptr) after = std::min(after, writing->after);
  if (written != nullptr) after = std::min(after, written->after);
  return after;
}

PartitionTable::PartitionTable(std::uint32_t mailbox_count, std::uint32_t queue_count, TailTotals* totals)
    : mailboxes_(mailbox_count), queues_(queue_count), totals_(totals) {}

Partition* PartitionTable::Find(PartitionId id) {
  const bool is_queue = IsQueue(id);
  Slots& slots = is_queue ? queues_ : mailboxes_;
  const std::uint32_t n = is_queue ? id.value() - kFirstQueuePartition.value() : id.value();
  if (n >= slots.size()) return nullptr;
  if (slots[n] == nullptr) slots[n] = std::make_unique<Partition>(id, totals_);
  return slots[n].get();
}

std::vector<Partition*> PartitionTable::All() const {
  std::vector<Partition*> all;
  for (const Slots* slots : {&mailboxes_, &queues_}) {
    for (const auto& partition : *slots) {
      if (partition != nullptr) all.push_back(partition.get());
    }
  }
  return all;
}

}  // namespace replog
