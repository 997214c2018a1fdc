#include "replog/log.h"

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "replog/format.h"
#include "replog/log_rig.h"

namespace replog {
namespace {

constexpr PartitionId kBox0{0};
constexpr PartitionId kBox1{1};

async::Task<void> PutInto(LogRig* rig, PartitionId partition, int n, mffs::Stream stream, std::vector<Index>* order) {
  const auto put = co_await PutTask(rig, partition, "m" + std::to_string(n),
                                    PatternText(static_cast<std::uint64_t>(n), 3000), stream);
  EXPECT_TRUE(put.has_value()) << put.error().message();
  if (put.has_value()) order->push_back(put->index);
}

async::Task<void> PutManyAtOnce(LogRig* rig, int count, std::vector<Index>* order) {
  async::TaskGroup group(rig->context.get_executor(), "putters");
  for (int n = 0; n < count; ++n) {
    group.Spawn(PutInto(rig, kBox0, n, n % 3 == 0 ? mffs::Stream::kParked : mffs::Stream::kTransit, order));
  }
  co_await group.Join();
  co_await group.Stop();
}

class LogTest : public ::testing::Test {
 protected:
  void Start(RigOptions options = {}) {
    options_ = std::move(options);
    rig_ = std::make_unique<LogRig>(options_, &coordinator_);
    const auto opened = rig_->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
  }
  // A clean stop, or a power cut, and a new process.
  void Restart(bool crash) {
    std::optional<mffs::SimImage> image;
    if (crash) {
      rig_->Crash();
      image = rig_->device.ImageAfter(1);
    } else {
      const auto closed = rig_->Close();
      ASSERT_TRUE(closed.has_value()) << closed.error().message();
      image = rig_->device.Snapshot();
    }
    rig_ = std::make_unique<LogRig>(options_, &coordinator_, *std::move(image));
    const auto opened = rig_->Open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
  }

