// The log under power cuts: at every device operation of a workload, with every kind of restart.
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "base/log.h"
#include "base/random.h"
#include "replog/log_rig.h"

namespace replog {
namespace {

// What the outside world was told, over all lives of the node.
struct Ledger {
  struct Mail {
    PartitionId partition;
    std::string meta;
    std::string mail;
    bool remove_begun = false;
    bool removed = false;
  };
  std::map<std::string, Mail> begun;                                  // By meta, which names it.
  std::map<std::pair<PartitionId, Index>, std::string> acknowledged;  // -> meta
};

constexpr PartitionId kPartitions[] = {PartitionId(0), PartitionId(3), kFirstQueuePartition};

// One worker: puts mails of all sizes, removes some that it put.
async::Task<void> Work(LogRig* rig, Ledger* ledger, std::uint64_t seed, int puts) {
  base::Random random(seed);
  std::vector<std::pair<PartitionId, Index>> mine;
  for (int n = 0; n < puts; ++n) {
    const PartitionId partition = kPartitions[random.Below(3)];
    const mffs::Stream stream = random.OneIn(3) ? mffs::Stream::kParked : mffs::Stream::kTransit;
    const std::size_t bytes = random.OneIn(6) ? 300'000 : random.Below(9'000);
    const std::string meta = std::to_string(seed) + "/" + std::to_string(n);
    ledger->begun[meta] = {partition, meta, PatternText(random.Next(), bytes)};
    const std::string mail = ledger->begun[meta].mail;
    const auto put = co_await PutTask(rig, partition, meta, mail, stream);
    if (!put.has_value()) co_return;
    ledger->acknowledged[{partition, put->index}] = meta;
    mine.emplace_back(partition, put->index);
    if (random.OneIn(3)) {
      const auto [from, index] = mine[random.Below(mine.size())];
      Ledger::Mail& victim = ledger->begun[ledger->acknowledged[{from, index}]];
      victim.remove_begun = true;
      const auto removed = co_await RemoveTask(rig, from, index);
      if (!removed.has_value()) co_return;
      victim.removed = true;
    }
  }
}

async::Task<void> SnapshotSome(LogRig* rig, std::uint64_t seed) {
  base::Random random(seed);
  for (int i = 0; i < 3; ++i) {
    for (std::uint64_t pause = random.Below(40); pause > 0; --pause) {
      co_await asio::post(rig->context.get_executor(), async::use_task);
    }
    const auto written = co_await rig->log->SnapshotNow(kPartitions[random.Below(3)]);
    if (!written.has_value()) co_return;
  }
}

async::Task<void> RunWorkload(LogRig* rig, Ledger* ledger, std::uint64_t seed) {
  async::TaskGroup group(rig->context.get_executor(), "workload");
  for (std::uint64_t worker = 0; worker < 3; ++worker) group.Spawn(Work(rig, ledger, seed * 10 + worker, 6));
  group.Spawn(SnapshotSome(rig, seed));
  co_await group.Join();
  co_await group.Stop();
}

// Everything acknowledged is there, byte for byte; nothing else but what was begun, whole.
void CheckAgainst(LogRig* rig, const Ledger& ledger) {
  for (const auto& [place, meta] : ledger.acknowledged) {
    const Ledger::Mail& mail = ledger.begun.at(meta);
    auto& kept = rig->machine->partitions[place.first].kept;
    const auto found = kept.find(place.second);
    if (mail.removed) {
      ASSERT_EQ(found, kept.end()) << meta << " was removed";
      continue;
    }
    if (found == kept.end()) {
      ASSERT_TRUE(mail.remove_begun) << meta << " is lost";
      continue;
    }
    ASSERT_EQ(found->second.meta, meta);
  }
  std::set<std::string> seen;
  for (const PartitionId partition : kPartitions) {
    for (const auto& [index, kept] : rig->machine->partitions[partition].kept) {
      ASSERT_TRUE(ledger.begun.contains(kept.meta)) << kept.meta;
      ASSERT_TRUE(seen.insert(kept.meta).second) << kept.meta << " is there twice";
      const Ledger::Mail& mail = ledger.begun.at(kept.meta);
      ASSERT_EQ(mail.partition, partition);
      const auto text = mail.mail.empty() ? base::Result<std::string>("") : rig->Mail(partition, index);
      // The life under test may end here too.
      if (rig->device.PowerWasCut()) return;
      ASSERT_TRUE(text.has_value()) << kept.meta << ": " << text.error().message();
      ASSERT_TRUE(*text == mail.mail) << kept.meta << " differs";
    }
  }
}

// A life that ends by a cut after `operations` device operations, or at its end. Returns whether it was cut.
bool LiveAndCrash(LogRig* rig, Ledger* ledger, std::uint64_t seed, std::optional<std::uint64_t> operations) {
  if (operations.has_value()) rig->device.CutPowerAfter(*operations);
  rig->Run(RunWorkload(rig, ledger, seed));
  const bool cut = rig->device.PowerWasCut();
  rig->Crash();
  return cut;
}

class LogCrash : public ::testing::Test {
 protected:
  LogCrash() {
    base::SetLogSink([](std::string_view) {});
  }
  ~LogCrash() override { base::SetLogSink(nullptr); }

