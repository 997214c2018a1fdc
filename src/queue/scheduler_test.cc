#include "queue/scheduler.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"

namespace queue {
namespace {

using std::chrono::seconds;
constexpr base::WallTime kNow(seconds(1'800'000'000));

ItemOwner Owner(std::uint64_t n) {
  return {replog::kFirstQueuePartition, replog::Index(n)};
}

ItemId AddDue(Scheduler* scheduler, std::uint64_t n, StringId destination, mail::Class cls, base::WallTime due) {
  const ItemId item = scheduler->Add(Owner(n), destination, cls);
  scheduler->SetDue(item, due);
  return item;
}

std::vector<std::uint64_t> ClaimAll(Scheduler* scheduler, base::WallTime now) {
  std::vector<std::uint64_t> mails;
  while (const auto item = scheduler->Claim(now)) {
    mails.push_back(scheduler->OwnerOf(*item).mail.value());
    EXPECT_LE(mails.size(), 10'000u);
  }
  return mails;
}

TEST(Scheduler, GoesByClassThenByDueTime) {
  Scheduler scheduler({.claims_max = 100});
  AddDue(&scheduler, 1, 1, mail::Class::kSuspect, kNow - seconds(90));
  AddDue(&scheduler, 2, 1, mail::Class::kNormal, kNow - seconds(10));
  AddDue(&scheduler, 3, 2, mail::Class::kUnjudged, kNow - seconds(20));
  AddDue(&scheduler, 4, 2, mail::Class::kKnown, kNow - seconds(1));
  AddDue(&scheduler, 5, 3, mail::Class::kBulk, kNow - seconds(80));
  AddDue(&scheduler, 6, 1, mail::Class::kNormal, kNow + seconds(1));
  EXPECT_EQ(ClaimAll(&scheduler, kNow), (std::vector<std::uint64_t>{4, 3, 2, 5, 1}));
  EXPECT_EQ(scheduler.NextDue(), kNow + seconds(1));
  EXPECT_EQ(ClaimAll(&scheduler, kNow + seconds(1)), (std::vector<std::uint64_t>{6}));
}

TEST(Scheduler, AFullDestinationKeepsNoOtherWaiting) {
  Scheduler scheduler({.claims_max = 2});
  std::vector<ItemId> first;
  for (std::uint64_t n = 0; n < 5; ++n)
    first.push_back(AddDue(&scheduler, n, 1, mail::Class::kKnown, kNow - seconds(100)));
  AddDue(&scheduler, 10, 2, mail::Class::kSuspect, kNow);
  EXPECT_EQ(ClaimAll(&scheduler, kNow), (std::vector<std::uint64_t>{0, 1, 10}));
  scheduler.EndClaim(first[0]);
  EXPECT_EQ(ClaimAll(&scheduler, kNow), (std::vector<std::uint64_t>{2}));
  // One that was removed while it was claimed gives its place back too.
  scheduler.Remove(first[1]);
  EXPECT_EQ(ClaimAll(&scheduler, kNow), (std::vector<std::uint64_t>{3}));
}

TEST(Scheduler, AChangedItemComesAsItIsNow) {
  Scheduler scheduler({.claims_max = 10});
  const ItemId a = AddDue(&scheduler, 1, 1, mail::Class::kNormal, kNow);
  const ItemId b = AddDue(&scheduler, 2, 1, mail::Class::kNormal, kNow);
  AddDue(&scheduler, 3, 1, mail::Class::kNormal, kNow);
  scheduler.SetDue(a, kNow + seconds(60));
  scheduler.SetClass(b, mail::Class::kSuspect);
  EXPECT_EQ(ClaimAll(&scheduler, kNow), (std::vector<std::uint64_t>{3, 2}));
  scheduler.SetDue(a, std::nullopt);
  EXPECT_TRUE(ClaimAll(&scheduler, kNow + seconds(600)).empty());
  EXPECT_FALSE(scheduler.NextDue().has_value());
  scheduler.SetDue(a, kNow);
  EXPECT_EQ(ClaimAll(&scheduler, kNow), (std::vector<std::uint64_t>{1}));
}

TEST(Scheduler, ADueTimeSetDuringAClaimCountsAfterIt) {
  Scheduler scheduler({.claims_max = 10});
  const ItemId a = AddDue(&scheduler, 1, 1, mail::Class::kNormal, kNow);
  EXPECT_EQ(scheduler.Claim(kNow), a);
  scheduler.SetDue(a, kNow);
  EXPECT_FALSE(scheduler.HasDue(kNow));
  scheduler.EndClaim(a);
  EXPECT_EQ(scheduler.Claim(kNow), a);
}

TEST(Scheduler, AClockSetBackTakesNothingBack) {
  Scheduler scheduler({.claims_max = 10});
  AddDue(&scheduler, 1, 1, mail::Class::kNormal, kNow);
  AddDue(&scheduler, 2, 1, mail::Class::kNormal, kNow);
  EXPECT_TRUE(scheduler.HasDue(kNow));
  EXPECT_EQ(ClaimAll(&scheduler, kNow - seconds(3600)).size(), 2u);
}

// The same by brute force.
class Model {
 public:
  struct Item {
    StringId destination = 0;
    int rank = 0;
    std::optional<base::WallTime> due;
    bool claimed = false;
  };
  std::map<ItemId, Item> items;
  std::uint32_t claims_max = 3;

  // Whether the scheduler's choice is one of the best.
  bool IsBest(ItemId chosen, base::WallTime now) const {
    const Item& item = items.at(chosen);
    if (!IsReady(item, now)) return false;
    for (const auto& [id, other] : items) {
      if (IsReady(other, now) && std::tie(other.rank, *other.due) < std::tie(item.rank, *item.due)) return false;
    }
    return true;
  }
  bool AnyReady(base::WallTime now) const {
    for (const auto& [id, item] : items) {
      if (IsReady(item, now)) return true;
    }
    return false;
  }

 private:
  bool IsReady(const Item& item, base::WallTime now) const {
    if (item.claimed || !item.due.has_value() || *item.due > now) return false;
    std::uint32_t claims = 0;
    for (const auto& [id, other] : items) claims += other.claimed && other.destination == item.destination ? 1 : 0;
    return claims < claims_max;
  }
};

TEST(Scheduler, AgreesWithABruteForceModel) {
  constexpr mail::Class kClasses[] = {mail::Class::kKnown, mail::Class::kNormal, mail::Class::kBulk,
                                      mail::Class::kSuspect};
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    Scheduler scheduler({.claims_max = 3});
    Model model;
    base::WallTime now = kNow;
    const auto pick = [&] {
      return std::next(model.items.begin(), static_cast<std::ptrdiff_t>(random.Below(model.items.size())));
    };
    for (int step = 0; step < 1500; ++step) {
      now += std::chrono::milliseconds(random.Below(500));
      const std::uint64_t action = model.items.empty() ? 0 : random.Below(8);
      const std::optional<base::WallTime> due =
          random.OneIn(10) ? std::nullopt : std::optional(now + seconds(random.Below(20)) - seconds(5));
      const std::size_t rank = random.Below(4);
      if (action <= 1) {
        const auto destination = static_cast<StringId>(1 + random.Below(5));
        const ItemId id = scheduler.Add(Owner(1), destination, kClasses[rank]);
        scheduler.SetDue(id, due);
        ASSERT_FALSE(model.items.contains(id));
        model.items[id] = {destination, static_cast<int>(rank), due, false};
      } else if (action == 2) {
        const auto item = pick();
        scheduler.Remove(item->first);
        model.items.erase(item);
      } else if (action == 3) {
        const auto item = pick();
        scheduler.SetDue(item->first, due);
        item->second.due = due;
      } else if (action == 4) {
        const auto item = pick();
        scheduler.SetClass(item->first, kClasses[rank]);
        item->second.rank = static_cast<int>(rank);
      } else if (action == 5) {
        const auto item = pick();
        if (item->second.claimed) {
          scheduler.EndClaim(item->first);
          item->second.claimed = false;
        }
      } else {
        const auto chosen = scheduler.Claim(now);
        ASSERT_EQ(chosen.has_value(), model.AnyReady(now)) << "step " << step;
        if (!chosen.has_value()) continue;
        ASSERT_TRUE(model.IsBest(*chosen, now)) << "step " << step;
        model.items[*chosen].claimed = true;
        model.items[*chosen].due.reset();
      }
      ASSERT_EQ(scheduler.item_count(), model.items.size());
    }
  }
}

}  // namespace
}  // namespace queue
