// A mail for several recipients whose mailboxes lie in different partitions: over SMTP into the queue, by the
// dispatcher and the local courier into the mailboxes, read over IMAP. One recipient fails for good, one for now.
#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "node/client.h"
#include "node/node_rig.h"
#include "store/queued_ids_testing.h"

namespace node {
namespace {

using queue::RecipientState;

// In parts, so that the courier reads it from the device: a smaller one is still in memory.
std::string MailInParts() {
  std::string mail = "Subject: to many\r\n\r\n.A line that begins with a dot.\r\n";
  while (mail.size() < 300u << 10) mail += "A line like all the others of this mail.\r\n";
  return mail;
}

class NodeQueuedMail : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rig_.start_error(), "");
    // In the order in which the courier serves them: by partition.
    names_ = {"alice", "bob", "carol", "dave"};
    std::ranges::sort(names_, {}, [this](const std::string& name) { return PartitionOf(Address(name)); });
    std::set<replog::PartitionId> partitions;
    for (const std::string& name : names_) {
      rig_.AddAccount(Address(name));
      partitions.insert(PartitionOf(Address(name)));
    }
    ASSERT_EQ(partitions.size(), names_.size());
  }
  static std::string Address(const std::string& name) { return name + "@example.test"; }
  // Accepted, but not written like the account: what Delivered-To must say.
  static std::string Given(const std::string& name) { return name + "+List@example.test"; }
  replog::PartitionId PartitionOf(const std::string& address) {
    return rig_.OnShard([&] { return rig_.store().PartitionOf(address); });
  }

  // The only one but for notices.
  std::optional<queue::QueuedMail> OnlyQueuedMail() {
    auto mails = rig_.OnShard([this] { return rig_.queue().List({}, 10); });
    std::erase_if(mails, [](const queue::QueuedMail& mail) { return mail.envelope.sender.empty(); });
    return mails.size() == 1 ? std::optional(mails.front()) : std::nullopt;
  }
  // Polls, since nothing tells the outside when a queue is done with a mail.
  bool Until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
  std::vector<std::string> Inbox(const std::string& name) {
    Client imap(rig_.port("imap"));
    EXPECT_TRUE(BeginImap(&imap, Address(name)));
    const auto box = FetchBox(&imap, "INBOX");
    EXPECT_TRUE(box.has_value());
    std::vector<std::string> mails;
    if (!box.has_value()) return mails;
    for (const auto& [uid, mail] : box->mails) mails.push_back(mail.text);
    return mails;
  }
  void ExpectOneCopy(const std::string& name) {
    const std::vector<std::string> mails = Inbox(name);
    ASSERT_EQ(mails.size(), 1u) << name;
    const std::string trace =
        fmt::format("Return-Path: <sender@example.org>\r\nDelivered-To: {}\r\nReceived: ", Given(name));
    EXPECT_TRUE(mails[0].starts_with(trace)) << mails[0].substr(0, 500);
    EXPECT_TRUE(mails[0].ends_with(MailInParts())) << mails[0].size();
  }
  void ExpectIds(const std::string& name, const std::set<store::QueuedIdReader::Id>& expected) {
    store::QueuedIdReader reader;
    ASSERT_TRUE(rig_.Run(rig_.store().WriteSnapshot(PartitionOf(Address(name)), &reader)).has_value());
    EXPECT_EQ(reader.ids(), expected) << name;
  }

  std::vector<std::string> names_;
  Folder folder_;
  NodeRig rig_{{.image = FormattedImage(48u << 20), .folder = folder_.path()}};
};

TEST_F(NodeQueuedMail, EachRecipientGetsItsOwnEnd) {
  const std::string later = names_[0];
  const std::string gone = names_[2];
  const std::vector<std::string> served = {names_[1], names_[3]};
  std::vector<std::string> given;
  for (const std::string& name : names_) given.push_back(Given(name));
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(BeginMail(&smtp, given), "");
  // One account goes between its RCPT and the delivery; the first read of the mail's bytes fails.
  ASSERT_TRUE(rig_.Run(rig_.store().RemoveAccount(Address(gone))).has_value());
  rig_.OnShard([this] {
    rig_.device().Plant({.kind = mffs::PlantedFault::Kind::kFail, .on = mffs::SimOperation::kRead, .times = 1});
  });
  smtp.Send(Stuffed(MailInParts()));
  ASSERT_EQ(ReadSmtpReply(&smtp).substr(0, 3), "250");

  ASSERT_TRUE(Until([this] {
    const auto mail = OnlyQueuedMail();
    return mail.has_value() &&
           std::ranges::all_of(mail->recipients, [](const auto& recipient) { return recipient.attempts == 1; });
  }));
  const queue::QueuedMail mail = *OnlyQueuedMail();
  EXPECT_EQ(mail.cls, mail::Class::kNormal);
  EXPECT_EQ(mail.envelope.sender, "sender@example.org");
  for (std::uint32_t i = 0; i < mail.recipients.size(); ++i) {
    const queue::RecipientStatus& recipient = mail.recipients[i];
    EXPECT_EQ(recipient.address, Given(names_[i]));
    const RecipientState expected = names_[i] == later  ? RecipientState::kWaiting
                                    : names_[i] == gone ? RecipientState::kBounced
                                                        : RecipientState::kDelivered;
    EXPECT_EQ(recipient.state, expected) << recipient.address << ": " << recipient.last_answer;
  }
  EXPECT_EQ(mail.recipients[0].last_answer.substr(0, 6), "4.3.0 ");
  EXPECT_EQ(mail.recipients[2].last_answer.substr(0, 6), "5.1.1 ");
  EXPECT_GE(mail.recipients[0].next_attempt - mail.queued_at, std::chrono::seconds(45));  // A minute, less the jitter.
  for (const std::string& name : served) ExpectOneCopy(name);
  EXPECT_TRUE(Inbox(later).empty());
  const auto id = [&](std::uint32_t recipient) {
    return store::QueuedIdReader::Id{mail.id.partition.value(), mail.id.index.value(), recipient};
  };
  ExpectIds(names_[1], {id(1)});
  ExpectIds(names_[3], {id(3)});
  ExpectIds(later, {});

  // Neither of the two holds up the mail that comes after.
  Client other(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&other));
  ASSERT_EQ(SendMail(&other, {Address(later), Address(served[0])}, "Subject: next\r\n\r\n").substr(0, 3), "250");
  ASSERT_TRUE(Until([&] { return Inbox(later).size() == 1 && Inbox(served[0]).size() == 2; }));

  // The operator asks for the second try now: only the missing copy is made, and the refused one stays refused.
  ASSERT_TRUE(rig_.Run(rig_.queue().Requeue(mail.id)).has_value());
  ASSERT_TRUE(Until([&] { return Inbox(later).size() == 2; }));
  ASSERT_TRUE(Until([&] { return !OnlyQueuedMail().has_value(); }));
  ExpectOneCopy(served[1]);
  EXPECT_EQ(Inbox(served[0]).size(), 2u);
}

}  // namespace
}  // namespace node