  static RigOptions Options(std::uint64_t reorder_seed) {
    RigOptions options;
    options.reorder_seed = reorder_seed;
    // Without the waits that only time ends.
    options.volume.parked_wait = std::chrono::milliseconds(0);
    return options;
  }
};

TEST_F(LogCrash, AcknowledgedEntriesSurviveAPowerCutAtEveryOperation) {
  int cuts = 0;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    for (std::uint64_t cut_at = 1;; ++cut_at) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " cut_at " + std::to_string(cut_at));
      MapCoordinator coordinator;
      Ledger ledger;
      LogRig first(Options(seed), &coordinator);
      ASSERT_TRUE(first.Open().has_value());
      const bool cut = LiveAndCrash(&first, &ledger, seed, cut_at);
      if (!cut) break;
      cuts += 1;
      const mffs::WriteFate all_kept[] = {mffs::WriteFate::kKept, mffs::WriteFate::kKept, mffs::WriteFate::kKept,
                                          mffs::WriteFate::kKept};
      const mffs::SimImage images[] = {first.device.ImageAfter({}, 1), first.device.ImageAfter(all_kept, 1),
                                       first.device.ImageAfter(seed * 1000 + cut_at)};
      for (const mffs::SimImage& image : images) {
        LogRig second(Options(seed), &coordinator, image);
        const auto opened = second.Open();
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
        CheckAgainst(&second, ledger);
        if (HasFatalFailure()) return;
      }
    }
  }
  // Enough operations that this test means something.
  EXPECT_GT(cuts, 60);
}

TEST_F(LogCrash, LifeAfterLifeNothingIsLostAndNothingLeaks) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    MapCoordinator coordinator;
    Ledger ledger;
    std::optional<mffs::SimImage> image;
    for (int life = 0; life < 6; ++life) {
      auto rig = image.has_value() ? std::make_unique<LogRig>(Options(seed), &coordinator, *image)
                                   : std::make_unique<LogRig>(Options(seed), &coordinator);
      // Recovery is cut as well, again and again.
      if (life > 0 && random.OneIn(2)) rig->device.CutPowerAfter(random.Below(12));
      const auto opened = rig->Open();
      if (opened.has_value()) {
        CheckAgainst(rig.get(), ledger);
        if (HasFatalFailure()) return;
        LiveAndCrash(rig.get(), &ledger, seed * 100 + static_cast<std::uint64_t>(life),
                     rig->device.PowerWasCut() ? std::optional<std::uint64_t>() : random.Below(120));
      } else {
        ASSERT_TRUE(rig->device.PowerWasCut()) << opened.error().message();
        rig->Crash();
      }
      image = rig->device.ImageAfter(random.Next());
    }
    // The last life removes everything; then nothing of any mail is left on the volume.
    LogRig last(Options(seed), &coordinator, *image);
    const auto opened = last.Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    CheckAgainst(&last, ledger);
    for (const PartitionId partition : kPartitions) {
      const auto kept = last.machine->partitions[partition].kept;
      for (const auto& [index, mail] : kept) {
        const auto removed = last.Remove(partition, index);
        ASSERT_TRUE(removed.has_value()) << removed.error().message();
      }
      const auto snapshot = last.Run(last.log->SnapshotNow(partition));
      ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message();
    }
    // Cleaning may be at work: a clean end and another start leave nothing half done.
    ASSERT_TRUE(last.Close().has_value());
    LogRig reader(Options(seed), &coordinator, last.device.Snapshot());
    ASSERT_TRUE(reader.Open().has_value());
    const auto status = reader.volume->Status();
    for (const auto stream : {mffs::Stream::kTransit, mffs::Stream::kParked, mffs::Stream::kCold}) {
      EXPECT_EQ(status.live_bytes_by_stream[static_cast<std::size_t>(stream)], 0u) << mffs::ToString(stream);
    }
  }
}

}  // namespace
}  // namespace replog
