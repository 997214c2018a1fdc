// Scheduler: which mail goes next to which destination. Pure: no clock, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/chunked_vector.h"
#include "base/clock.h"
#include "mail/class.h"
#include "queue/destination.h"
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

// Order: class first (known; normal and unjudged; bulk; suspect and held), then the time an attempt is due. How many
// claims a destination has at a time follows what its attempts meet (DestinationHealth), and what waits for it keeps no
// other destination waiting. Every call costs O(log n) of what waits.
//
// A pressing item comes even while its destination is paused: not to be tried, but since its sender must be told of the
// delay, or that the mail is given up.
//
// Thread: one. Item numbers are used again after Remove. Memory: 24 bytes an item, and 4 (up to 8 while a heap grows)
// while an attempt is planned. A destination is forgotten with its last item.
class Scheduler {
 public:
  explicit Scheduler(DestinationLimits limits) : limits_(limits) {}

  // The item waits until somebody says when it is due. All items of a destination are in one lane.
  ItemId Add(ItemOwner owner, StringId destination, mail::Class cls, Lane lane = Lane::kLocal);
  void Remove(ItemId item);
  // Nothing: no attempt is planned. Of a claimed item it counts once the claim ends.
  void SetDue(ItemId item, std::optional<base::WallTime> due);
  void SetClass(ItemId item, mail::Class cls);
  void SetPressing(ItemId item, bool is_pressing);

  // The next item due at `now`, which is claimed then.
  std::optional<ItemId> Claim(base::WallTime now, Lane lane = Lane::kLocal);
  void EndClaim(ItemId item);
  // What an attempt for the destination met; `reason` is kept for as long as it is paused.
  void Report(StringId destination, Reach reach, const std::string& reason, base::WallTime now);
  // One mail of a paused destination tries now.
  void EndPause(StringId destination, base::WallTime now);
  // What is due at `now` is ready from here on. Claim and HasDue do the same; told before a million items are added
  // that are due already, it spares them the way through the heap of those that are not.
  void Advance(base::WallTime now);
  // Claim would give an item.
  bool HasDue(base::WallTime now, Lane lane = Lane::kLocal);
  // The latest time that it was told: a clock that was set back takes nothing back.
  base::WallTime now() const { return now_; }
  // The earliest time in the future at which something becomes due.
  std::optional<base::WallTime> NextDue() const;

  ItemOwner OwnerOf(ItemId item) const;
  StringId DestinationOf(ItemId item) const { return items_[item].destination; }
  bool IsClaimed(ItemId item) const { return items_[item].claimed; }
  bool IsPressing(ItemId item) const { return items_[item].pressing; }
  // No attempt is made now.
  bool IsPaused(StringId destination) const { return ClaimsAllowed(destinations_.at(destination)) == 0; }
  // Without its name.
  bool HasDestination(StringId destination) const { return destinations_.contains(destination); }
  DestinationStatus StatusOf(StringId destination) const;
  // In the order of their numbers.
  std::vector<StringId> Destinations() const;
  std::size_t destination_count() const { return destinations_.size(); }
  std::size_t paused_count() const { return paused_.size(); }
  std::size_t item_count() const { return items_.size() - free_.size(); }
  // Of all items, but not what there is once for each destination.
  std::size_t memory_bytes() const;

 private:
  static constexpr std::size_t kRanks = 4;
  // What is ready stands in a heap for each rank, and what is pressing in one behind them: its mail is not.
  static constexpr std::size_t kPressing = kRanks;
  static constexpr std::size_t kHeaps = kRanks + 1;
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
    bool pressing : 1 = false;
    StringId destination = 0;
    std::uint32_t place = 0;  // In its heap.
  };
  static_assert(sizeof(Item) == 24);
  // A binary heap of items whose top is the earliest; of equal ones the one with the lowest number.
  using Heap = std::vector<ItemId>;
  struct Destination {
    Destination(Lane in_lane, const DestinationLimits& limits) : lane(in_lane), health(limits) {}

    Lane lane;
    std::uint32_t claims = 0;
    std::uint32_t items = 0;
    DestinationHealth health;
    std::unique_ptr<std::string> reason;  // Null unless it is paused.
    Heap ready[kHeaps];
    // Under which it stands in ready_destinations_.
    std::optional<base::WallTime> listed[kHeaps];
    bool wakes = false;  // It stands in paused_.
  };
  using ByTime = std::set<std::pair<base::WallTime, StringId>>;

  bool IsBefore(ItemId a, ItemId b) const;
  base::WallTime DueOf(ItemId item) const { return base::WallTime(base::WallTime::duration(items_[item].due)); }
  void Put(Heap* heap, std::size_t place, ItemId item);
  void SiftUp(Heap* heap, std::size_t place);
  void SiftDown(Heap* heap, std::size_t place);
  void Push(Heap* heap, ItemId item, In in);
  void Take(Heap* heap, ItemId item);
  void Enter(ItemId item);
  void Leave(ItemId item);
  static std::size_t HeapOf(const Item& item) { return item.pressing ? kPressing : item.rank; }
  std::uint32_t ClaimsAllowed(const Destination& destination) const;
  void SetWake(StringId id, Destination* destination, bool wakes);
  void List(StringId id, Destination* destination, std::size_t heap);
  void ListAll(StringId id, Destination* destination);

  DestinationLimits limits_;
  base::ChunkedVector<Item> items_;
  std::vector<ItemId> free_;
  Heap timed_;
  base::WallTime now_;  // What is due up to here stands in the destinations' heaps.
  std::map<StringId, Destination> destinations_;
  // Those with something ready and claims to spare, by the due time of their first.
  ByTime ready_destinations_[kLaneCount][kHeaps];
  ByTime paused_;  // By the end of the pause, until it is over.
};

}  // namespace queue
