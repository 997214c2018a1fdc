// The log over a long time on a small volume: snapshots, release, cleaning and reuse of space.
#include <deque>

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "base/log.h"
#include "base/random.h"
#include "replog/log_rig.h"

namespace replog {
namespace {

constexpr PartitionId kBox0{0};
constexpr PartitionId kQueue0 = kFirstQueuePartition;

struct Kept {
  PartitionId partition;
  Index index;
  std::uint64_t seed = 0;
  std::size_t bytes = 0;
};

// Puts mails and removes the oldest, so that 20 are there; every 50th stays to the end.
async::Task<void> Churn(LogRig* rig, std::uint64_t seed, std::uint64_t total_bytes, std::vector<Kept>* survivors,
                        std::string* error) {
  base::Random random(seed);
  std::deque<Kept> kept;
  std::uint64_t written = 0;
  for (std::uint64_t n = 0; written < total_bytes; ++n) {
    const Kept mail{random.OneIn(2) ? kBox0 : kQueue0, Index(0), random.Next(),
                    random.OneIn(20) ? 400'000 : 1 + random.Below(30'000)};
    const mffs::Stream stream = mail.partition == kBox0 ? mffs::Stream::kMailbox : mffs::Stream::kTransit;
    const auto put =
        co_await PutTask(rig, mail.partition, std::to_string(mail.seed), PatternText(mail.seed, mail.bytes), stream);
    if (!put.has_value()) {
      *error = "put: " + put.error().message();
      co_return;
    }
    written += mail.bytes;
    Kept put_there = mail;
    put_there.index = put->index;
    if (n % 50 == 0) {
      survivors->push_back(put_there);
      continue;
    }
    kept.push_back(put_there);
    if (kept.size() < 20) continue;
    const auto removed = co_await RemoveTask(rig, kept.front().partition, kept.front().index);
    if (!removed.has_value()) {
      *error = "remove: " + removed.error().message();
      co_return;
    }
    kept.pop_front();
  }
  for (const Kept& mail : kept) survivors->push_back(mail);
}

class LogSpace : public ::testing::Test {
 protected:
  LogSpace() {
    base::SetLogSink([](std::string_view) {});
  }
  ~LogSpace() override { base::SetLogSink(nullptr); }

