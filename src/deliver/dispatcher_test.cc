// The dispatcher with a courier that does what the test says, on a real queue.
#include "deliver/dispatcher.h"

#include <map>

#include <gtest/gtest.h>

#include "async/notifier.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace deliver {
namespace {

using queue::Outcome;

// Answers by the local part of the recipient: "ok", "later", "no", "hang" (until released or cancelled), "cut" (waits;
// its cancellation looks like a failure that passes).
class FakeCourier final : public Courier {
 public:
  explicit FakeCourier(async::Executor executor) : released_(executor) {}

  async::Task<void> Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) override {
    under_way += 1;
    under_way_max = std::max(under_way_max, under_way);
    struct Leave {
      int* under_way;
      ~Leave() { *under_way -= 1; }
    };
    const Leave leave{&under_way};
    for (const std::uint32_t recipient : claim.recipients) {
      const std::string& address = claim.envelope.recipients[recipient].address;
      while (address.starts_with("hang") && !is_released) co_await released_.Wait();
      if (address.starts_with("cut")) co_await WaitToBeCut();
      attempts[address] += 1;
      if (address.starts_with("later") || address.starts_with("cut")) {
        outcomes->push_back({recipient, Outcome::kRetryLater, "451 later"});
      } else if (address.starts_with("no")) {
        outcomes->push_back({recipient, Outcome::kRejected, "550 no"});
      } else {
        outcomes->push_back({recipient, Outcome::kDelivered, "250 ok"});
      }
    }
  }
  void ReleaseAll() {
    is_released = true;
    released_.NotifyAll();
  }

  std::map<std::string, int> attempts;
  int under_way = 0;
  int under_way_max = 0;
  bool is_released = false;

 private:
  async::Task<void> WaitToBeCut() {
    try {
      co_await released_.Wait();
    } catch (const boost::system::system_error&) {
      was_cut = true;
    }
    co_await asio::this_coro::reset_cancellation_state();
  }

  async::Notifier released_;

 public:
  bool was_cut = false;
};

class DispatcherTest : public ::testing::Test {
 protected:
  ~DispatcherTest() override {
    Run(dispatcher_.Stop());
    rig_.Shut(false);
  }
  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(rig_.context, std::move(task));
  }
  queue::QueueId Add(std::vector<std::string> recipients) {
    const auto id = Run(queue::EnqueueText(rig_.queue.get(), queue::EnvelopeTo(std::move(recipients)), "text"));
    EXPECT_TRUE(id.has_value());
    return *id;
  }
  // Lets everything run that does not wait for time, until `done`.
  template <class F>
  void RunUntil(F done) {
    rig_.context.restart();
    while (!done()) ASSERT_GT(rig_.context.run_one_for(std::chrono::seconds(10)), 0u);
  }
  queue::QueueStatus Status() const { return rig_.queue->Status(); }

  base::SimClock clock_;
  queue::QueueRig rig_{&clock_, std::nullopt, {.retry = {.jitter_percent = 0}, .destinations = {.claims_max = 2}}};
  FakeCourier courier_{rig_.context.get_executor()};
  Notices notices_{rig_.queue.get(), &clock_, {}};
  Dispatcher dispatcher_{rig_.context.get_executor(), rig_.queue.get(), &courier_, &notices_, {.workers = 4}};
};

TEST_F(DispatcherTest, DeliversWhatIsQueuedBeforeAndAfterItsStart) {
  Add({"ok@a.test"});
  dispatcher_.Start();
  Add({"ok@b.test", "ok@c.test"});
  RunUntil([this] { return Status().mails == 0; });
  EXPECT_EQ(courier_.attempts, (std::map<std::string, int>{{"ok@a.test", 1}, {"ok@b.test", 1}, {"ok@c.test", 1}}));
}

TEST_F(DispatcherTest, EachRecipientGetsItsOwnEnd) {
  const queue::QueueId id = Add({"ok@a.test", "no@a.test", "later@a.test"});
  dispatcher_.Start();
  // The sender is told of the one that failed.
  RunUntil([this] { return courier_.attempts["sender@example.test"] == 1; });
  const auto mail = *rig_.queue->Show(id);
  EXPECT_EQ(mail.recipients[0].state, queue::RecipientState::kDelivered);
  EXPECT_EQ(mail.recipients[1].state, queue::RecipientState::kBounced);
  EXPECT_EQ(mail.recipients[1].last_answer, "550 no");
  EXPECT_EQ(mail.recipients[2].state, queue::RecipientState::kWaiting);
  EXPECT_EQ(mail.recipients[2].next_attempt, clock_.WallNow() + std::chrono::seconds(60));
}

