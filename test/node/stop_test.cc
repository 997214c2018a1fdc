// A node that is told to stop while it still has work of its own to do.
#include <future>

#include <gtest/gtest.h>

#include "node/client.h"
#include "node/node_rig.h"

namespace node {
namespace {

constexpr std::string_view kMail = "Subject: old\r\n\r\nTo be purged.\r\n";

class NodeStop : public testing::Test {
 protected:
  static mffs::VolumeOptions OnlyOurWrites() {
    mffs::VolumeOptions volume;
    volume.cover_after = std::chrono::hours(1);
    return volume;
  }
  void SetUp() override {
    ASSERT_EQ(rig_.start_error(), "");
    rig_.AddAccount("alice@example.test");
  }
  // Deletes a mailbox: the deletion is written, the write of the purge that follows it hangs.
  void DeleteUpToThePurge() {
    Client imap(rig_.port("imap"));
    ASSERT_TRUE(BeginImap(&imap, "alice@example.test"));
    ASSERT_TRUE(AskImap(&imap, "CREATE Old").ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(AskImap(&imap, AppendCommand("Old", {}, kMail)).ok());
    rig_.OnShard([this] {
      rig_.device().Plant({.kind = mffs::PlantedFault::Kind::kHang, .skip = 1, .times = mffs::PlantedFault::kAlways});
    });
    ASSERT_TRUE(AskImap(&imap, "DELETE Old").ok());
    while (rig_.OnShard([this] { return rig_.device().hanging(); }) == 0) {
    }
  }

  Folder folder_;
  NodeRig rig_{{.image = FormattedImage(48u << 20), .folder = folder_.path(), .volume = OnlyOurWrites()}};
};

TEST_F(NodeStop, WaitsForThePurgeOfADeletedMailbox) {
  DeleteUpToThePurge();
  auto stopping = std::async(std::launch::async, [this] { return rig_.Stop(); });
  rig_.OnShard([this] { rig_.device().Unhang(); });
  const auto stopped = stopping.get();
  EXPECT_TRUE(stopped.has_value()) << stopped.error().message();
}

TEST_F(NodeStop, WaitsForAPurgeThatIsWrittenButNotInTheIndex) {
  DeleteUpToThePurge();
  rig_.OnShard([this] {
    rig_.store().HoldWorkers(true);
    rig_.device().Unhang();
  });
  auto stopping = std::async(std::launch::async, [this] { return rig_.Stop(); });
  // Stopping before the index has answered would leave a task behind, which the store checks when it is destroyed.
  EXPECT_EQ(stopping.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  rig_.OnShard([this] { rig_.store().HoldWorkers(false); });
  const auto stopped = stopping.get();
  EXPECT_TRUE(stopped.has_value()) << stopped.error().message();
}

TEST_F(NodeStop, EndsSessionsThatWaitForTheDisk) {
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(BeginMail(&smtp, {"alice@example.test"}), "");
  rig_.OnShard([this] { rig_.device().HoldSyncs(true); });
  smtp.Send(Stuffed(kMail));
  while (rig_.OnShard([this] { return rig_.device().held(); }) == 0) {
  }
  auto stopping = std::async(std::launch::async, [this] { return rig_.Stop(); });
  rig_.OnShard([this] { rig_.device().HoldSyncs(false); });
  EXPECT_TRUE(stopping.get().has_value());
  const Wreck wreck = rig_.TakeWreck(1, IndexFate::kDeleted);
  const bool got_250 = smtp.ReadToEnd().starts_with("250");
  NodeRig again({.image = wreck.image, .folder = folder_.path()});
  Client imap(again.port("imap"));
  ASSERT_TRUE(BeginImap(&imap, "alice@example.test"));
  const auto box = FetchBox(&imap, "INBOX");
  ASSERT_TRUE(box.has_value());
  EXPECT_GE(box->mails.size(), got_250 ? 1u : 0u);
}

}  // namespace
}  // namespace node
