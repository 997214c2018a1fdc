#include "queue/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace queue {

std::size_t Scheduler::RankOf(mail::Class cls) {
  switch (cls) {
    case mail::Class::kKnown:
      return 0;
    case mail::Class::kNormal:
    case mail::Class::kUnjudged:
      return 1;
    case mail::Class::kBulk:
      return 2;
    case mail::Class::kSuspect:
    case mail::Class::kHeld:
      break;
  }
  return 3;
}

ItemId Scheduler::Add(ItemOwner owner, StringId destination, mail::Class cls) {
  ItemId id = static_cast<ItemId>(items_.size());
  if (free_.empty()) {
    items_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Item& item = items_[id];
  item.owner = owner;
  item.destination = destination;
  item.rank = static_cast<std::uint8_t>(RankOf(cls));
  item.planned = false;
  item.claimed = false;
  item.used = true;
  destinations_[destination].items += 1;
  return id;
}

void Scheduler::Remove(ItemId id) {
  Item& item = items_[id];
  CHECK(item.used);
  if (item.claimed) EndClaim(id);
  Leave(&item);
  item.used = false;
  free_.push_back(id);
  const auto found = destinations_.find(item.destination);
  found->second.items -= 1;
  if (found->second.items > 0) return;
  for (std::size_t rank = 0; rank < kRanks; ++rank) List(found->first, &found->second, rank);
  destinations_.erase(found);
}

void Scheduler::SetDue(ItemId id, std::optional<base::WallTime> due) {
  Item& item = items_[id];
  CHECK(item.used);
  Leave(&item);
  item.planned = due.has_value();
  if (due.has_value()) item.due = *due;
  Enter(id);
}

void Scheduler::SetClass(ItemId id, mail::Class cls) {
  Item& item = items_[id];
  Leave(&item);
  item.rank = static_cast<std::uint8_t>(RankOf(cls));
  Enter(id);
}

std::optional<ItemId> Scheduler::Claim(base::WallTime now) {
  if (!HasDue(now)) return std::nullopt;
  for (std::size_t rank = 0; rank < kRanks; ++rank) {
    if (ready_destinations_[rank].empty()) continue;
    const StringId id = ready_destinations_[rank].begin()->second;
    Destination& destination = destinations_.at(id);
    const ItemId item = Top(&destination.ready[rank])->item;
    Pop(&destination.ready[rank]);
    items_[item].claimed = true;
    items_[item].planned = false;
    items_[item].stamp += 1;
    destination.claims += 1;
    for (std::size_t r = 0; r < kRanks; ++r) List(id, &destination, r);
    return item;
  }
  return std::nullopt;
}

void Scheduler::EndClaim(ItemId id) {
  Item& item = items_[id];
  CHECK(item.claimed);
  item.claimed = false;
  Destination& destination = destinations_.at(item.destination);
  CHECK(destination.claims > 0);
  destination.claims -= 1;
  Enter(id);
  for (std::size_t rank = 0; rank < kRanks; ++rank) List(item.destination, &destination, rank);
}

bool Scheduler::HasDue(base::WallTime now) {
  MoveDueToReady(now);
  return std::ranges::any_of(ready_destinations_, [](const auto& destinations) { return !destinations.empty(); });
}

std::optional<base::WallTime> Scheduler::NextDue() {
  const HeapEntry* top = Top(&timed_);
  if (top == nullptr) return std::nullopt;
  return top->due;
}

bool Scheduler::IsStale(const HeapEntry& entry) const {
  return items_[entry.item].stamp != entry.stamp;
}

void Scheduler::Push(Heap* heap, const HeapEntry& entry) {
  if (heap->stale * 2 > heap->entries.size()) {
    std::erase_if(heap->entries, [this](const HeapEntry& e) { return IsStale(e); });
    std::make_heap(heap->entries.begin(), heap->entries.end());
    heap->stale = 0;
  }
  heap->entries.push_back(entry);
  std::push_heap(heap->entries.begin(), heap->entries.end());
}

const Scheduler::HeapEntry* Scheduler::Top(Heap* heap) {
  while (!heap->entries.empty() && IsStale(heap->entries.front())) {
    Pop(heap);
    if (heap->stale > 0) heap->stale -= 1;
  }
  return heap->entries.empty() ? nullptr : &heap->entries.front();
}

void Scheduler::Pop(Heap* heap) {
  std::pop_heap(heap->entries.begin(), heap->entries.end());
  heap->entries.pop_back();
}

void Scheduler::Enter(ItemId id) {
  const Item& item = items_[id];
  if (!item.planned || item.claimed) return;
  const HeapEntry entry{item.due, id, item.stamp};
  if (item.due > now_) {
    Push(&timed_, entry);
    return;
  }
  Destination& destination = destinations_.at(item.destination);
  Push(&destination.ready[item.rank], entry);
  List(item.destination, &destination, item.rank);
}

void Scheduler::Leave(Item* item) {
  item->stamp += 1;
  if (!item->planned || item->claimed) return;
  if (item->due > now_) {
    timed_.stale += 1;
    return;
  }
  Destination& destination = destinations_.at(item->destination);
  destination.ready[item->rank].stale += 1;
  List(item->destination, &destination, item->rank);
}

void Scheduler::MoveDueToReady(base::WallTime now) {
  // A clock that was set back takes nothing back: what was due stays due.
  now_ = std::max(now_, now);
  while (const HeapEntry* top = Top(&timed_)) {
    if (top->due > now_) break;
    const HeapEntry entry = *top;
    Pop(&timed_);
    const Item& item = items_[entry.item];
    Destination& destination = destinations_.at(item.destination);
    Push(&destination.ready[item.rank], entry);
    List(item.destination, &destination, item.rank);
  }
}

void Scheduler::List(StringId id, Destination* destination, std::size_t rank) {
  const HeapEntry* top = destination->claims < claims_max_ ? Top(&destination->ready[rank]) : nullptr;
  std::optional<base::WallTime>& listed = destination->listed[rank];
  if (listed.has_value() && (top == nullptr || *listed != top->due)) {
    ready_destinations_[rank].erase({*listed, id});
    listed.reset();
  }
  if (top != nullptr && !listed.has_value()) {
    ready_destinations_[rank].insert({top->due, id});
    listed = top->due;
  }
}

}  // namespace queue
