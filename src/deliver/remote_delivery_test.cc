// The dispatchers of both lanes with many next hops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/dispatcher.h"
#include "deliver/remote_testing.h"

namespace deliver {
namespace {

using ::testing::SizeIs;

// Takes all there is for mailboxes.
class MailboxCourier final : public Courier {
 public:
  async::Task<void> Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) override {
    for (const std::uint32_t recipient : claim.recipients) {
      outcomes->push_back({recipient, queue::Outcome::kDelivered, "2.0.0 delivered"});
      delivered += 1;
    }
    co_return;
  }
  int delivered = 0;
};

class RemoteDeliveryTest : public ::testing::Test {
 protected:
  ~RemoteDeliveryTest() override {
    bed_.Run(remote_.Stop());
    bed_.Run(local_.Stop());
  }
  void Start() {
    remote_.Start();
    local_.Start();
  }
  static std::string Ip(int n) { return "10.0." + std::to_string(n / 250) + "." + std::to_string(1 + n % 250); }
  std::string AddDomain(int n) {
    const std::string domain = "d" + std::to_string(n) + ".test";
    bed_.AddDomain(domain, Ip(n));
    return domain;
  }
  // Simulated seconds until `done`.
  template <class F>
  int SecondsUntil(F done) {
    for (int seconds = 0; seconds < 1000; ++seconds) {
      bed_.Settle();
      if (done()) return seconds;
      bed_.Pass();
    }
    return 1000;
  }
  std::uint64_t MailsLeft() const { return bed_.rig.queue->Status().mails; }

  RemoteBed bed_;
  MailboxCourier mailboxes_;
  Notices notices_{bed_.rig.queue.get(), &bed_.clock, {}};
  Dispatcher remote_{bed_.rig.context.get_executor(),
                     bed_.rig.queue.get(),
                     &bed_.courier,
                     &notices_,
                     {.lane = queue::Lane::kRemote, .workers = 32}};
  Dispatcher local_{bed_.rig.context.get_executor(), bed_.rig.queue.get(), &mailboxes_, &notices_, {.workers = 2}};
};

TEST_F(RemoteDeliveryTest, NextHopsThatHangHoldUpNoOtherAndNoMailbox) {
  constexpr int kHanging = 5;
  constexpr int kOthers = 150;
  ASSERT_TRUE(bed_.table.AddLocal("here.test").has_value());
  for (int n = 0; n < kHanging; ++n) {
    const std::string domain = AddDomain(n);
    bed_.Server(Ip(n)).answer = [](const std::string&) { return "HANG"; };
    // More than all workers.
    for (int i = 0; i < 20; ++i) bed_.Add({"x@" + domain});
  }
  Start();
  bed_.Settle();
  for (int n = kHanging; n < kHanging + kOthers; ++n) bed_.Add({"x@" + AddDomain(n)});
  bed_.Add({"x@here.test"});
  EXPECT_LE(SecondsUntil([this] { return MailsLeft() == kHanging * 20; }), 1);
  EXPECT_EQ(mailboxes_.delivered, 1);
  for (int n = 0; n < kHanging; ++n) EXPECT_LE(bed_.Server(Ip(n)).open_max, 5);
}

TEST_F(RemoteDeliveryTest, ManyMailsToOneDestinationGoOverFewConnections) {
  const std::string domain = AddDomain(1);
  for (int i = 0; i < 200; ++i) bed_.Add({"x@" + domain});
  Start();
  EXPECT_LE(SecondsUntil([this] { return MailsLeft() == 0; }), 1);
  EXPECT_THAT(bed_.Server(Ip(1)).mails, SizeIs(200));
  EXPECT_LE(bed_.Server(Ip(1)).connections, 25);
  EXPECT_LE(bed_.Server(Ip(1)).open_max, 20);
}

TEST_F(RemoteDeliveryTest, ADeadDestinationIsDialledAFewTimesForItsManyMails) {
  bed_.dns.AddMx("dead.test", 10, "mx.dead.test");
  bed_.dns.AddIp("mx.dead.test", "192.0.2.9");
  for (int i = 0; i < 200; ++i) bed_.Add({"x@dead.test"});
  Start();
  EXPECT_LE(SecondsUntil([this] { return bed_.rig.queue->Destinations()[0].claims_limit == 0; }), 1);
  for (int i = 0; i < 30; ++i) {
    bed_.Pass();
    bed_.Settle();
  }
  EXPECT_LE(bed_.dialled.size(), 5u);
  EXPECT_EQ(MailsLeft(), 200u);
}

TEST_F(RemoteDeliveryTest, MailForADeadDestinationThatGetsTooOldIsGivenUpWithoutDialling) {
  bed_.dns.AddMx("dead.test", 10, "mx.dead.test");
  bed_.dns.AddIp("mx.dead.test", "192.0.2.9");
  std::vector<queue::QueueId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(bed_.Add({"x@dead.test"}));
  Start();
  SecondsUntil([this] { return bed_.rig.queue->Destinations()[0].claims_limit == 0; });
  bed_.Pass(std::chrono::hours(121));
  const std::size_t dialled_before = bed_.dialled.size();
  // A mail that comes wakes the workers, as their timer would.
  const std::string domain = AddDomain(1);
  bed_.Add({"x@" + domain});
  EXPECT_LE(SecondsUntil([&] { return !bed_.rig.queue->Show(ids[19]).has_value(); }), 2);
  for (const queue::QueueId& id : ids) EXPECT_FALSE(bed_.rig.queue->Show(id).has_value());
  // That one mail which tried after the pause, the new one, and what the notices met.
  EXPECT_LE(bed_.dialled.size(), dialled_before + 3);
}

}  // namespace
}  // namespace deliver
