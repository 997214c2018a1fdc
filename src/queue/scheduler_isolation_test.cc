// That destinations which hang slow down no other: the scheduler with a thousand of them and the workers of a node, in
// simulated time.
#include <algorithm>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "queue/scheduler.h"

namespace queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr base::WallTime kBegin(seconds(1'800'000'000));

struct Load {
  std::uint64_t seed = 1;
  DestinationLimits limits;
  StringId destinations = 1000;
  StringId hanging = 0;  // The first ones.
  std::uint32_t workers = 256;
  std::uint32_t mails_a_second = 300;
  seconds length{900};
  seconds hang_time{300};  // A greeting that never comes.
};

// Mails come at random, workers take them; an attempt takes 50 to 250 ms, or as long as the time-out where it hangs.
class Simulation {
 public:
  explicit Simulation(Load load) : load_(load), random_(load.seed), scheduler_(load.limits) {}

  // How long mails to destinations that do not hang took, in milliseconds, in ascending order.
  std::vector<std::int64_t> Run() {
    while (now_ < kBegin + load_.length) {
      Arrive();
      while (!busy_.empty() && busy_.top().end <= now_) End();
      while (busy_.size() < load_.workers) {
        const auto item = scheduler_.Claim(now_, Lane::kRemote);
        if (!item.has_value()) break;
        Begin(*item);
      }
      now_ += milliseconds(1);
    }
    std::ranges::sort(took_);
    return took_;
  }

 private:
  struct Attempt {
    base::WallTime end;
    ItemId item;
    friend bool operator<(const Attempt& a, const Attempt& b) { return a.end > b.end; }
  };
  bool Hangs(ItemId item) const { return scheduler_.DestinationOf(item) <= load_.hanging; }

  void Arrive() {
    if (random_.Below(1000) >= load_.mails_a_second) return;
    const auto destination = static_cast<StringId>(1 + random_.Below(load_.destinations));
    const ItemId item = scheduler_.Add({replog::kFirstQueuePartition, replog::Index(1)}, destination,
                                       mail::Class::kNormal, Lane::kRemote);
    came_.resize(std::max<std::size_t>(came_.size(), item + 1));
    came_[item] = now_;
    scheduler_.SetDue(item, now_);
  }
  void Begin(ItemId item) {
    // Drawn for both, so that the mails of one seed are the same with and without those that hang.
    const milliseconds service(50 + random_.Below(200));
    busy_.push({now_ + (Hangs(item) ? milliseconds(load_.hang_time) : service), item});
  }
  void End() {
    const ItemId item = busy_.top().item;
    busy_.pop();
    if (Hangs(item)) {
      scheduler_.Report(scheduler_.DestinationOf(item), Reach::kUnreachable, "hangs", now_);
      scheduler_.SetDue(item, now_ + seconds(60));
      scheduler_.EndClaim(item);
      return;
    }
    took_.push_back(std::chrono::duration_cast<milliseconds>(now_ - came_[item]).count());
    scheduler_.Report(scheduler_.DestinationOf(item), Reach::kReached, "", now_);
    scheduler_.Remove(item);
  }

  const Load load_;
  base::Random random_;
  Scheduler scheduler_;
  base::WallTime now_ = kBegin;
  std::priority_queue<Attempt> busy_;
  std::vector<base::WallTime> came_;  // By item.
  std::vector<std::int64_t> took_;
};

double P99(Load load) {
  const std::vector<std::int64_t> took = Simulation(load).Run();
  EXPECT_GT(took.size(), 100'000u);
  return static_cast<double>(took[took.size() * 99 / 100]);
}

TEST(SchedulerIsolation, TenOfAThousandDestinationsHangAndTheOthersDoNotNotice) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Load load{.seed = seed};
    const double without = P99(load);
    load.hanging = 10;
    const double with = P99(load);
    EXPECT_LE(with, 1.2 * without) << "seed " << seed << ": " << with << " ms and " << without << " ms";
  }
}

// The same without the limits, so that it is they who do it.
TEST(SchedulerIsolation, WithoutLimitsTenThatHangTakeAllWorkers) {
  Load load{.limits = {.claims_max = 10'000, .claims_initial = 10'000, .failures_to_pause = 10'000}};
  load.length = seconds(600);
  load.hanging = 10;
  const std::vector<std::int64_t> took = Simulation(load).Run();
  EXPECT_GT(took[took.size() * 99 / 100], 2000);
}

}  // namespace
}  // namespace queue
