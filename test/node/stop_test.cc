// A node that is told to stop while it still has work of its own to do.
#include <future>

#include <gtest/gtest.h>

#include "node/client.h"
#include "node/node_rig.h"

namespace node {
namespace {

constexpr std::string_view kMail = "Subject: old\r\n\r\nTo be purged.\r\n";

TEST(NodeStop, WaitsForThePurgeOfADeletedMailbox) {
  const Folder folder;
  mffs::VolumeOptions volume;
  volume.cover_after = std::chrono::hours(1);  // No write comes but those of the test.
  NodeRig rig({.image = FormattedImage(48u << 20), .folder = folder.path(), .volume = volume});
  ASSERT_EQ(rig.start_error(), "");
  rig.AddAccount("alice@example.test");
  Client imap(rig.port("imap"));
  ASSERT_TRUE(BeginImap(&imap, "alice@example.test"));
  ASSERT_TRUE(AskImap(&imap, "CREATE Old").ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(AskImap(&imap, AppendCommand("Old", {}, kMail)).ok());
  // The deletion is written, the purge that follows it hangs.
  rig.OnShard([&rig] {
    rig.device().Plant({.kind = mffs::PlantedFault::Kind::kHang, .skip = 1, .times = mffs::PlantedFault::kAlways});
  });
  ASSERT_TRUE(AskImap(&imap, "DELETE Old").ok());
  while (rig.OnShard([&rig] { return rig.device().hanging(); }) == 0) {
  }
  auto stopping = std::async(std::launch::async, [&rig] { return rig.Stop(); });
  rig.OnShard([&rig] { rig.device().Unhang(); });
  const auto stopped = stopping.get();
  EXPECT_TRUE(stopped.has_value()) << stopped.error().message();
}

TEST(NodeStop, EndsSessionsThatWaitForTheDisk) {
  const Folder folder;
  NodeRig rig({.image = FormattedImage(48u << 20), .folder = folder.path()});
  ASSERT_EQ(rig.start_error(), "");
  rig.AddAccount("alice@example.test");
  Client smtp(rig.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(BeginMail(&smtp, {"alice@example.test"}), "");
  rig.OnShard([&rig] { rig.device().HoldSyncs(true); });
  smtp.Send(Stuffed(kMail));
  while (rig.OnShard([&rig] { return rig.device().held(); }) == 0) {
  }
  auto stopping = std::async(std::launch::async, [&rig] { return rig.Stop(); });
  rig.OnShard([&rig] { rig.device().HoldSyncs(false); });
  EXPECT_TRUE(stopping.get().has_value());
  const Wreck wreck = rig.TakeWreck(1, IndexFate::kDeleted);
  const bool got_250 = smtp.ReadToEnd().starts_with("250");
  NodeRig again({.image = wreck.image, .folder = folder.path()});
  Client imap(again.port("imap"));
  ASSERT_TRUE(BeginImap(&imap, "alice@example.test"));
  const auto box = FetchBox(&imap, "INBOX");
  ASSERT_TRUE(box.has_value());
  EXPECT_GE(box->mails.size(), got_250 ? 1u : 0u);
}

}  // namespace
}  // namespace node