  RigOptions options_;
  MapCoordinator coordinator_;
  std::unique_ptr<LogRig> rig_;
};

TEST_F(LogTest, AnEntryIsCommittedAppliedAndReadBack) {
  Start();
  const auto put = rig_->Put(kBox0, "hello", "the mail");
  ASSERT_TRUE(put.has_value()) << put.error().message();
  // Entry 1 is the log's own, the first of its epoch.
  EXPECT_EQ(put->epoch, Epoch(1));
  EXPECT_EQ(put->index, Index(2));
  EXPECT_EQ(put->applied, "applied 2");
  EXPECT_EQ(put->body.size_bytes, 8u);
  EXPECT_EQ(rig_->machine->partitions[kBox0].kept[Index(2)].meta, "hello");
  EXPECT_EQ(rig_->Mail(kBox0, Index(2)).value(), "the mail");
  EXPECT_EQ(rig_->log->Status().entries_committed, 2u);
}

TEST_F(LogTest, EntriesOfDifferentStreamsAreAppliedInIndexOrder) {
  Start();
  std::vector<Index> order;
  rig_->Run(PutManyAtOnce(rig_.get(), 100, &order));
  ASSERT_EQ(order.size(), 100u);
  // KeepingMachine checks the order of the applies; the proposers are answered in it too.
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(rig_->machine->partitions[kBox0].reached, Index(101));
}

TEST_F(LogTest, MailOfEverySizeIsReadBackBeforeAndAfterARestart) {
  Start();
  const std::size_t sizes[] = {0, 1, 8191, 8192, 8193, 65'536, 65'537, 262'143, 262'144, 262'145, 524'288, 1'500'000};
  std::vector<Index> indexes;
  for (const std::size_t size : sizes) {
    const auto put = rig_->Put(kBox0, std::to_string(size), PatternText(size, size));
    ASSERT_TRUE(put.has_value()) << size << ": " << put.error().message();
    indexes.push_back(put->index);
  }
  for (const bool crash : {false, true}) {
    for (std::size_t i = 0; i < std::size(sizes); ++i) {
      if (sizes[i] == 0) continue;
      const auto mail = rig_->Mail(kBox0, indexes[i]);
      ASSERT_TRUE(mail.has_value()) << sizes[i] << ": " << mail.error().message();
      EXPECT_TRUE(*mail == PatternText(sizes[i], sizes[i])) << sizes[i];
    }
    Restart(crash);
  }
}

TEST_F(LogTest, WindowsIntoALargeMailAreExact) {
  Start();
  const std::string mail = PatternText(7, 900'000);
  const auto put = rig_->Put(kBox0, "", mail);
  ASSERT_TRUE(put.has_value());
  const BodyRef body = rig_->machine->partitions[kBox0].kept[put->index].body;
  ASSERT_EQ(body.extents.size(), 4u);
  const std::pair<std::uint64_t, std::uint64_t> windows[] = {
      {0, 10}, {262'140, 8}, {262'144, 262'144}, {100, 800'000}, {899'999, 1000}, {900'000, 5}, {0, 900'000}};
  for (const auto& [offset, size] : windows) {
    const auto read = rig_->Run(rig_->log->ReadBody(body, offset, size));
    ASSERT_TRUE(read.has_value()) << offset << ": " << read.error().message();
    EXPECT_TRUE(*read == mail.substr(offset, size)) << offset << "+" << size;
  }
}

TEST_F(LogTest, ALargeMetaIsKeptOverARestart) {
  Start();
  const std::string meta = PatternText(3, 200'000);
  ASSERT_TRUE(rig_->Put(kBox0, meta, "small").has_value());
  ASSERT_TRUE(rig_->Put(kBox0, meta, PatternText(4, 400'000)).has_value());
  ASSERT_TRUE(rig_->Put(kBox0, std::string(EntryHead::kMetaInlineMax, 'x'), "").has_value());
  ASSERT_TRUE(rig_->Put(kBox0, std::string(EntryHead::kMetaInlineMax + 1, 'y'), "").has_value());
  Restart(true);
  auto& kept = rig_->machine->partitions[kBox0].kept;
  EXPECT_TRUE(kept[Index(2)].meta == meta);
  EXPECT_TRUE(kept[Index(3)].meta == meta);
  EXPECT_EQ(kept[Index(4)].meta, std::string(EntryHead::kMetaInlineMax, 'x'));
  EXPECT_EQ(kept[Index(5)].meta, std::string(EntryHead::kMetaInlineMax + 1, 'y'));
  EXPECT_EQ(rig_->Mail(kBox0, Index(2)).value(), "small");
  EXPECT_TRUE(rig_->Mail(kBox0, Index(3)).value() == PatternText(4, 400'000));
}

TEST_F(LogTest, TooLargeAMetaIsRefused) {
  Start();
  const auto put = rig_->Put(kBox0, std::string(options_.log.meta_bytes_max + 1, 'x'), "");
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code(), base::Errc::kInvalid);
  EXPECT_TRUE(rig_->Put(kBox0, "m", "").has_value());
}

TEST_F(LogTest, EachStartLeadsInANewEpochBeginningWithAnEmptyEntry) {
  Start();
  ASSERT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
  Restart(false);
  const auto put = rig_->Put(kBox0, "b", "2");
  ASSERT_TRUE(put.has_value());
  EXPECT_EQ(put->epoch, Epoch(2));
  EXPECT_EQ(put->index, Index(4));
  // Never used: led at first use only.
  EXPECT_FALSE(coordinator_.epochs.contains(kBox1));
}

TEST_F(LogTest, AStartTellsHowFarItHasCome) {
  Start();
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
  ASSERT_TRUE(rig_->Run(rig_->log->SnapshotNow(kBox0)).has_value());
  ASSERT_TRUE(rig_->Put(kBox0, "b", "2").has_value());
  // What was counted, and how often; done rises to the total.
  std::vector<std::pair<std::string, std::uint64_t>> told;
  const auto tell = [&told](const mffs::Progress& progress) {
    if (told.empty() || told.back().first != progress.what) told.emplace_back(progress.what, 0);
    EXPECT_LE(told.back().second++, progress.done);
    EXPECT_LE(progress.done, progress.total);
  };
  options_.log.progress = tell;
  options_.volume.progress = tell;
  Restart(true);
  std::vector<std::string> steps;
  for (const auto& [what, times] : told) steps.push_back(what);
  EXPECT_EQ(steps, (std::vector<std::string>{"segments after the checkpoint", "segments", "partitions", "entries"}));
  EXPECT_GE(told.front().second, 2u);
}

TEST_F(LogTest, ALostCoordinatorDoesNotReuseAnEpoch) {
  Start();
  ASSERT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
  coordinator_.epochs.clear();
  Restart(true);
  EXPECT_EQ(rig_->Put(kBox0, "b", "2")->epoch, Epoch(2));
}

TEST_F(LogTest, WithoutAnEpochNothingIsProposedUntilThereIsOne) {
  Start();
  coordinator_.error = base::Error(base::Errc::kTimeout, "the coordinator is away");
  const auto put = rig_->Put(kBox0, "a", "1");
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code(), base::Errc::kTimeout);
  coordinator_.error.reset();
  EXPECT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
}

TEST_F(LogTest, ProposeCommittedDoesNotWaitForTheApply) {
  Start();
  rig_->machine->hold_done = true;
  Draft draft;
  draft.type = KeepingMachine::kPut;
  draft.meta = "held";
  const auto committed = rig_->Run(rig_->log->ProposeCommitted(kBox0, std::move(draft)));
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(rig_->machine->partitions[kBox0].reached, committed->index);
  ASSERT_EQ(rig_->machine->held_done.size(), 1u);
  rig_->machine->held_done.front()(base::Result<std::string>("late"));
}

TEST_F(LogTest, AFailedWriteEndsAllWritingAndSaysSo) {
  Start();
  ASSERT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
  rig_->device.Plant({.kind = mffs::PlantedFault::Kind::kFail, .times = mffs::PlantedFault::kAlways});
  const auto failed = rig_->Put(kBox0, "b", "2");
  ASSERT_FALSE(failed.has_value());
  const auto later = rig_->Put(kBox1, "c", "3");
  ASSERT_FALSE(later.has_value());
  EXPECT_FALSE(rig_->log->Admit(mffs::Stream::kTransit, 10).has_value());
  rig_->device.ClearFaults();
  EXPECT_FALSE(rig_->Put(kBox0, "d", "4").has_value());
  // What was acknowledged is there after a restart; the failed one may be.
  Restart(true);
  EXPECT_EQ(rig_->machine->partitions[kBox0].kept[Index(2)].meta, "a");
  EXPECT_TRUE(rig_->Put(kBox0, "e", "5").has_value());
}

TEST_F(LogTest, AnotherNumberOfMailboxPartitionsIsRefused) {
  Start();
  ASSERT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
  ASSERT_TRUE(rig_->Close().has_value());
  RigOptions other = options_;
  other.log.mailbox_partitions = 8;
  LogRig rig(other, &coordinator_, rig_->device.Snapshot());
  const auto opened = rig.Open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), base::Errc::kInvalid);
  EXPECT_NE(opened.error().message().find("4 mailbox"), std::string::npos) << opened.error().message();
}

TEST_F(LogTest, AProposalAfterStopIsRefused) {
  Start();
  rig_->Run(rig_->log->Stop());
  const auto put = rig_->Put(kBox0, "a", "1");
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code(), base::Errc::kClosed);
}

TEST_F(LogTest, ADroppedBodyGivesItsPartsBack) {
  Start();
  const auto live = [this] {
    return rig_->volume->Status().live_bytes_by_stream[static_cast<int>(mffs::Stream::kTransit)];
  };
  ASSERT_TRUE(rig_->Put(kBox0, "a", "1").has_value());
  const std::uint64_t before = live();
  {
    BodyWriter writer(rig_->log.get(), mffs::Stream::kTransit);
    ASSERT_TRUE(rig_->Run(writer.Write(PatternText(1, 600'000))).has_value());
    auto body = rig_->Run(writer.Finish());
    ASSERT_TRUE(body.has_value());
    EXPECT_EQ(body->size_bytes(), 600'000u);
    EXPECT_TRUE(body->in_memory().empty());
    EXPECT_EQ(body->head(), PatternText(1, 600'000).substr(0, body->head().size()));
    EXPECT_EQ(body->head().size(), 64u << 10);
    EXPECT_GE(live(), before + 600'000);
  }
  EXPECT_EQ(live(), before);
  EXPECT_EQ(rig_->pool.used_bytes(), 0u);
}

TEST_F(LogTest, PartsOfABodyCutOffByACrashAreGivenBackAtTheStart) {
  Start();
  ASSERT_TRUE(rig_->Put(kBox0, "a", PatternText(2, 500'000)).has_value());
  {
    BodyWriter writer(rig_->log.get(), mffs::Stream::kTransit);
    ASSERT_TRUE(rig_->Run(writer.Write(PatternText(1, 700'000))).has_value());
    const auto body = rig_->Run(writer.Finish());
    ASSERT_TRUE(body.has_value());
    // Recovery looks for the parts of bodies that are open at a checkpoint.
    ASSERT_TRUE(rig_->Run(rig_->volume->Checkpoint()).has_value());
    rig_->Crash();
  }
  rig_ = std::make_unique<LogRig>(options_, &coordinator_, rig_->device.ImageAfter(1));
  ASSERT_TRUE(rig_->Open().has_value());
  const auto status = rig_->volume->Status();
  EXPECT_LT(status.live_bytes_by_stream[static_cast<int>(mffs::Stream::kTransit)], 1000u);
  EXPECT_TRUE(rig_->Mail(kBox0, Index(2)).value() == PatternText(2, 500'000));
}

TEST_F(LogTest, LargeBodiesTakeAtMostThreePartsOfMemory) {
  Start();
  BodyWriter writer(rig_->log.get(), mffs::Stream::kTransit);
  const std::string piece = PatternText(1, 100'000);
  std::uint64_t used_max = 0;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(rig_->Run(writer.Write(piece)).has_value());
    used_max = std::max(used_max, rig_->pool.used_bytes());
  }
  EXPECT_EQ(writer.size_bytes(), 6'000'000u);
  EXPECT_LE(used_max, (3u * 256 + 64) << 10);
}

}  // namespace
}  // namespace replog
