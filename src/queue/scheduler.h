// Scheduler: which mail goes next to which destination. Pure: no clock, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

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
// call costs O(log n) of what waits, amortised: heap entries of items that changed are left behind and dropped when
// they come up, or all at once when they are half of a heap.
//
// Thread: one. Item numbers are used again after Remove.
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
  // Claim would give an item.
  bool HasDue(base::WallTime now);
  // The latest time that it was told: a clock that was set back takes nothing back.
  base::WallTime now() const { return now_; }
  // The earliest time in the future at which something becomes due.
  std::optional<base::WallTime> NextDue();

  const ItemOwner& OwnerOf(ItemId item) const { return items_[item].owner; }
  StringId DestinationOf(ItemId item) const { return items_[item].destination; }
  bool IsClaimed(ItemId item) const { return items_[item].claimed; }
  std::size_t item_count() const { return items_.size() - free_.size(); }

 private:
  static constexpr std::size_t kRanks = 4;
  static std::size_t RankOf(mail::Class cls);

  struct Item {
    ItemOwner owner;
    base::WallTime due;
    StringId destination = 0;
    std::uint32_t stamp = 0;  // Raised at each change: heap entries with another one are stale.
    std::uint8_t rank = 0;
    bool planned = false;
    bool claimed = false;
    bool used = false;
  };
  struct HeapEntry {
    base::WallTime due;
    ItemId item = 0;
    std::uint32_t stamp = 0;
    // For a heap whose top is the earliest; of equal ones the one that was there first.
    friend bool operator<(const HeapEntry& a, const HeapEntry& b) {
      return std::tie(a.due, a.item) > std::tie(b.due, b.item);
    }
  };
  // Entries of items that may have changed since.
  struct Heap {
    std::vector<HeapEntry> entries;
    std::size_t stale = 0;
  };
  struct Destination {
    std::uint32_t claims = 0;
    std::uint32_t items = 0;
    Heap ready[kRanks];
    // Under which it stands in ready_destinations_.
    std::optional<base::WallTime> listed[kRanks];
  };

  bool IsStale(const HeapEntry& entry) const;
  void Push(Heap* heap, const HeapEntry& entry);
  // The top that is not stale; nullptr when there is none.
  const HeapEntry* Top(Heap* heap);
  void Pop(Heap* heap);
  void Enter(ItemId item);
  void Leave(Item* item);
  void MoveDueToReady(base::WallTime now);
  void List(StringId id, Destination* destination, std::size_t rank);

  std::uint32_t claims_max_;
  std::vector<Item> items_;
  std::vector<ItemId> free_;
  Heap timed_;
  base::WallTime now_;  // What is due up to here stands in the destinations' heaps.
  std::map<StringId, Destination> destinations_;
  // Those with something ready and claims to spare, by the due time of their first.
  std::set<std::pair<base::WallTime, StringId>> ready_destinations_[kRanks];
};

}  // namespace queue
