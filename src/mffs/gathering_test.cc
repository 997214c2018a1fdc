// The lazy gathering write: what shares a block, what waits for what, and in which order completions come.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

std::uint64_t Commits(const OpenVolume& open) {
  return open.machine.volume->Status().commits;
}

TEST(Gathering, AnIdleWriterWritesAtOnce) {
  OpenVolume open;
  TestAppender appender(open.machine.volume.get(), 3000);
  appender.Append(Stream::kTransit, 1);
  RunReady(open.machine.context);
  EXPECT_EQ(appender.done().size(), 1u);
}

TEST(Gathering, WhatArrivesDuringAWriteGoesIntoTheNextOne) {
  OpenVolume open;
  TestAppender appender(open.machine.volume.get(), 3000);
  const std::uint64_t before = Commits(open);
  open.machine.device.HoldSyncs(true);
  appender.Append(Stream::kTransit, 1);
  RunUntil(open.machine.context, [&] { return open.machine.device.held() == 1; });
  for (std::uint64_t i = 2; i <= 40; ++i) appender.Append(Stream::kTransit, i);
  RunReady(open.machine.context);
  EXPECT_EQ(open.machine.device.held(), 1u);
  EXPECT_THAT(appender.done(), testing::IsEmpty());
  open.machine.device.HoldSyncs(false);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 40; });
  EXPECT_EQ(Commits(open) - before, 2u);
}

TEST(Gathering, ARoundIsOneBlockForEachStreamWrittenTogether) {
  OpenVolume open;
  TestAppender appender(open.machine.volume.get(), 3000);
  const std::uint64_t before = Commits(open);
  open.machine.device.HoldSyncs(true);
  for (std::uint64_t i = 1; i <= 30; ++i) appender.Append(static_cast<Stream>(i % 3), i);
  RunReady(open.machine.context);
  EXPECT_EQ(open.machine.device.held(), 3u);
  open.machine.device.HoldSyncs(false);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 30; });
  EXPECT_EQ(Commits(open) - before, 1u);
}

TEST(Gathering, WithoutItEachRecordIsAWrite) {
  VolumeOptions options = TestMachine::Options();
  options.gathering = false;
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 3000);
  const std::uint64_t before = Commits(open);
  for (std::uint64_t i = 1; i <= 10; ++i) appender.Append(Stream::kTransit, i);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 10; });
  EXPECT_EQ(Commits(open) - before, 10u);
}

TEST(Gathering, CompletionsComeInLsnOrderOverAllStreams) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OpenVolume open(TestMachine::Options(), seed);  // The device ends the writes of a round in any order.
    TestAppender appender(open.machine.volume.get(), 3000);
    for (std::uint64_t i = 1; i <= 60; ++i) appender.Append(static_cast<Stream>(i % 6), i);
    RunUntil(open.machine.context, [&] { return appender.done().size() == 60; });
    open.machine.device.CutPowerNow();
    TestMachine machine(open.machine.device.ImageAfter(seed));
    ASSERT_TRUE(machine.Open());
    std::map<Location, std::pair<Lsn, std::uint32_t>> order;
    for (const SeenRecord& seen : machine.Scan()) order[seen.location] = {seen.lsn, seen.location.ordinal};
    for (std::size_t i = 1; i < appender.done().size(); ++i) {
      EXPECT_LT(order.at(appender.done()[i - 1]), order.at(appender.done()[i]));
    }
  }
}

// Each waits for its record before it appends the next one, as a session does.
async::Task<void> AppendInTurn(Volume* volume, std::uint64_t first, int count, bool by_post) {
  for (int i = 0; i < count; ++i) {
    const auto location =
        co_await volume->AppendCopy(Stream::kTransit, TestKey(first + static_cast<std::uint64_t>(i)), "", "body");
    CHECK(location.has_value());
    if (by_post) co_await asio::post(co_await asio::this_coro::executor, async::use_task);
  }
}

