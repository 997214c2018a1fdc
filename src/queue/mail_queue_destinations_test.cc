// MailQueue: lanes, destinations that cannot be reached, and mail that gets too old meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace queue {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Lane LaneOf(const std::string& destination) {
  return destination.starts_with("far") ? Lane::kRemote : Lane::kLocal;
}

async::Task<void> TakeOne(MailQueue* queue, Lane lane, std::vector<Claim>* claims) {
  claims->push_back(co_await queue->NextClaim(lane));
}

class MailQueueDestinationsTest : public ::testing::Test {
 protected:
  ~MailQueueDestinationsTest() override { rig_.Shut(false); }

  MailQueue& queue() { return *rig_.queue; }
  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(rig_.context, std::move(task));
  }
  QueueId Add(std::vector<std::string> recipients) {
    const auto id = Run(EnqueueText(&queue(), EnvelopeTo(std::move(recipients)), "text"));
    EXPECT_TRUE(id.has_value()) << id.error().message();
    return *id;
  }
  // A claim that is to be had now, if there is one.
  std::vector<Claim> TryTake(Lane lane = Lane::kRemote) {
    std::vector<Claim> claims;
    async::TaskGroup group(rig_.context.get_executor(), "taker");
    group.Spawn(TakeOne(&queue(), lane, &claims));
    rig_.context.restart();
    rig_.context.poll();
    Run(group.Stop());
    return claims;
  }
  void Record(const Claim& claim, Outcome outcome, const std::string& answer) {
    std::vector<RecipientOutcome> outcomes;
    for (const std::uint32_t recipient : claim.recipients) outcomes.push_back({recipient, outcome, answer});
    const auto recorded = Run(queue().Record(claim, outcomes));
    EXPECT_TRUE(recorded.has_value()) << recorded.error().message();
  }
  void Fail(const Claim& claim) {
    queue().Report(claim, Reach::kUnreachable, "4.4.1 nobody listens there");
    Record(claim, Outcome::kRetryLater, "4.4.1 nobody listens there");
  }
  // Three attempts fail.
  void Pause() {
    for (int i = 0; i < 3; ++i) {
      const auto claims = TryTake();
      ASSERT_THAT(claims, SizeIs(1));
      Fail(claims[0]);
    }
  }

  struct Taken {
    int tried = 0;    // And failed.
    int put_off = 0;  // Not tried, since the destination is paused.
    friend bool operator==(const Taken&, const Taken&) = default;
    friend void PrintTo(const Taken& taken, std::ostream* out) {
      *out << taken.tried << " tried, " << taken.put_off << " put off";
    }
  };
  // All claims that are to be had now.
  Taken TakeAll() {
    Taken taken;
    for (auto claims = TryTake(); !claims.empty(); claims = TryTake()) {
      if (claims[0].is_paused) {
        taken.put_off += 1;
        Record(claims[0], Outcome::kRetryLater, claims[0].pause_reason);
      } else {
        taken.tried += 1;
        Fail(claims[0]);
      }
    }
    return taken;
  }

  base::SimClock clock_;
  QueueRig rig_{&clock_, std::nullopt, {.retry = {.jitter_percent = 0}, .lane_of = LaneOf}};
};

TEST_F(MailQueueDestinationsTest, EachLaneHasItsOwnClaims) {
  Add({"a@near.test", "b@far.test"});
  const auto remote = TryTake(Lane::kRemote);
  ASSERT_THAT(remote, SizeIs(1));
  EXPECT_EQ(remote[0].destination, "far.test");
  EXPECT_THAT(TryTake(Lane::kRemote), SizeIs(0));
  const auto local = TryTake(Lane::kLocal);
  ASSERT_THAT(local, SizeIs(1));
  EXPECT_EQ(local[0].destination, "near.test");
  // A worker that waits for the one is not woken by the other.
  queue().GiveBack(remote[0]);
  EXPECT_THAT(TryTake(Lane::kLocal), SizeIs(0));
  EXPECT_THAT(TryTake(Lane::kRemote), SizeIs(1));
}