  static RigOptions Options() {
    RigOptions options;
    options.device_bytes = 34u << 20;
    options.log.snapshot_after_bytes = 20'000;
    options.log.releasable_bytes_max = 2u << 20;
    options.volume.checkpoint_bytes = 4u << 20;
    options.volume.parked_wait = std::chrono::milliseconds(0);
    return options;
  }
  static void ExpectAll(LogRig* rig, const std::vector<Kept>& mails) {
    for (const Kept& mail : mails) {
      const auto text = rig->Mail(mail.partition, mail.index);
      ASSERT_TRUE(text.has_value()) << mail.index.value() << ": " << text.error().message();
      ASSERT_TRUE(*text == PatternText(mail.seed, mail.bytes)) << mail.index.value();
    }
  }
};

TEST_F(LogSpace, ALogOfTwentyTimesTheVolumeRunsInItsSpace) {
  const std::uint64_t total = 20 * Options().device_bytes;
  MapCoordinator coordinator;
  std::optional<mffs::SimImage> image;
  std::vector<Kept> survivors;
  std::uint64_t bodies_moved = 0;
  std::uint64_t pieces_kept = 0;
  for (int life = 0; life < 4; ++life) {
    auto rig = image.has_value() ? std::make_unique<LogRig>(Options(), &coordinator, *image)
                                 : std::make_unique<LogRig>(Options(), &coordinator);
    const auto opened = rig->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    ExpectAll(rig.get(), survivors);
    if (HasFatalFailure()) return;
    std::string error;
    std::vector<Kept> more;
    rig->Run(Churn(rig.get(), static_cast<std::uint64_t>(life) + 1, total / 4, &more, &error));
    ASSERT_EQ(error, "") << "life " << life;
    survivors.insert(survivors.end(), more.begin(), more.end());
    ExpectAll(rig.get(), survivors);
    if (HasFatalFailure()) return;
    EXPECT_GT(rig->log->Status().snapshots_written, 10u);
    bodies_moved += rig->machine->bodies_moved;
    pieces_kept += rig->machine->pieces_kept;
    // The entries in memory are bounded by snapshots, however many there were.
    EXPECT_LT(rig->log->Status().tail_entries, 2000u);
    // The first lives leave only a few mails for the next.
    while (survivors.size() > 30) {
      const Kept& mail = survivors.back();
      ASSERT_TRUE(rig->Remove(mail.partition, mail.index).has_value());
      survivors.pop_back();
    }
    if (life % 2 == 0) {
      ASSERT_TRUE(rig->Close().has_value());
      image = rig->device.Snapshot();
    } else {
      rig->Crash();
      image = rig->device.ImageAfter(7);
    }
  }
  // Cleaning had to move some, whole mails and parts.
  EXPECT_GT(bodies_moved, 0u);
  EXPECT_GT(pieces_kept, 0u);
}

// A snapshot takes over the pieces that are still right; each lives as long as a snapshot that names it.
TEST_F(LogSpace, SnapshotsShareWhatHasNotChanged) {
  MapCoordinator coordinator;
  auto rig = std::make_unique<LogRig>(Options(), &coordinator);
  ASSERT_TRUE(rig->Open().has_value());
  const std::string meta(1000, 'm');
  const auto meta_bytes = [&rig] {
    return rig->volume->Status().live_bytes_by_stream[static_cast<std::size_t>(mffs::Stream::kMeta)];
  };
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(rig->Put(kBox0, meta + std::to_string(i), "mail").has_value());
  ASSERT_TRUE(rig->Run(rig->log->SnapshotNow(kBox0)).has_value());
  const std::uint64_t live = meta_bytes();
  for (int life = 0; life < 5; ++life) {
    const std::uint64_t kept = rig->machine->pieces_kept;
    ASSERT_TRUE(rig->Put(kBox0, meta + std::to_string(400 + life), "mail").has_value());
    ASSERT_TRUE(rig->Run(rig->log->SnapshotNow(kBox0)).has_value());
    // Most: cleaning may have moved some mails meanwhile.
    EXPECT_GT(rig->machine->pieces_kept - kept, 50u);
    // Nothing of the snapshots before is left, and nothing of what they share is lost.
    EXPECT_LT(meta_bytes(), live + 20'000);
    rig->Crash();
    rig = std::make_unique<LogRig>(Options(), &coordinator, rig->device.ImageAfter(static_cast<std::uint64_t>(life)));
    const auto opened = rig->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    EXPECT_EQ(rig->machine->partitions[kBox0].kept.size(), 401u + static_cast<unsigned>(life));
  }
}

TEST_F(LogSpace, ReplayIsShortAfterASnapshot) {
  MapCoordinator coordinator;
  LogRig rig(Options(), &coordinator);
  ASSERT_TRUE(rig.Open().has_value());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(rig.Put(kBox0, std::to_string(i), "mail").has_value());
  ASSERT_TRUE(rig.Run(rig.log->SnapshotNow(kBox0)).has_value());
  ASSERT_TRUE(rig.Put(kBox0, "last", "mail").has_value());
  ASSERT_TRUE(rig.Close().has_value());
  LogRig next(Options(), &coordinator, rig.device.Snapshot());
  ASSERT_TRUE(next.Open().has_value());
  EXPECT_EQ(next.machine->partitions[kBox0].replayed, (std::vector<Index>{Index(302)}));
  EXPECT_EQ(next.machine->partitions[kBox0].kept.size(), 301u);
  EXPECT_EQ(next.log->Status().replayed_entries, 1u);
}

// Each start adds an entry of the log's own, which the state machine never sees: what it says it has reached lies below
// the snapshot in force then.
TEST_F(LogSpace, SnapshotsFollowEachOtherWithoutNewMail) {
  MapCoordinator coordinator;
  auto rig = std::make_unique<LogRig>(Options(), &coordinator);
  ASSERT_TRUE(rig->Open().has_value());
  ASSERT_TRUE(rig->Put(kBox0, "m", "mail").has_value());
  for (int life = 0; life < 4; ++life) {
    ASSERT_TRUE(rig->Run(rig->log->SnapshotNow(kBox0)).has_value()) << life;
    ASSERT_TRUE(rig->Close().has_value());
    rig = std::make_unique<LogRig>(Options(), &coordinator, rig->device.Snapshot());
    ASSERT_TRUE(rig->Open().has_value());
    EXPECT_EQ(rig->machine->partitions[kBox0].kept.size(), 1u) << life;
    EXPECT_TRUE(rig->machine->partitions[kBox0].replayed.empty()) << life;
  }
  ASSERT_TRUE(rig->Put(kBox0, "n", "more").has_value());
  EXPECT_EQ(rig->machine->partitions[kBox0].kept.size(), 2u);
}

// Mail comes and goes; after a crash little of it is read again, though no tail is long for itself.
TEST_F(LogSpace, ReplayIsShortAfterACrashToo) {
  RigOptions options = Options();
  options.log.snapshot_after_bytes = 8u << 20;
  options.log.replay_entries_max = 1000;
  options.log.snapshot_after_lsns = 2000;
  MapCoordinator coordinator;
  std::optional<mffs::SimImage> image;
  for (int life = 0; life < 3; ++life) {
    auto rig = image.has_value() ? std::make_unique<LogRig>(options, &coordinator, *image)
                                 : std::make_unique<LogRig>(options, &coordinator);
    ASSERT_TRUE(rig->Open().has_value());
    EXPECT_LT(rig->log->Status().replayed_entries, 2000u) << "life " << life;
    if (life == 0) ASSERT_TRUE(rig->Put(PartitionId(1), "idle", "mail").has_value());
    for (int i = 0; i < 3000; ++i) {
      const PartitionId partition = i % 2 == 0 ? kBox0 : kQueue0;
      const auto put = rig->Put(partition, std::to_string(i), "mail");
      ASSERT_TRUE(put.has_value()) << put.error().message();
      ASSERT_TRUE(rig->Remove(partition, put->index).has_value());
    }
    EXPECT_LT(rig->log->Status().tail_entries, 2000u) << "life " << life;
    EXPECT_LT(rig->log->Status().snapshots_written, 60u) << "life " << life;
    rig->Crash();
    image = rig->device.ImageAfter(static_cast<std::uint64_t>(life));
  }
  LogRig last(options, &coordinator, *image);
  ASSERT_TRUE(last.Open().has_value());
  EXPECT_EQ(last.machine->partitions[PartitionId(1)].kept.size(), 1u);
  EXPECT_TRUE(last.machine->partitions[PartitionId(1)].replayed.empty());
}

// A large state, every part of which changes: writing it again costs more than its entries did, and is done all the
// same before they are too many for a start.
TEST_F(LogSpace, OnePartitionsTailIsBounded) {
  RigOptions options = Options();
  options.log.snapshot_after_bytes = 8u << 20;
  options.log.partition_tail_max = 300;
  MapCoordinator coordinator;
  LogRig rig(options, &coordinator);
  ASSERT_TRUE(rig.Open().has_value());
  for (int i = 0; i < 250; ++i) {
    ASSERT_TRUE(rig.Put(kQueue0, std::string(900, 'm') + std::to_string(i), "mail").has_value());
  }
  for (int i = 0; i < 1000; ++i) {
    const auto put = rig.Put(kQueue0, "", "mail");
    ASSERT_TRUE(put.has_value() && rig.Remove(kQueue0, put->index).has_value());
  }
  EXPECT_LT(rig.log->Status().tail_entries, 700u);
  EXPECT_LT(rig.log->Status().snapshots_written, 20u);
}

// What was replayed at a start is not replayed at the next, even if nothing happens in between.
TEST_F(LogSpace, ALongReplayIsFollowedByASnapshot) {
  RigOptions options = Options();
  options.log.snapshot_after_bytes = 8u << 20;
  MapCoordinator coordinator;
  LogRig rig(options, &coordinator);
  ASSERT_TRUE(rig.Open().has_value());
  for (int i = 0; i < 1000; ++i) {
    const auto put = rig.Put(kBox0, std::to_string(i), "mail");
    ASSERT_TRUE(put.has_value() && rig.Remove(kBox0, put->index).has_value());
  }
  rig.Crash();
  options.log.replay_entries_max = 500;
  LogRig next(options, &coordinator, rig.device.ImageAfter(1));
  ASSERT_TRUE(next.Open().has_value());
  EXPECT_EQ(next.log->Status().replayed_entries, 2001u);
  while (next.log->Status().tail_entries > 100) next.context.run_one_for(std::chrono::seconds(5));
  next.Crash();
  LogRig last(options, &coordinator, next.device.ImageAfter(2));
  ASSERT_TRUE(last.Open().has_value());
  EXPECT_LT(last.log->Status().replayed_entries, 100u);
}

// Each start leaves a segment with little in it; cleaning moves that, and notes the moves. The notes of one start are
// not moved at every one after it.
TEST_F(LogSpace, StartsInARowDoNotPileUpNotes) {
  RigOptions options = Options();
  options.log.mailbox_partitions = 32;
  options.log.snapshot_after_lsns = 1'000'000;
  MapCoordinator coordinator;
  auto rig = std::make_unique<LogRig>(options, &coordinator);
  ASSERT_TRUE(rig->Open().has_value());
  for (std::uint32_t n = 0; n < 32; ++n) ASSERT_TRUE(rig->Put(PartitionId(n), "m", "mail").has_value());
  std::vector<std::uint64_t> live;
  for (int life = 0; life < 60; ++life) {
    rig->Crash();
    rig = std::make_unique<LogRig>(options, &coordinator, rig->device.ImageAfter(static_cast<std::uint64_t>(life)));
    const auto opened = rig->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    ASSERT_TRUE(rig->Run(rig->volume->Checkpoint()).has_value());
    // Until there is nothing left to do.
    while (rig->context.run_one_for(std::chrono::milliseconds(20)) > 0) {
    }
    live.push_back(rig->volume->Status().space.live_bytes);
  }
  EXPECT_LT(live.back(), 300'000u) << "after 10 starts " << live[10] << ", after 30 " << live[30];
}

TEST_F(LogSpace, AFullVolumeRefusesAndServesAgainWhenMailGoes) {
  MapCoordinator coordinator;
  LogRig rig(Options(), &coordinator);
  ASSERT_TRUE(rig.Open().has_value());
  std::vector<Index> put;
  base::Errc refused = base::Errc::kInvalid;
  for (std::uint64_t n = 0; n < 2000; ++n) {
    const auto result = rig.Put(kBox0, std::to_string(n), PatternText(n, 100'000));
    if (!result.has_value()) {
      refused = result.error().code();
      break;
    }
    put.push_back(result->index);
  }
  EXPECT_EQ(refused, base::Errc::kNoSpace);
  ASSERT_GT(put.size(), 100u);
  EXPECT_EQ(rig.Mail(kBox0, put.front()).value(), PatternText(0, 100'000));
  // Mail can always leave.
  for (std::size_t i = 0; i < put.size(); ++i) {
    const auto removed = rig.Remove(kBox0, put[i]);
    ASSERT_TRUE(removed.has_value()) << i << ": " << removed.error().message();
  }
  ASSERT_TRUE(rig.Run(rig.log->SnapshotNow(kBox0)).has_value());
  const auto again = rig.Put(kBox0, "again", PatternText(1, 100'000));
  EXPECT_TRUE(again.has_value()) << again.error().message();
}

// Changes in a full volume go to stream meta, where notes of moves and the state of the log have a share that is theirs
// alone. A change that has waited for room and is checked again has no more right to it than at first.
TEST_F(LogSpace, AChangeThatWasRefusedOnceLeavesTheReserveAlone) {
  MapCoordinator coordinator;
  LogRig rig(Options(), &coordinator);
  ASSERT_TRUE(rig.Open().has_value());
  std::uint64_t n = 0;
  while (rig.Put(kBox0, std::to_string(n), PatternText(n, 100'000)).has_value()) ++n;
  ASSERT_GT(n, 100u);
  // Nothing goes, so nothing is released or cleaned: what changes take does not come back.
  const std::string change = std::string(1, 'c') + std::string(200'000, 'x');
  std::uint64_t changes = 0;
  base::Result<Committed> result = Committed{};
  for (; result.has_value() && changes < 200; ++changes) result = rig.Put(kBox0, change, "");
  ASSERT_FALSE(result.has_value()) << "after " << changes << " changes";
  EXPECT_EQ(result.error().code(), base::Errc::kNoSpace);
  EXPECT_GT(changes, 1u);
  const base::Result<> state = rig.volume->Admit(mffs::Stream::kMeta, change.size(), mffs::Need::kState);
  EXPECT_TRUE(state.has_value()) << state.error().message();
  EXPECT_TRUE(rig.Close().has_value());
}

}  // namespace
}  // namespace replog