TEST(Gathering, WritersWokenByACommitAllGetIntoTheNextOne) {
  // Those that append inside their completion, and those that a ready handler resumes.
  for (const bool by_post : {false, true}) {
    SCOPED_TRACE(by_post ? "by a ready handler" : "inside the completion");
    OpenVolume open;
    const std::uint64_t before = Commits(open);
    async::TaskGroup writers(open.machine.context.get_executor(), "writers");
    for (std::uint64_t i = 0; i < 64; ++i) {
      writers.Spawn(AppendInTurn(open.machine.volume.get(), 1 + i * 100, 10, by_post));
    }
    async::RunTask(open.machine.context, writers.Join());
    EXPECT_EQ(Commits(open) - before, 10u);
  }
}

TEST(Gathering, TheOwnersHookRunsBetweenCompletionsAndTheNextWrite) {
  VolumeOptions options = TestMachine::Options();
  std::vector<std::string> events;
  TestAppender* appender = nullptr;
  options.after_commit = [&] {
    if (appender == nullptr) return;
    events.push_back("hook after " + std::to_string(appender->done().size()));
    if (appender->done().size() == 1) appender->Append(Stream::kTransit, 2);
  };
  OpenVolume open(options);
  TestAppender appends(open.machine.volume.get(), 3000);
  appender = &appends;
  appends.Append(Stream::kTransit, 1);
  RunUntil(open.machine.context, [&] { return appends.done().size() == 2; });
  EXPECT_THAT(events, testing::ElementsAre("hook after 1", "hook after 2"));
  appender = nullptr;  // It ends before the volume, whose closing commits once more.
}

// --- Patience ---

VolumeOptions VeryPatient() {
  VolumeOptions options = TestMachine::Options();
  options.parked_wait = 1h;
  return options;
}

TEST(Patience, APatientRecordGoesWithTheNextThatIsNot) {
  OpenVolume open(VeryPatient());
  TestAppender appender(open.machine.volume.get(), 3000);
  const std::uint64_t before = Commits(open);
  appender.Append(Stream::kParked, 1, true);
  appender.Append(Stream::kParked, 2, true);
  RunReady(open.machine.context);
  EXPECT_THAT(appender.done(), testing::IsEmpty());
  appender.Append(Stream::kTransit, 3);
  RunReady(open.machine.context);
  EXPECT_EQ(appender.done().size(), 3u);
  EXPECT_EQ(Commits(open) - before, 1u);
}

TEST(Patience, ARecordThatIsNotPatientNeverWaits) {
  OpenVolume open(VeryPatient());
  TestAppender appender(open.machine.volume.get(), 3000);
  for (const Stream stream : {Stream::kTransit, Stream::kMailbox, Stream::kMeta, Stream::kParked}) {
    const std::size_t before = appender.done().size();
    appender.Append(stream, 1);
    RunReady(open.machine.context);
    EXPECT_EQ(appender.done().size(), before + 1) << ToString(stream);
  }
}

TEST(Patience, ABlockNineTenthsFullNeverWaits) {
  OpenVolume open(VeryPatient());
  TestAppender appender(open.machine.volume.get(), 100'000);
  const std::uint64_t before = Commits(open);
  for (std::uint64_t i = 1; i <= 9; ++i) appender.Append(Stream::kParked, i, true);
  RunReady(open.machine.context);
  EXPECT_THAT(appender.done(), testing::IsEmpty());
  appender.Append(Stream::kParked, 10, true);
  RunReady(open.machine.context);
  EXPECT_EQ(appender.done().size(), 10u);
  EXPECT_EQ(Commits(open) - before, 1u);
}

TEST(Patience, EndsAfterItsTimeAndNotBefore) {
  VolumeOptions options = TestMachine::Options();
  options.parked_wait = 20ms;
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 3000);
  const auto begun = std::chrono::steady_clock::now();
  appender.Append(Stream::kParked, 1, true);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 1; });
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 20ms);
}