TEST_F(MailQueueDestinationsTest, MailForADeadDestinationWaitsWithoutAttempts) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(Add({"x@far.test"}));
  Pause();
  EXPECT_THAT(TryTake(), SizeIs(0));
  EXPECT_EQ(queue().Show(ids[9])->recipients[0].attempts, 0u);
  const auto destinations = queue().Destinations();
  ASSERT_THAT(destinations, SizeIs(1));
  EXPECT_EQ(destinations[0].items, 10u);
  EXPECT_EQ(destinations[0].paused_until, clock_.WallNow() + seconds(60));
  EXPECT_THAT(destinations[0].reason, HasSubstr("nobody listens"));
  // The one mail that tries after the pause succeeds, and all others follow.
  clock_.Advance(seconds(60));
  const auto probe = TryTake();
  ASSERT_THAT(probe, SizeIs(1));
  EXPECT_THAT(TryTake(), SizeIs(0));
  queue().Report(probe[0], Reach::kReached, "");
  Record(probe[0], Outcome::kDelivered, "2.0.0 ok");
  EXPECT_THAT(TryTake(), SizeIs(1));
}

TEST_F(MailQueueDestinationsTest, AnOperatorSendsOneAtOnce) {
  for (int i = 0; i < 10; ++i) Add({"x@far.test"});
  Pause();
  ASSERT_TRUE(queue().Destination("far.test").has_value());
  EXPECT_EQ(queue().Destination("far.test")->paused_until, clock_.WallNow() + seconds(60));
  EXPECT_FALSE(queue().Destination("other.test").has_value());
  EXPECT_FALSE(queue().EndPause("other.test"));
  EXPECT_TRUE(queue().EndPause("far.test"));
  EXPECT_THAT(TryTake(), SizeIs(1));
}

TEST_F(MailQueueDestinationsTest, MailThatWaitsLongForADeadDestinationComesOnceWithoutAnAttempt) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(Add({"x@far.test", "y@far.test"}));
  Pause();
  clock_.Advance(hours(4) - seconds(1));
  EXPECT_EQ(TakeAll(), (Taken{.tried = 1, .put_off = 0}));
  clock_.Advance(seconds(1));
  EXPECT_EQ(TakeAll(), (Taken{.tried = 0, .put_off = 6}));
  EXPECT_EQ(TakeAll(), (Taken{.tried = 0, .put_off = 0}));
  const RecipientStatus waiting = queue().Show(ids[5])->recipients[1];
  EXPECT_EQ(waiting.state, RecipientState::kWaiting);
  EXPECT_THAT(waiting.last_answer, HasSubstr("nobody listens"));
  // From here on one tries after each pause, as before.
  clock_.Advance(hours(5));
  EXPECT_EQ(TakeAll(), (Taken{.tried = 1, .put_off = 0}));
}

TEST_F(MailQueueDestinationsTest, MailThatGetsTooOldDuringAPauseIsGivenUpWithoutAnAttempt) {
  std::vector<QueueId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(Add({"x@far.test", "y@far.test"}));
  Pause();
  clock_.Advance(hours(119));
  TakeAll();
  const QueueId young = Add({"x@far.test"});
  clock_.Advance(hours(1));
  // The one that is not too old tries after the pause.
  EXPECT_EQ(TakeAll(), (Taken{.tried = 1, .put_off = 6}));
  for (const QueueId& id : ids) {
    const auto mail = queue().Show(id);
    ASSERT_TRUE(mail.has_value());
    for (const RecipientStatus& recipient : mail->recipients) {
      EXPECT_EQ(recipient.state, RecipientState::kHeld);
      EXPECT_THAT(recipient.last_answer, HasSubstr("gave up"));
      EXPECT_THAT(recipient.last_answer, HasSubstr("nobody listens"));
    }
  }
  EXPECT_EQ(queue().Show(young)->recipients[0].state, RecipientState::kWaiting);
}

}  // namespace
}  // namespace queue
