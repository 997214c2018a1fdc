// Mail goes to stream brief where it is expected to be removed soon, by what was removed before.
#include <gtest/gtest.h>

#include "store/testing.h"

namespace store {
namespace {

constexpr char kQuick[] = "quick@example.test";  // Fetches and deletes.
constexpr char kQuickToo[] = "quicker@example.test";
constexpr char kKeeper[] = "keeper@example.test";  // Keeps what it gets.
constexpr std::size_t kMailBytes = 8000;

class StreamOfMail : public testing::Test {
 protected:
  StreamOfMail() {
    for (const char* address : {kQuick, kQuickToo, kKeeper}) accounts_[address] = node_.AddAccount(address).id;
    for (int i = 0; i < 800; ++i) node_.Deliver(kKeeper, Mail());
  }

  static std::string Mail() { return "Subject: m\r\n\r\n" + std::string(kMailBytes, 'm') + "\r\n"; }
  MailboxId MailboxOf(const std::string& address, const std::string& name) {
    return node_.Do(node_.store().FindMailbox(accounts_[address], name)).id;
  }
  void Expunge(MailboxId mailbox) {
    const auto uids = node_.Do(node_.store().ListUids(mailbox));
    node_.Do(node_.store().Expunge(mailbox, uids, false));
  }
  void TurnOver(const std::string& address) {
    for (int i = 0; i < 60; ++i) {
      node_.Deliver(address, Mail());
      Expunge(MailboxOf(address, "INBOX"));
    }
  }
  mffs::Stream StreamOf(std::vector<std::string> addresses) { return node_.store().StreamOfDelivery(addresses); }
  // A volume takes the stream with the first checkpoint after it was asked for it.
  void AllowBrief() {
    node_.Deliver(kQuick, Mail());
    node_.Do(node_.volume().Checkpoint());
  }
  // What `work` adds to stream brief.
  std::uint64_t BriefBytes(const std::function<void()>& work) {
    const auto live = [this] {
      return node_.volume().Status().live_bytes_by_stream[static_cast<std::size_t>(mffs::Stream::kBrief)];
    };
    const std::uint64_t before = live();
    work();
    return live() - before;
  }
  void DeliverTogether(const std::vector<std::string>& addresses) {
    Delivery delivery;
    delivery.internal_date = node_.clock().WallNow();
    for (const std::string& address : addresses) {
      delivery.targets.push_back({.address = address, .delivery_id = node_.RandomDeliveryId(), .prefix = ""});
    }
    delivery.body = node_.MakeBody(Mail());
    node_.Do(node_.store().Deliver(std::move(delivery)));
  }

  static async::Task<base::Result<replog::Body>> WriteBody(MailStore* store, std::string text, mffs::Stream stream) {
    replog::BodyWriter writer = store->NewBody(mffs::Need::kNew, stream);
    CO_RETURN_IF_ERROR(co_await writer.Write(text));
    co_return co_await writer.Finish();
  }

  // All in one partition, so that they can share a mail. What keeper has is much, so that what counts is soon removed.
  TestNode node_{TestNodeOptions{.mailbox_partitions = 1}};
  std::map<std::string, AccountId> accounts_;
};

TEST_F(StreamOfMail, IsBriefForAnInboxThatTurnsOverAndForNoOther) {
  EXPECT_EQ(StreamOf({kQuick}), mffs::Stream::kMailbox) << "nothing is known yet";
  TurnOver(kQuick);
  EXPECT_EQ(StreamOf({kQuick}), mffs::Stream::kBrief);
  EXPECT_EQ(StreamOf({kKeeper}), mffs::Stream::kMailbox);
  AllowBrief();
  EXPECT_GE(BriefBytes([this] { node_.Deliver(kQuick, Mail()); }), kMailBytes);
  EXPECT_EQ(BriefBytes([this] { node_.Deliver(kKeeper, Mail()); }), 0u);
}

TEST_F(StreamOfMail, OfSeveralRecipientsTheOneWhoKeepsItDecides) {
  TurnOver(kQuick);
  TurnOver(kQuickToo);
  EXPECT_EQ(StreamOf({kQuick, kQuickToo}), mffs::Stream::kBrief);
  EXPECT_EQ(StreamOf({kQuick, kKeeper}), mffs::Stream::kMailbox);
  EXPECT_EQ(StreamOf({kQuick, "nobody@example.test"}), mffs::Stream::kMailbox);
  EXPECT_EQ(StreamOf({}), mffs::Stream::kMailbox);
  AllowBrief();
  EXPECT_GE(BriefBytes([this] { DeliverTogether({kQuick, kQuickToo}); }), kMailBytes);
  EXPECT_EQ(BriefBytes([this] { DeliverTogether({kQuick, kKeeper}); }), 0u);
}

TEST_F(StreamOfMail, IsBriefForPartsOfALargeMailToo) {
  TurnOver(kQuick);
  AllowBrief();
  const std::vector<std::string> addresses{kQuick};
  replog::Body body;
  EXPECT_GE(BriefBytes([&] {
              const mffs::Stream stream = node_.store().StreamOfDelivery(addresses);
              body = node_.Do(WriteBody(&node_.store(), std::string(600'000, 'l'), stream));
            }),
            500'000u);
}

TEST_F(StreamOfMail, AMailThatIsCopiedElsewhereBeforeItIsRemovedWasNotShortLived) {
  node_.Do(node_.store().CreateMailbox(accounts_[kQuick], "Archive"));
  const MailboxId inbox = MailboxOf(kQuick, "INBOX");
  const MailboxId archive = MailboxOf(kQuick, "Archive");
  for (int i = 0; i < 60; ++i) {
    node_.Deliver(kQuick, Mail());
    const auto uids = node_.Do(node_.store().ListUids(inbox));
    node_.Do(node_.store().Copy(inbox, uids, archive));
    Expunge(inbox);
  }
  EXPECT_EQ(StreamOf({kQuick}), mffs::Stream::kMailbox);
}

TEST_F(StreamOfMail, IsThatOfTheMailboxForAnAppend) {
  node_.Do(node_.store().CreateMailbox(accounts_[kKeeper], "Drafts"));
  const MailboxId drafts = MailboxOf(kKeeper, "Drafts");
  const auto append = [&] {
    node_.Do(node_.store().Append(drafts, {}, node_.clock().WallNow(), node_.MakeBody(Mail())));
  };
  for (int i = 0; i < 60; ++i) {
    append();
    Expunge(drafts);
  }
  EXPECT_EQ(node_.store().StreamOf(drafts), mffs::Stream::kBrief);
  EXPECT_EQ(StreamOf({kKeeper}), mffs::Stream::kMailbox) << "its INBOX is another mailbox";
  append();
  node_.Do(node_.volume().Checkpoint());
  EXPECT_GE(BriefBytes(append), kMailBytes);
}

TEST_F(StreamOfMail, IsLearntAnewAfterAStart) {
  TurnOver(kQuick);
  node_.Do(node_.log().SnapshotNow(node_.store().PartitionOf(kQuick)));
  node_.Restart();
  EXPECT_EQ(StreamOf({kQuick}), mffs::Stream::kMailbox);
  node_.Do(node_.store().FindAccount(kQuick));
  TurnOver(kQuick);
  EXPECT_EQ(StreamOf({kQuick}), mffs::Stream::kBrief);
}

}  // namespace
}  // namespace store
