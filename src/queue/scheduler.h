// Scheduler: which mail goes next to which destination. Pure: no clock, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/chunked_vector.h"
#include "base/clock.h"
#include "mail/class.h"
#include "queue/shared_strings.h"
#include "replog/types.h"

namespace queue {

using ItemId = std::uint32_t;
inline constexpr ItemId kNoItem = ~ItemId{0};

// What is scheduled: the recipients of one mail that have one destination.
struct ItemOwner {
  replog::PartitionId partition;
  replog::Index mail;
};

// Order: class first (known; normal and unjudged; bulk; suspect and held), then the time an attempt is due. A
// destination has at most `claims_max` claims at a time; what waits for it keeps no other destination waiting. Every
// call costs O(log n) of what waits.
//
// Thread: one. Item numbers are used again after Remove. Memory: 24 bytes an item, and 4 (up to 8 while a heap grows)
// while an attempt is planned.
class Scheduler {
 public:
  explicit Scheduler(std::uint32_t claims_max) : claims_max_(claims_max) {}

  // The item waits until somebody says when it is due.
  ItemId Add(ItemOwner owner, StringId destination, mail::Class cls);
  void Remove(ItemId item);
  // Nothing: no attempt is planned. Of a claimed item it counts once the claim ends.
  void SetDue(ItemId item, std::optional<base::WallTime> due);
  void SetClass(ItemId item, mail::Class cls);

  // The next item due at `now`, which is claimed then.
  std::optional<ItemId> Claim(base::WallTime now);
  void EndClaim(ItemId item);
  // What is due at `now` is ready from here on. Claim and HasDue do the same; told before a million items are added
  // that are due already, it spares them the way through the heap of those that are not.
  void Advance(base::WallTime now);
  // Claim would give an item.
  bool HasDue(base::WallTime now);
  // The latest time that it was told: a clock that was set back takes nothing back.
  base::WallTime now() const { return now_; }
  // The earliest time in the future at which something becomes due.
  std::optional<base::WallTime> NextDue() const;

  ItemOwner OwnerOf(ItemId item) const;
  StringId DestinationOf(ItemId item) const { return items_[item].destination; }
  bool IsClaimed(ItemId item) const { return items_[item].claimed; }
  std::size_t item_count() const { return items_.size() - free_.size(); }
  // Of all items, but not what there is once for each destination.
  std::size_t memory_bytes() const;

 private:
  static constexpr std::size_t kRanks = 4;
  static std::size_t RankOf(mail::Class cls);

  enum class In : std::uint8_t { kNoHeap, kTimed, kReady };
  // Packed, since there is one for each mail: 2^48 entries of a partition are more than a volume can write in its life,
  // 2^55 microseconds more than a thousand years.
  struct Item {
    std::uint64_t mail : 48 = 0;
    std::uint64_t partition : 16 = 0;  // The highest bit of its number, and the 15 lowest.
    std::int64_t due : 56 = 0;         // Microseconds since 1970.
    std::uint64_t rank : 2 = 0;
    In in : 2 = In::kNoHeap;
    bool planned : 1 = false;
    bool claimed : 1 = false;
    bool used : 1 = false;
    StringId destination = 0;
    std::uint32_t place = 0;  // In its heap.
  };
  static_assert(sizeof(Item) == 24);
  // A binary heap of items whose top is the earliest; of equal ones the one with the lowest number.
  using Heap = std::vector<ItemId>;
  struct Destination {
    std::uint32_t claims = 0;
    std::uint32_t items = 0;
    Heap ready[kRanks];
    // Under which it stands in ready_destinations_.
    std::optional<base::WallTime> listed[kRanks];
  };

  bool IsBefore(ItemId a, ItemId b) const;
  base::WallTime DueOf(ItemId item) const { return base::WallTime(base::WallTime::duration(items_[item].due)); }
  void Put(Heap* heap, std::size_t place, ItemId item);
  void SiftUp(Heap* heap, std::size_t place);
  void SiftDown(Heap* heap, std::size_t place);
  void Push(Heap* heap, ItemId item, In in);
  void Take(Heap* heap, ItemId item);
  void Enter(ItemId item);
  void Leave(ItemId item);
  void List(StringId id, Destination* destination, std::size_t rank);

  std::uint32_t claims_max_;
  base::ChunkedVector<Item> items_;
  std::vector<ItemId> free_;
  Heap timed_;
  base::WallTime now_;  // What is due up to here stands in the destinations' heaps.
  std::map<StringId, Destination> destinations_;
  // Those with something ready and claims to spare, by the due time of their first.
  std::set<std::pair<base::WallTime, StringId>> ready_destinations_[kRanks];
};

}  // namespace queue
