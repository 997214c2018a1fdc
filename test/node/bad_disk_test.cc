// A disk that refuses to write: nothing more is accepted, with a temporary answer; everything acknowledged is still
// read.
#include <gtest/gtest.h>

#include "node/client.h"
#include "node/node_rig.h"

namespace node {
namespace {

constexpr std::string_view kAlice = "alice@example.test";
constexpr std::string_view kMail = "Subject: before\r\n\r\nWritten while the disk was well.\r\n";

class NodeBadDisk : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rig_.start_error(), "");
    rig_.AddAccount(std::string(kAlice));
    rig_.AddAccount("bob@example.test");
    Client smtp(rig_.port("smtp"));
    ASSERT_TRUE(BeginSmtp(&smtp));
    ASSERT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 3), "250");
  }
  // The next two writes fail: the one that comes, and its second try in a fresh segment.
  void FailTwoWrites() {
    rig_.OnShard([this] { rig_.device().Plant({.kind = mffs::PlantedFault::Kind::kFail, .times = 2}); });
  }
  void ExpectMailIsRead() {
    Client imap(rig_.port("imap"));
    ASSERT_TRUE(BeginImap(&imap, kAlice));
    const auto box = FetchBox(&imap, "INBOX");
    ASSERT_TRUE(box.has_value());
    ASSERT_EQ(box->mails.size(), 1u);
    EXPECT_TRUE(box->mails.begin()->second.text.ends_with(kMail));
    Client pop3(rig_.port("pop3"));
    ASSERT_TRUE(BeginPop3(&pop3, kAlice));
    EXPECT_TRUE(AskPop3(&pop3, "RETR 1").starts_with("+OK"));
  }

  Folder folder_;
  NodeRig rig_{{.image = FormattedImage(48u << 20), .folder = folder_.path()}};
};

TEST_F(NodeBadDisk, OneFailedWriteIsMendedAndNobodySeesIt) {
  rig_.OnShard([this] { rig_.device().Plant({.kind = mffs::PlantedFault::Kind::kFail, .times = 1}); });
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  EXPECT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 3), "250");
  EXPECT_TRUE(HttpGet(rig_.port("http"), "/readyz").starts_with("HTTP/1.1 200"));
}

TEST_F(NodeBadDisk, MailIsRefusedForNowWhenAWriteFailsTwice) {
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  FailTwoWrites();
  EXPECT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 4), "451 ");
  const std::string later = AskSmtp(&smtp, "MAIL FROM:<sender@example.org>");
  EXPECT_EQ(later.substr(0, 4), "451 ") << later;
  ExpectMailIsRead();
}

TEST_F(NodeBadDisk, QueuedMailIsRefusedForNowWhenAWriteFailsTwice) {
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  FailTwoWrites();
  EXPECT_EQ(SendMail(&smtp, {std::string(kAlice), "bob@example.test"}, kMail).substr(0, 4), "451 ");
  ExpectMailIsRead();
}

TEST_F(NodeBadDisk, MailboxesDoNotChangeWhenAWriteFailsTwice) {
  Client imap(rig_.port("imap"));
  ASSERT_TRUE(BeginImap(&imap, kAlice));
  ASSERT_TRUE(AskImap(&imap, "SELECT INBOX").ok());
  FailTwoWrites();
  const std::string append = AppendCommand("INBOX", {}, kMail);
  for (const std::string& command :
       {append, append, std::string("STORE 1 FLAGS (\\Deleted)"), std::string("CREATE New")}) {
    const ImapAnswer answer = AskImap(&imap, command);
    EXPECT_TRUE(answer.status.starts_with("NO ")) << command << ": " << answer.status;
  }
  Client pop3(rig_.port("pop3"));
  ASSERT_TRUE(BeginPop3(&pop3, kAlice));
  ASSERT_TRUE(AskPop3(&pop3, "DELE 1").starts_with("+OK"));
  EXPECT_TRUE(AskPop3(&pop3, "QUIT").starts_with("-ERR")) << "the deletion is not durable";
  ExpectMailIsRead();
}

TEST_F(NodeBadDisk, ReadyzSaysWhyAndHealthzStaysWell) {
  const std::string ready = HttpGet(rig_.port("http"), "/readyz");
  EXPECT_TRUE(ready.starts_with("HTTP/1.1 200")) << ready;
  FailTwoWrites();
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 4), "451 ");
  const std::string page = HttpGet(rig_.port("http"), "/readyz");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 503")) << page;
  EXPECT_NE(page.find("read-only since a write failed twice"), std::string::npos) << page;
  EXPECT_TRUE(HttpGet(rig_.port("http"), "/healthz").starts_with("HTTP/1.1 200"));
}

TEST_F(NodeBadDisk, ARestartOnARepairedDiskHasAllMailAndTakesMore) {
  FailTwoWrites();
  {
    Client smtp(rig_.port("smtp"));
    ASSERT_TRUE(BeginSmtp(&smtp));
    ASSERT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 4), "451 ");
  }
  const auto stopped = rig_.Stop();
  ASSERT_FALSE(stopped.has_value());
  EXPECT_NE(stopped.error().message().find("read-only"), std::string::npos) << stopped.error().message();
  const Wreck wreck = rig_.TakeWreck(7, IndexFate::kDeleted);
  NodeRig again({.image = wreck.image, .folder = folder_.path()});
  ASSERT_EQ(again.start_error(), "");
  Client smtp(again.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  EXPECT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 3), "250");
  Client imap(again.port("imap"));
  ASSERT_TRUE(BeginImap(&imap, kAlice));
  const auto box = FetchBox(&imap, "INBOX");
  ASSERT_TRUE(box.has_value());
  // The mail that got 451 may be there, whole: its outcome was unknown.
  EXPECT_GE(box->mails.size(), 2u);
  EXPECT_LE(box->mails.size(), 3u);
}

}  // namespace
}  // namespace node
