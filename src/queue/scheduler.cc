#include "queue/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace queue {
namespace {

constexpr std::uint32_t kHighestBit = 1u << 31;
constexpr std::uint32_t kLowBits = 0x7fff;
constexpr std::int64_t kDueMax = std::int64_t{1} << 54;

std::uint16_t Pack(replog::PartitionId partition) {
  const std::uint32_t id = partition.value();
  CHECK((id & ~(kHighestBit | kLowBits)) == 0);
  return static_cast<std::uint16_t>((id & kHighestBit) >> 16 | (id & kLowBits));
}
replog::PartitionId Unpack(std::uint32_t packed) {
  return replog::PartitionId((packed & (kHighestBit >> 16)) << 16 | (packed & kLowBits));
}

}  // namespace

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

ItemId Scheduler::Add(ItemOwner owner, StringId destination, mail::Class cls, Lane lane) {
  ItemId id = static_cast<ItemId>(items_.size());
  if (free_.empty()) {
    items_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Item& item = items_[id];
  item = {};
  CHECK(owner.mail.value() >> 48 == 0);
  item.mail = owner.mail.value();
  item.partition = Pack(owner.partition);
  item.destination = destination;
  item.rank = RankOf(cls);
  item.used = true;
  destinations_.try_emplace(destination, lane, limits_).first->second.items += 1;
  return id;
}

ItemOwner Scheduler::OwnerOf(ItemId id) const {
  const Item& item = items_[id];
  return {Unpack(item.partition), replog::Index(item.mail)};
}

std::size_t Scheduler::memory_bytes() const {
  std::size_t in_heaps = timed_.capacity();
  for (const auto& [id, destination] : destinations_) {
    for (const Heap& heap : destination.ready) in_heaps += heap.capacity();
  }
  return items_.memory_bytes() + (free_.capacity() + in_heaps) * sizeof(ItemId);
}

void Scheduler::Remove(ItemId id) {
  Item& item = items_[id];
  CHECK(item.used);
  if (item.claimed) EndClaim(id);
  Leave(id);
  item.used = false;
  free_.push_back(id);
  const auto found = destinations_.find(item.destination);
  found->second.items -= 1;
  if (found->second.items > 0) return;
  SetWake(found->first, &found->second, false);
  destinations_.erase(found);
}

void Scheduler::SetDue(ItemId id, std::optional<base::WallTime> due) {
  Item& item = items_[id];
  CHECK(item.used);
  Leave(id);
  item.planned = due.has_value();
  if (due.has_value()) {
    const std::int64_t micros = due->time_since_epoch().count();
    item.due = std::clamp(micros, -kDueMax, kDueMax);
  }
  Enter(id);
}

void Scheduler::SetClass(ItemId id, mail::Class cls) {
  Item& item = items_[id];
  if (item.rank == RankOf(cls)) return;
  Leave(id);
  item.rank = RankOf(cls);
  Enter(id);
}

void Scheduler::SetPressing(ItemId id, bool is_pressing) {
  Item& item = items_[id];
  CHECK(item.used);
  if (item.pressing == is_pressing) return;
  Leave(id);
  item.pressing = is_pressing;
  Enter(id);
}

std::optional<ItemId> Scheduler::Claim(base::WallTime now, Lane lane) {
  Advance(now);
  for (const ByTime& ready : ready_destinations_[static_cast<std::size_t>(lane)]) {
    if (ready.empty()) continue;
    const StringId id = ready.begin()->second;
    const auto heap = static_cast<std::size_t>(&ready - ready_destinations_[static_cast<std::size_t>(lane)]);
    Destination& destination = destinations_.at(id);
    const ItemId item = destination.ready[heap].front();
    Take(&destination.ready[heap], item);
    items_[item].claimed = true;
    items_[item].planned = false;
    destination.claims += 1;
    ListAll(id, &destination);
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
  ListAll(item.destination, &destination);
}

bool Scheduler::HasDue(base::WallTime now, Lane lane) {
  Advance(now);
  return std::ranges::any_of(ready_destinations_[static_cast<std::size_t>(lane)],
                             [](const ByTime& destinations) { return !destinations.empty(); });
}

std::optional<base::WallTime> Scheduler::NextDue() const {
  std::optional<base::WallTime> next;
  if (!timed_.empty()) next = DueOf(timed_.front());
  if (!paused_.empty()) next = std::min(next.value_or(base::WallTime::max()), paused_.begin()->first);
  return next;
}

// --- Destinations ---

void Scheduler::Report(StringId id, Reach reach, const std::string& reason, base::WallTime now) {
  Advance(now);
  Destination& destination = destinations_.at(id);
  if (reach == Reach::kReached) {
    destination.health.Reached(limits_);
    destination.reason.reset();
    SetWake(id, &destination, false);
  } else if (destination.health.Failed(limits_, now_)) {
    destination.reason = std::make_unique<std::string>(reason);
    SetWake(id, &destination, true);
  }
  ListAll(id, &destination);
}

void Scheduler::EndPause(StringId id, base::WallTime now) {
  Advance(now);
  Destination& destination = destinations_.at(id);
  SetWake(id, &destination, false);
  destination.health.EndPause(now_);
  ListAll(id, &destination);
}

DestinationStatus Scheduler::StatusOf(StringId id) const {
  const Destination& destination = destinations_.at(id);
  DestinationStatus status{.destination = {},
                           .items = destination.items,
                           .claims = destination.claims,
                           .claims_limit = ClaimsAllowed(destination)};
  if (destination.health.is_paused()) status.paused_until = destination.health.paused_until();
  if (destination.reason != nullptr) status.reason = *destination.reason;
  return status;
}

std::vector<StringId> Scheduler::Destinations() const {
  std::vector<StringId> ids;
  ids.reserve(destinations_.size());
  for (const auto& [id, destination] : destinations_) ids.push_back(id);
  return ids;
}

std::uint32_t Scheduler::ClaimsAllowed(const Destination& destination) const {
  // Mailboxes are always reached, and nobody reports about them.
  if (destination.lane == Lane::kLocal) return limits_.claims_max;
  return std::min(destination.health.ClaimsAllowed(now_), limits_.claims_max);
}

void Scheduler::SetWake(StringId id, Destination* destination, bool wakes) {
  // A pause begins after the last one is over, so that what stands in paused_ is the pause in force.
  if (destination->wakes == wakes) return;
  destination->wakes = wakes;
  const std::pair entry(destination->health.paused_until(), id);
  if (wakes) {
    paused_.insert(entry);
  } else {
    paused_.erase(entry);
  }
}

// --- Heaps ---

bool Scheduler::IsBefore(ItemId a, ItemId b) const {
  const std::int64_t due_a = items_[a].due;
  const std::int64_t due_b = items_[b].due;
  return due_a != due_b ? due_a < due_b : a < b;
}

void Scheduler::Put(Heap* heap, std::size_t place, ItemId item) {
  (*heap)[place] = item;
  items_[item].place = static_cast<std::uint32_t>(place);
}

void Scheduler::SiftUp(Heap* heap, std::size_t place) {
  const ItemId item = (*heap)[place];
  while (place > 0) {
    const std::size_t parent = (place - 1) / 2;
    if (!IsBefore(item, (*heap)[parent])) break;
    Put(heap, place, (*heap)[parent]);
    place = parent;
  }
  Put(heap, place, item);
}

void Scheduler::SiftDown(Heap* heap, std::size_t place) {
  const ItemId item = (*heap)[place];
  for (std::size_t child = 2 * place + 1; child < heap->size(); child = 2 * place + 1) {
    if (child + 1 < heap->size() && IsBefore((*heap)[child + 1], (*heap)[child])) ++child;
    if (!IsBefore((*heap)[child], item)) break;
    Put(heap, place, (*heap)[child]);
    place = child;
  }
  Put(heap, place, item);
}

void Scheduler::Push(Heap* heap, ItemId item, In in) {
  items_[item].in = in;
  heap->push_back(item);
  SiftUp(heap, heap->size() - 1);
}

void Scheduler::Take(Heap* heap, ItemId item) {
  const std::size_t place = items_[item].place;
  CHECK(place < heap->size() && (*heap)[place] == item);
  items_[item].in = In::kNoHeap;
  const ItemId last = heap->back();
  heap->pop_back();
  if (last != item) {
    Put(heap, place, last);
    SiftUp(heap, place);
    SiftDown(heap, items_[last].place);
  }
  // A backlog that is gone gives its memory back.
  if (heap->size() < heap->capacity() / 4) heap->shrink_to_fit();
}

void Scheduler::Enter(ItemId id) {
  const Item& item = items_[id];
  if (!item.planned || item.claimed) return;
  if (DueOf(id) > now_) {
    Push(&timed_, id, In::kTimed);
    return;
  }
  Destination& destination = destinations_.at(item.destination);
  Push(&destination.ready[HeapOf(item)], id, In::kReady);
  List(item.destination, &destination, HeapOf(item));
}

void Scheduler::Leave(ItemId id) {
  const Item& item = items_[id];
  if (item.in == In::kNoHeap) return;
  if (item.in == In::kTimed) {
    Take(&timed_, id);
    return;
  }
  Destination& destination = destinations_.at(item.destination);
  Take(&destination.ready[HeapOf(item)], id);
  List(item.destination, &destination, HeapOf(item));
}

void Scheduler::Advance(base::WallTime now) {
  // A clock that was set back takes nothing back: what was due stays due.
  now_ = std::max(now_, now);
  while (!timed_.empty() && DueOf(timed_.front()) <= now_) {
    const ItemId id = timed_.front();
    Take(&timed_, id);
    const Item& item = items_[id];
    Destination& destination = destinations_.at(item.destination);
    Push(&destination.ready[HeapOf(item)], id, In::kReady);
    List(item.destination, &destination, HeapOf(item));
  }
  while (!paused_.empty() && paused_.begin()->first <= now_) {
    const StringId id = paused_.begin()->second;
    Destination& destination = destinations_.at(id);
    SetWake(id, &destination, false);
    ListAll(id, &destination);
  }
}

void Scheduler::ListAll(StringId id, Destination* destination) {
  for (std::size_t heap = 0; heap < kHeaps; ++heap) List(id, destination, heap);
}

void Scheduler::List(StringId id, Destination* destination, std::size_t heap) {
  const Heap& ready = destination->ready[heap];
  const std::uint32_t allowed = ClaimsAllowed(*destination);
  const bool may_claim = destination->claims < allowed || (heap == kPressing && allowed == 0);
  std::optional<base::WallTime> due;
  if (may_claim && !ready.empty()) due = DueOf(ready.front());
  std::optional<base::WallTime>& listed = destination->listed[heap];
  if (listed == due) return;
  ByTime& destinations = ready_destinations_[static_cast<std::size_t>(destination->lane)][heap];
  if (listed.has_value()) destinations.erase({*listed, id});
  if (due.has_value()) destinations.insert({*due, id});
  listed = due;
}

}  // namespace queue
