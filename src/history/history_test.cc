// The history on a simulated disk, with the queue and the logs that its events come from.
#include "history/history.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "base/random.h"
#include "history/history_rig.h"

namespace history {
namespace {

using queue::RecipientState;

std::string IdOf(std::uint64_t number) {
  return fmt::format("{:016x}", number);
}

// Runs that are full after some hundred mails, and records of a few.
HistoryRigOptions SmallRuns() {
  HistoryRigOptions options;
  options.history.gathering = {.record_bytes = 4u << 10, .keys_per_run_max = 1'000};
  return options;
}

std::vector<std::string> IdsOf(const FoundMails& found) {
  std::vector<std::string> ids;
  for (const TracedMail& mail : found.mails) ids.push_back(mail.arrival->arrival()->mail_id);
  return ids;
}

class HistoryTest : public testing::Test {
 protected:
  // Lines about a disk without power would hide a failure.
  HistoryTest() {
    base::SetLogSink([](std::string_view) {});
  }
  void Open(std::optional<mffs::SimImage> image = std::nullopt) {
    rig_ = std::make_unique<HistoryRig>(&clock_, std::move(image), options_);
  }
  void Restart() { Open(rig_->Shut(false)); }
  void CutPower(std::uint64_t seed = 1) { Open(rig_->Shut(true, seed)); }
  // Mails 0 to `count`, a second apart: every third from the same sender, every fifth to the same recipient.
  void DeliverMany(std::uint64_t count, std::uint64_t first = 0) {
    for (std::uint64_t i = first; i < first + count; ++i) {
      ASSERT_TRUE(rig_->DeliverDirectly(IdOf(i), i % 3 == 0 ? "news@list.test" : fmt::format("s{}@x.test", i),
                                        i % 5 == 0 ? "alice@example.test" : fmt::format("r{}@example.test", i)));
      clock_.Advance(std::chrono::seconds(1));
    }
  }
  void WriteAll() {
    for (const std::uint32_t n :
         {0u, 1u, replog::kFirstQueuePartition.value(), replog::kFirstQueuePartition.value() + 1})
      rig_->Run(rig_->history->AwaitWritten(replog::PartitionId(n)));
  }
  // The Keeper does its other work when it looks again.
  void AwaitSorted(std::uint64_t runs) {
    while (rig_->history->Status().counts.runs_sorted < runs) rig_->context.run_one();
  }

  base::SimClock clock_;
  HistoryRigOptions options_;
  std::unique_ptr<HistoryRig> rig_;
};

TEST_F(HistoryTest, TellsWhereADirectMailCameFromAndWentTo) {
  Open();
  ASSERT_TRUE(rig_->DeliverDirectly("00000000000000aa", "bob@x.test", "alice+list@example.test"));
  for (const bool restart : {false, true}) {
    if (restart) Restart();
    const FoundMails found = rig_->Find({.id = "00000000000000AA"});
    ASSERT_EQ(found.mails.size(), 1u);
    const Arrival& arrival = *found.mails[0].arrival->arrival();
    EXPECT_FALSE(arrival.queued);
    EXPECT_EQ(arrival.sender, "bob@x.test");
    EXPECT_EQ(arrival.client_ip, "192.0.2.1");
    EXPECT_EQ(arrival.helo, "client.example.org");
    EXPECT_EQ(arrival.recipients.at(0).address, "alice+list@example.test");
    EXPECT_EQ(found.mails[0].arrival->time, clock_.WallNow());
    EXPECT_TRUE(found.mails[0].events.empty());
  }
  EXPECT_TRUE(rig_->Find({.id = "00000000000000ab"}).mails.empty());
}

TEST_F(HistoryTest, TellsEachAttemptOfAQueuedMailWithTheRemotesWords) {
  Open();
  const auto id = rig_->Enqueue(IdOf(1), "bob@x.test", {"carol@far.test", "dave@far.test"});
  ASSERT_TRUE(id.has_value());
  const base::WallTime queued_at = clock_.WallNow();
  clock_.Advance(std::chrono::seconds(2));
  ASSERT_TRUE(rig_->Attempt(queue::Outcome::kRetryLater, "451 4.7.1 greylisted"));
  ASSERT_TRUE(rig_->Run(rig_->queue->Hold(*id)).has_value());
  ASSERT_TRUE(rig_->Run(rig_->queue->Release(*id)).has_value());
  CutPower();
  clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(rig_->Attempt(queue::Outcome::kDelivered, "250 2.0.0 taken"));
  for (const std::string& name : {IdOf(1), id->ToString()}) {
    const FoundMails found = rig_->Find({.id = name});
    ASSERT_EQ(found.mails.size(), 1u) << name;
    const TracedMail& mail = found.mails[0];
    EXPECT_EQ(mail.arrival->time, queued_at);
    ASSERT_EQ(mail.events.size(), 4u);
    const auto& first = std::get<Outcome>(mail.events[0].what);
    EXPECT_EQ(mail.events[0].time, queued_at + std::chrono::seconds(2));
    ASSERT_EQ(first.recipients.size(), 2u);
    EXPECT_EQ(first.recipients[1].state, RecipientState::kWaiting);
    EXPECT_EQ(first.recipients[1].answer, "451 4.7.1 greylisted");
    EXPECT_EQ(first.recipients[1].relay, "mx.example.net[192.0.2.9]:25");
    EXPECT_EQ(first.recipients[1].cipher, "TLSv1.3 TLS_AES_256_GCM_SHA384");
    EXPECT_GT(first.recipients[1].next_attempt, queued_at);
    EXPECT_EQ(std::get<Control>(mail.events[1].what).operation, queue::Operation::kHold);
    EXPECT_EQ(std::get<Control>(mail.events[2].what).operation, queue::Operation::kRelease);
    EXPECT_EQ(std::get<Outcome>(mail.events[3].what).recipients[0].state, RecipientState::kDelivered);
    EXPECT_TRUE(IsOver(mail));
  }
}

TEST_F(HistoryTest, FindsBySenderRecipientDomainAndTimeInRunsWithAndWithoutAnIndex) {
  options_ = SmallRuns();
  Open();
  const base::WallTime begin = clock_.WallNow();
  constexpr std::uint64_t kMails = 1'000;  // Six keys each: six runs.
  DeliverMany(kMails);
  AwaitSorted(4);
  EXPECT_GE(rig_->history->Status().runs, 5u);
  for (const bool restart : {false, true}) {
    if (restart) Restart();
    SCOPED_TRACE(restart);
    const auto expect = [&](Query query, const std::function<bool(std::uint64_t)>& is_sought) {
      std::vector<std::string> expected;
      for (std::uint64_t i = kMails; i-- > 0;) {
        if (is_sought(i)) expected.push_back(IdOf(i));
      }
      query.limit = 2'000;
      EXPECT_EQ(IdsOf(rig_->Find(query)), expected);
    };
    const auto at = [&](std::uint64_t i) { return begin + std::chrono::seconds(i); };
    expect({.from = "NEWS@list.test"}, [](std::uint64_t i) { return i % 3 == 0; });
    expect({.from = "@list.test"}, [](std::uint64_t i) { return i % 3 == 0; });
    expect({.to = "alice@example.test"}, [](std::uint64_t i) { return i % 5 == 0; });
    expect({.to = "@example.test"}, [](std::uint64_t) { return true; });
    expect({.address = "r7@example.test"}, [](std::uint64_t i) { return i == 7; });
    expect({.address = "s7@x.test"}, [](std::uint64_t i) { return i == 7; });
    expect({.from = "news@list.test", .to = "alice@example.test"}, [](std::uint64_t i) { return i % 15 == 0; });
    expect({.from = "s8@x.test", .to = "alice@example.test"}, [](std::uint64_t) { return false; });
    expect({.from = "@list.test", .since = at(300), .until = at(600)},
           [](std::uint64_t i) { return i % 3 == 0 && i >= 300 && i < 600; });
    expect({.since = at(990)}, [](std::uint64_t i) { return i >= 990; });
    expect({.id = IdOf(500)}, [](std::uint64_t i) { return i == 500; });
    const FoundMails newest = rig_->Find({.from = "@list.test", .limit = 3});
    EXPECT_EQ(IdsOf(newest), (std::vector<std::string>{IdOf(999), IdOf(996), IdOf(993)}));
    EXPECT_TRUE(newest.has_more);
    EXPECT_FALSE(rig_->Find({.id = IdOf(3), .limit = 1}).has_more);
  }
}

// Nothing was written yet that a crash could leave: the log's replay brings it again, once.
TEST_F(HistoryTest, LosesAndDoublesNothingWhenThePowerIsCut) {
  const std::uint64_t base_seed = testing::UnitTest::GetInstance()->random_seed() + 1;
  for (std::uint64_t seed = base_seed; seed < base_seed + 20; ++seed) {
    SCOPED_TRACE(fmt::format("--gtest_random_seed={}", seed - 1));
    options_ = SmallRuns();
    options_.volume.checkpoint_bytes = 512u << 10;
    Open();
    base::Random random(seed);
    std::set<std::string> expected;
    std::set<std::string> unsure;
    std::uint64_t number = 0;
    for (int life = 0; life < 4; ++life) {
      rig_->device.CutPowerAfter(random.Next() % 150 + 5);
      while (!rig_->device.PowerWasCut()) {
        const std::string id = IdOf(++number);
        const bool is_queued = random.Next() % 4 == 0;
        const bool done = is_queued ? rig_->Enqueue(id, "q@x.test", {"far@y.test"}).has_value()
                                    : rig_->DeliverDirectly(id, "d@x.test", "r@example.test");
        (done ? expected : unsure).insert(id);
        if (done && random.Next() % 40 == 0) base::Ignore(rig_->Run(rig_->log->SnapshotNow(replog::PartitionId(0))));
        clock_.Advance(std::chrono::milliseconds(10));
      }
      CutPower(random.Next());
      const std::vector<std::string> ids = rig_->AllIds();
      const std::set<std::string> found(ids.begin(), ids.end());
      EXPECT_EQ(found.size(), ids.size()) << "some twice, life " << life;
      EXPECT_TRUE(std::ranges::includes(found, expected)) << "some lost, life " << life;
      for (const std::string& id : found) EXPECT_TRUE(expected.contains(id) || unsure.contains(id)) << id;
      expected.insert(found.begin(), found.end());
    }
    rig_->Shut(false);
    rig_.reset();
  }
}

TEST_F(HistoryTest, ASnapshotCutsOffNoEntryWhoseEventIsInMemoryOnly) {
  Open();
  DeliverMany(5);
  const auto id = rig_->Enqueue(IdOf(9), "bob@x.test", {"carol@far.test"});
  EXPECT_EQ(rig_->history->Status().records, 0u);
  for (const replog::PartitionId partition : {replog::PartitionId(0), id->partition}) {
    ASSERT_TRUE(rig_->Run(rig_->log->SnapshotNow(partition)).has_value());
  }
  EXPECT_GE(rig_->history->Status().records, 1u);
  CutPower();
  EXPECT_EQ(rig_->AllIds().size(), 6u);
}

TEST_F(HistoryTest, GoesByAge) {
  options_ = SmallRuns();
  options_.history.keeping.keep = std::chrono::hours(1);
  Open();
  DeliverMany(600);
  AwaitSorted(2);
  WriteAll();
  clock_.Advance(std::chrono::minutes(55));
  while (rig_->history->Status().counts.records_dropped == 0) rig_->context.run_one();
  const std::vector<std::string> ids = rig_->AllIds();
  EXPECT_GT(ids.size(), 100u);
  EXPECT_LT(ids.size(), 420u);
  EXPECT_EQ(ids.front(), IdOf(599));
  clock_.Advance(std::chrono::hours(1));
  while (rig_->history->Status().records > 0) rig_->context.run_one();
  EXPECT_TRUE(rig_->AllIds().empty());
  EXPECT_EQ(rig_->history->Status().runs, 1u);
  Restart();
  EXPECT_TRUE(rig_->AllIds().empty());
  EXPECT_EQ(rig_->volume->Status().live_bytes_by_stream[static_cast<std::size_t>(mffs::Stream::kHistory)], 0u);
}

TEST_F(HistoryTest, TheOldestGoesWhenItTakesTooMuchSpace) {
  options_ = SmallRuns();
  options_.history.keeping.space_max = 60'000;
  Open();
  DeliverMany(1'000);
  WriteAll();
  clock_.Advance(std::chrono::seconds(20));
  while (rig_->history->Status().bytes > 60'000) rig_->context.run_one();
  const std::vector<std::string> ids = rig_->AllIds();
  EXPECT_GT(ids.size(), 50u);
  EXPECT_LT(ids.size(), 1'000u);
  EXPECT_EQ(ids.front(), IdOf(999));
  EXPECT_EQ(rig_->history->Status().counts.events_lost, 0u);
}

TEST_F(HistoryTest, GoesAltogetherRatherThanRefuseMail) {
  options_ = SmallRuns();
  options_.history.keeping.free_percent_min = 100;
  Open();
  DeliverMany(200);
  WriteAll();
  clock_.Advance(std::chrono::seconds(20));
  while (rig_->history->Status().records > 0) rig_->context.run_one();
  EXPECT_TRUE(rig_->DeliverDirectly(IdOf(1'000), "bob@x.test", "alice@example.test"));
}

TEST_F(HistoryTest, IsGivenUpWhenNoneIsWanted) {
  Open();
  DeliverMany(20);
  const mffs::SimImage image = rig_->Shut(false);
  options_.history.keeping.keep = std::chrono::seconds(0);
  clock_.Advance(std::chrono::seconds(1));
  Open(image);
  DeliverMany(5, 100);
  while (rig_->history->Status().records > 0) rig_->context.run_one();
  EXPECT_TRUE(rig_->AllIds().empty());
}

TEST_F(HistoryTest, IsFoundWithoutACheckpoint) {
  options_ = SmallRuns();
  Open();
  DeliverMany(600);
  AwaitSorted(2);
  const mffs::SimImage image = rig_->Shut(false);
  options_.volume.recover_from = mffs::RecoveryBase::kNothing;
  Open(image);
  EXPECT_EQ(rig_->AllIds().size(), 600u);
  EXPECT_EQ(IdsOf(rig_->Find({.address = "s7@x.test"})), std::vector<std::string>{IdOf(7)});
}

// Rewrites live records of mostly dead segments until the history's have been moved too.
TEST_F(HistoryTest, FollowsItsRecordsWhenCleaningMovesThem) {
  options_ = SmallRuns();
  options_.device_bytes = 24u << 20;
  options_.volume.clean_below_live_percent = 99;
  Open();
  DeliverMany(400);
  AwaitSorted(1);
  WriteAll();
  const mffs::SimImage image = rig_->Shut(false);
  Open(image);
  // Each life begins new segments, so those of the one before are sealed and can be cleaned.
  std::uint64_t number = 1'000;
  while (rig_->volume->Status().segments_cleaned == 0 && number < 9'000) DeliverMany(100, number += 100);
  ASSERT_GT(rig_->volume->Status().segments_cleaned, 0u);
  for (const bool crash : {false, true}) {
    EXPECT_EQ(IdsOf(rig_->Find({.address = "s7@x.test"})), std::vector<std::string>{IdOf(7)});
    EXPECT_EQ(IdsOf(rig_->Find({.id = IdOf(399)})), std::vector<std::string>{IdOf(399)});
    const std::vector<std::string> ids = rig_->AllIds();
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
    if (crash) {
      CutPower();
    } else {
      Restart();
    }
  }
  EXPECT_EQ(IdsOf(rig_->Find({.address = "s7@x.test"})), std::vector<std::string>{IdOf(7)});
}

TEST_F(HistoryTest, EventsAreLostAndCountedRatherThanFillTheMemory) {
  options_.history.gathering = {.record_bytes = 64u << 10, .waiting_bytes_max = 20u << 10};
  options_.history.keeping.write_after = std::chrono::hours(1);
  Open();
  DeliverMany(400);
  EXPECT_GT(rig_->history->Status().counts.events_lost, 0u);
  EXPECT_GT(rig_->AllIds().size(), 50u);
}

}  // namespace
}  // namespace history