TEST(Patience, ClosingTheVolumeEndsIt) {
  OpenVolume open(VeryPatient());
  TestAppender appender(open.machine.volume.get(), 3000);
  appender.Append(Stream::kParked, 1, true);
  ASSERT_TRUE(open.machine.Close());
  EXPECT_EQ(appender.done().size(), 1u);
}

// --- Covering blocks ---

TEST(Covering, AnIdleWriterCoversItsLastBlockOnceWithoutRecords) {
  VolumeOptions options = TestMachine::Options();
  options.cover_after = 4ms;
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 3000);
  appender.Append(Stream::kTransit, 1);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 1; });
  const VolumeStatus last = open.machine.volume->Status();
  RunUntil(open.machine.context, [&] { return open.machine.volume->Status().durable_lsn > last.durable_lsn; });
  EXPECT_EQ(open.machine.volume->Status().records, last.records);
  // The cover timer is not armed again, so that the loop has nothing left that would write.
  const std::uint64_t writes = open.machine.device.counters().writes;
  async::SteadyTimer timer(open.machine.context.get_executor(), 5 * options.cover_after);
  bool is_over = false;
  timer.async_wait([&](boost::system::error_code) { is_over = true; });
  RunUntil(open.machine.context, [&] { return is_over; });
  EXPECT_EQ(open.machine.device.counters().writes, writes);
}

TEST(Covering, TheNextBlockLeavesTheCoveringOneAlone) {
  VolumeOptions options = TestMachine::Options();
  options.cover_after = 2ms;
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 3000);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    appender.Append(Stream::kTransit, i);
    RunUntil(open.machine.context, [&] { return appender.done().size() == i; });
    const Lsn last = open.machine.volume->Status().durable_lsn;
    RunUntil(open.machine.context, [&] { return open.machine.volume->Status().durable_lsn > last; });
  }
  TestMachine machine(open.machine.device.Snapshot());
  ASSERT_TRUE(machine.Open());
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
  EXPECT_EQ(machine.Scan().size(), 3u);
}

TEST(Covering, ComesWithinTheTimeThatTheOptionsPromise) {
  // Of the defaults: 100 ms, which includes the wait for the tick that notices the idleness.
  VolumeOptions options = TestMachine::Options();
  options.cover_after = VolumeOptions().cover_after;
  EXPECT_EQ(options.cover_after, 100ms);
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 3000);
  appender.Append(Stream::kTransit, 1);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 1; });
  const Lsn last = open.machine.volume->Status().durable_lsn;
  const auto wait = [&](std::chrono::milliseconds time) {
    async::SteadyTimer timer(open.machine.context.get_executor(), time);
    bool is_over = false;
    timer.async_wait([&](boost::system::error_code) { is_over = true; });
    RunUntil(open.machine.context, [&] { return is_over; });
  };
  // Timers run in the order in which they are due, however late a busy machine is: then the tick that notices the
  // idleness has been. The tick that covers is counted from there.
  wait(options.cover_after);
  wait(options.cover_after / 2);
  RunReady(open.machine.context);
  EXPECT_GT(open.machine.volume->Status().durable_lsn, last);
}

TEST(Covering, NothingIsWrittenAfterClosing) {
  VolumeOptions options = TestMachine::Options();
  options.cover_after = 4ms;
  OpenVolume open(options);
  TestAppender appender(open.machine.volume.get(), 3000);
  appender.Append(Stream::kTransit, 1);
  RunUntil(open.machine.context, [&] { return appender.done().size() == 1; });
  ASSERT_TRUE(open.machine.Close());
  // The owner destroys volume and device whenever it likes: no write may be under way then.
  const std::uint64_t writes = open.machine.device.counters().writes;
  async::SteadyTimer timer(open.machine.context.get_executor(), 5 * options.cover_after);
  bool is_over = false;
  timer.async_wait([&](boost::system::error_code) { is_over = true; });
  RunUntil(open.machine.context, [&] { return is_over; });
  EXPECT_EQ(open.machine.device.counters().writes, writes);
}

}  // namespace
}  // namespace mffs