TEST_F(DispatcherTest, AHangingDestinationKeepsNoOtherWaiting) {
  for (int i = 0; i < 10; ++i) Add({"hang@slow.test"});
  for (int i = 0; i < 30; ++i) Add({"ok@" + std::to_string(i) + ".test"});
  dispatcher_.Start();
  RunUntil([this] { return Status().mails == 10; });
  // Two of four workers: the budget of the destination.
  EXPECT_EQ(courier_.under_way, 2);
  courier_.ReleaseAll();
  RunUntil([this] { return Status().mails == 0; });
}

TEST_F(DispatcherTest, TakesNoMoreAtOnceThanItHasWorkers) {
  for (int i = 0; i < 20; ++i) Add({"hang@" + std::to_string(i) + ".test"});
  dispatcher_.Start();
  RunUntil([this] { return courier_.under_way == 4; });
  EXPECT_EQ(Status().recipients_claimed, 4u);
  EXPECT_EQ(Status().recipients_waiting, 16u);
  courier_.ReleaseAll();
  RunUntil([this] { return Status().mails == 0; });
  EXPECT_EQ(courier_.under_way_max, 4);
}

TEST_F(DispatcherTest, WhatHappenedBeforeStopIsRecordedAndTheRestStaysDue) {
  const queue::QueueId id = Add({"ok@a.test", "no@a.test", "hang@a.test"});
  dispatcher_.Start();
  RunUntil([this] { return courier_.attempts.size() == 2; });
  Run(dispatcher_.Stop());
  const auto mail = *rig_.queue->Show(id);
  EXPECT_EQ(mail.recipients[0].state, queue::RecipientState::kDelivered);
  EXPECT_EQ(mail.recipients[1].state, queue::RecipientState::kBounced);
  EXPECT_EQ(mail.recipients[2].state, queue::RecipientState::kWaiting);
  EXPECT_EQ(mail.recipients[2].attempts, 0u);
  EXPECT_LE(mail.recipients[2].next_attempt, clock_.WallNow());
}

TEST_F(DispatcherTest, AFailureThatStopMayHaveCausedIsNotRecorded) {
  const queue::QueueId id = Add({"ok@a.test", "cut@a.test"});
  dispatcher_.Start();
  RunUntil([this] { return courier_.attempts.size() == 1; });
  Run(dispatcher_.Stop());
  EXPECT_TRUE(courier_.was_cut);
  EXPECT_EQ(courier_.attempts.size(), 2u);
  const auto mail = *rig_.queue->Show(id);
  EXPECT_EQ(mail.recipients[0].state, queue::RecipientState::kDelivered);
  EXPECT_EQ(mail.recipients[1].attempts, 0u);
  EXPECT_LE(mail.recipients[1].next_attempt, clock_.WallNow());
}

async::Task<void> StopAndTell(Dispatcher* dispatcher, bool* stopped) {
  co_await dispatcher->Stop();
  *stopped = true;
}

TEST_F(DispatcherTest, WhatIsUnderWayMayEndWithinTheGraceOfStop) {
  Dispatcher patient(rig_.context.get_executor(), rig_.queue.get(), &courier_, &notices_,
                     {.workers = 2, .stop_grace = std::chrono::minutes(10)});
  Add({"hang@a.test"});
  patient.Start();
  RunUntil([this] { return courier_.under_way == 1; });
  bool stopped = false;
  async::TaskGroup group(rig_.context.get_executor(), "stop");
  group.Spawn(StopAndTell(&patient, &stopped));
  // What comes now is left for the next start.
  Add({"ok@b.test"});
  rig_.context.restart();
  rig_.context.poll();
  EXPECT_FALSE(stopped);
  EXPECT_EQ(courier_.attempts.size(), 0u);
  courier_.ReleaseAll();
  RunUntil([&] { return stopped; });
  EXPECT_EQ(courier_.attempts, (std::map<std::string, int>{{"hang@a.test", 1}}));
  EXPECT_EQ(Status().mails, 1u);
  EXPECT_EQ(Status().recipients_claimed, 0u);
  Run(group.Join());
}

TEST_F(DispatcherTest, TheGraceOfStopEnds) {
  Dispatcher patient(rig_.context.get_executor(), rig_.queue.get(), &courier_, &notices_,
                     {.workers = 2, .stop_grace = std::chrono::milliseconds(1)});
  Add({"hang@a.test"});
  patient.Start();
  RunUntil([this] { return courier_.under_way == 1; });
  Run(patient.Stop());
  EXPECT_EQ(courier_.under_way, 0);
  EXPECT_EQ(Status().recipients_waiting, 1u);
}

TEST_F(DispatcherTest, StopGivesClaimsBack) {
  Add({"hang@a.test"});
  dispatcher_.Start();
  RunUntil([this] { return courier_.under_way == 1; });
  Run(dispatcher_.Stop());
  EXPECT_EQ(courier_.under_way, 0);
  EXPECT_EQ(Status().recipients_claimed, 0u);
  EXPECT_EQ(Status().recipients_waiting, 1u);
}

}  // namespace
}  // namespace deliver
