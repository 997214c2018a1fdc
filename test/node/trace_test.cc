// What became of a mail, asked of the complete node: direct delivery, delivery through the queue, a bounce, a removal
// by an operator; after a restart and after a power cut.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "node/client.h"
#include "node/node_rig.h"

namespace node {
namespace {

using history::FoundMails;
using history::Outcome;
using history::Query;
using history::TracedMail;
using queue::RecipientState;

class NodeTrace : public testing::Test {
 protected:
  void Start(mffs::SimImage image) {
    rig_ = std::make_unique<NodeRig>(RigOptions{.image = std::move(image), .folder = folder_.path()});
    ASSERT_EQ(rig_->start_error(), "");
  }
  void SetUp() override {
    Start(FormattedImage(48u << 20));
    for (const char* const name : {"alice", "bob", "carol"}) rig_->AddAccount(Address(name));
  }
  static std::string Address(const std::string& name) { return name + "@example.test"; }
  history::History& history() { return *rig_->parts().history; }
  FoundMails Find(Query query) {
    auto found = rig_->Run(rig_->OnShard([&] { return history().Find(std::move(query)); }));
    EXPECT_TRUE(found.has_value());
    return found.has_value() ? *std::move(found) : FoundMails();
  }
  void Send(const std::vector<std::string>& recipients, std::string_view sender = kSender) {
    Client smtp(rig_->port("smtp"));
    ASSERT_TRUE(BeginSmtp(&smtp));
    ASSERT_EQ(SendMail(&smtp, recipients, "Subject: traced\r\n\r\nhello\r\n", sender).substr(0, 3), "250");
  }
  void AwaitEmptyQueue() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (rig_->QueuedMails() > 0) ASSERT_LT(std::chrono::steady_clock::now(), end);
  }
  void Restart() {
    Wreck wreck = rig_->TakeWreck(1, IndexFate::kKept);
    rig_.reset();
    Start(std::move(wreck.image));
  }
  void CutPower(std::uint64_t seed) {
    rig_->OnShard([this] { rig_->device().CutPowerNow(); });
    Wreck wreck = rig_->TakeWreck(seed, IndexFate::kDeleted, Unflushed::kLost);
    rig_.reset();
    Start(std::move(wreck.image));
  }

  Folder folder_;
  std::unique_ptr<NodeRig> rig_;
};

// After each way of ending a node the same is told.
TEST_F(NodeTrace, DirectDeliveryIsToldAfterARestartAndAPowerCut) {
  Send({Address("alice")});
  for (int life = 0; life < 3; ++life) {
    const FoundMails found = Find({.address = "ALICE@example.test"});
    ASSERT_EQ(found.mails.size(), 1u) << life;
    const history::Arrival& arrival = *found.mails[0].arrival->arrival();
    EXPECT_FALSE(arrival.queued);
    EXPECT_EQ(arrival.sender, kSender);
    EXPECT_EQ(arrival.client_ip, "127.0.0.1");
    EXPECT_EQ(arrival.protocol, "ESMTP");
    EXPECT_GT(arrival.size_bytes, 20u);
    EXPECT_EQ(arrival.recipients.at(0).address, Address("alice"));
    EXPECT_EQ(Find({.id = arrival.mail_id}).mails.size(), 1u);
    if (life == 0) CutPower(7);
    if (life == 1) Restart();
  }
}

TEST_F(NodeTrace, AQueuedMailIsFollowedToEachOfItsMailboxesAndItsBounce) {
  // Carol's account goes between RCPT and delivery.
  Client smtp(rig_->port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(BeginMail(&smtp, {Address("alice"), Address("bob"), Address("carol")}, "bob@example.test"), "");
  ASSERT_TRUE(rig_->Run(rig_->store().RemoveAccount(Address("carol"))).has_value());
  smtp.Send("Subject: traced\r\n\r\nhello\r\n.\r\n");
  ASSERT_EQ(ReadSmtpReply(&smtp).substr(0, 3), "250");
  AwaitEmptyQueue();
  for (int life = 0; life < 3; ++life) {
    SCOPED_TRACE(life);
    const FoundMails found = Find({.from = "bob@example.test", .to = "carol@example.test"});
    ASSERT_EQ(found.mails.size(), 1u);
    const TracedMail& mail = found.mails[0];
    EXPECT_TRUE(history::IsOver(mail));
    std::vector<RecipientState> states(3, RecipientState::kWaiting);
    replog::Index notice;
    for (const history::Event& event : mail.events) {
      const auto& outcome = std::get<Outcome>(event.what);
      notice = std::max(notice, outcome.notice);
      for (const Outcome::Recipient& recipient : outcome.recipients) {
        states.at(recipient.recipient) = recipient.state;
        EXPECT_EQ(recipient.relay, "local");
      }
    }
    EXPECT_EQ(states, (std::vector{RecipientState::kDelivered, RecipientState::kDelivered, RecipientState::kBounced}));
    // The notice is a mail of its own, and says what it is about.
    const queue::QueueId notice_id{mail.arrival->partition, notice};
    const FoundMails told = Find({.id = notice_id.ToString()});
    ASSERT_EQ(told.mails.size(), 1u);
    EXPECT_EQ(told.mails[0].arrival->arrival()->about, mail.arrival->index);
    EXPECT_EQ(told.mails[0].arrival->arrival()->recipients.at(0).address, "bob@example.test");
    EXPECT_TRUE(history::IsOver(told.mails[0]));
    if (life == 0) CutPower(3);
    if (life == 1) Restart();
  }
}

TEST_F(NodeTrace, ARemovalIsTold) {
  rig_->OnShard([this] {
    rig_->device().Plant({.kind = mffs::PlantedFault::Kind::kFail, .on = mffs::SimOperation::kRead, .times = 1000});
  });
  // In parts, so that it is read from the device, which fails: it waits.
  std::string large = "Subject: large\r\n\r\n";
  while (large.size() < 300u << 10) large += "A line like all the others of this mail.\r\n";
  Client smtp(rig_->port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(SendMail(&smtp, {Address("alice"), Address("bob")}, large).substr(0, 3), "250");
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::vector<queue::QueuedMail> mails;
  do {
    mails = rig_->OnShard([this] { return rig_->queue().List({}, 10); });
    ASSERT_LT(std::chrono::steady_clock::now(), end);
  } while (mails.size() != 1 || mails[0].recipients[0].attempts == 0);
  ASSERT_TRUE(rig_->Run(rig_->queue().Remove(mails[0].id, "uid 0")).has_value());
  const FoundMails found = Find({.id = mails[0].id.ToString()});
  ASSERT_EQ(found.mails.size(), 1u);
  const auto& events = found.mails[0].events;
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(std::get<Outcome>(events[0].what).recipients[0].state, RecipientState::kWaiting);
  EXPECT_EQ(std::get<Outcome>(events[0].what).recipients[0].answer.substr(0, 6), "4.3.0 ");
  EXPECT_EQ(std::get<history::Control>(events.back().what).operation, queue::Operation::kRemove);
}

// Each mail that got its 250 is told of once, whatever the cut leaves of the history's own writes.
TEST_F(NodeTrace, EveryAcceptedMailIsToldOnceAfterPowerCutsUnderLoad) {
  std::set<std::string> accepted;
  for (std::uint64_t life = 1; life <= 4; ++life) {
    for (int i = 0; i < 40; ++i) {
      const std::string sender = "s" + std::to_string(life * 1000 + static_cast<std::uint64_t>(i)) + "@x.test";
      const std::vector<std::string> both{Address("alice"), Address("bob")};
      Send(i % 3 == 0 ? both : std::vector{Address("carol")}, sender);
      accepted.insert(sender);
      if (i % 10 == 0) EXPECT_TRUE(rig_->Run(rig_->volume().Checkpoint()).has_value());
    }
    CutPower(life);
    std::multiset<std::string> told;
    for (const TracedMail& mail : Find({.since = base::WallTime(), .limit = 1'000}).mails) {
      told.insert(mail.arrival->arrival()->sender);
    }
    for (const std::string& sender : accepted) EXPECT_EQ(told.count(sender), 1u) << sender << ", life " << life;
  }
}

}  // namespace
}  // namespace node
