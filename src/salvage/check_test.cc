#include "salvage/check.h"

#include <gmock/gmock.h>

#include "salvage/salvage_rig.h"

namespace salvage {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

TEST(MailCheck, AVolumeWithMailOfAllKindsIsClean) {
  MailRig rig;
  rig.Fill();
  for (const bool with_snapshots : {false, true}) {
    if (with_snapshots) rig.node.Restart(store::TestIndex::kDeleted);
    const CheckedMail checked = CheckImage(rig.Image());
    ASSERT_TRUE(checked.result) << checked.result.error().message();
    EXPECT_EQ(checked.damage() + checked.warnings(), 0u) << checked.Sentences();
    EXPECT_EQ(checked.result->mails_in_mailboxes, rig.in_mailboxes.size() + 1);  // One is there twice.
    EXPECT_EQ(checked.result->mails_in_queue, rig.in_queue.size());
    EXPECT_EQ(checked.result->mails_damaged, 0u);
  }
}

TEST(MailCheck, ASnapshotThatTellsOfSettledMailIsNoDamage) {
  MailRig rig;
  rig.Fill();
  store::Delivery delivery;
  delivery.internal_date = rig.node.clock().WallNow();
  delivery.targets.push_back(
      {.address = "alice@example.test", .delivery_id = rig.node.RandomDeliveryId(), .prefix = ""});
  delivery.body = rig.node.MakeBody(MailText("settled", 500));
  delivery.settled.push_back({.queue_partition = replog::kFirstQueuePartition,
                              .below = replog::Index(300),
                              .except = {replog::Index(7), replog::Index(290)}});
  rig.node.Do(rig.node.store().Deliver(std::move(delivery)));
  rig.node.Restart(store::TestIndex::kDeleted);
  const CheckedMail checked = CheckImage(rig.Image());
  ASSERT_TRUE(checked.result) << checked.result.error().message();
  EXPECT_EQ(checked.damage() + checked.warnings(), 0u) << checked.Sentences();
}

TEST(MailCheck, APowerCutAtAnyMomentIsNoDamage) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    MailRig rig;
    rig.Fill();
    mffs::SimDevice& device = rig.node.device();
    device.CutPowerAfter(seed);
    int running = 0;
    for (int i = 0; i < 6; ++i) {
      mail::Envelope envelope;
      envelope.recipients.push_back({.address = "x@example.test"});
      running += 1;
      asio::co_spawn(rig.node.executor(), queue::EnqueueText(rig.mail_queue, envelope, MailText("cut", 9'000)),
                     [&running](const std::exception_ptr&, const base::Result<queue::QueueId>&) { running -= 1; });
    }
    rig.node.context().restart();
    while (!device.PowerWasCut() && running > 0) rig.node.context().run_one();
    device.CutPowerNow();
    const mffs::SimImage image = device.ImageAfter(seed);
    device.FailWhatWasCut();
    rig.node.context().restart();
    while (running > 0) rig.node.context().run_one();
    const CheckedMail checked = CheckImage(image);
    ASSERT_TRUE(checked.result) << "seed " << seed << ": " << checked.result.error().message();
    EXPECT_EQ(checked.damage() + checked.warnings(), 0u) << "seed " << seed << "\n" << checked.Sentences();
  }
}

struct Rot {
  std::string label;
  std::string text;   // A bit of it is flipped, where it stands last on the image.
  std::string found;  // A regular expression for the sentence.
  bool is_named = true;
};

TEST(MailCheck, RotInAMailIsNamedWithItsPlace) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  const Rot rots[] = {
      {"a small mail", "small 0123", "UID 2 in mailbox INBOX of alice@example.test .*is damaged"},
      {"a part of a large one", "huge 0123",
       "UID 3 in mailbox INBOX of alice@example.test .*part [0-9]+ of 12 is damaged"},
      {"a queued mail", "queued 0123",
       "queued mail 8000000[0-9]-[0-9a-f]+ from <queued@example.test>: its record is damaged"},
      {"a queued mail in parts", "queuedlarge 0123", "queued mail .* from <queuedlarge@example.test>: part [0-9] of 3"},
      // The first sector of a block holds the entry itself: what it said is gone with it.
      {"an entry", "held 0123", "queue partition [0-9]+ lacks entry [0-9]+, acknowledged", false},
  };
  for (const Rot& rot : rots) {
    const std::vector<std::uint64_t> places = FindText(image, rot.text);
    ASSERT_FALSE(places.empty()) << rot.label;
    mffs::SimImage rotten = image;
    rotten.FlipBit(places.back(), 0);
    const CheckedMail checked = CheckImage(rotten);
    ASSERT_TRUE(checked.result) << rot.label;
    EXPECT_GT(checked.damage(), 0u) << rot.label;
    EXPECT_EQ(checked.result->mails_damaged > 0, rot.is_named) << rot.label;
    EXPECT_THAT(checked.Sentences(), ContainsRegex(rot.found)) << rot.label;
  }
}

TEST(MailCheck, RotInDeletedMailIsNoDamage) {
  MailRig rig;
  rig.Fill();
  rig.node.Do(rig.node.volume().Checkpoint());
  mffs::SimImage image = rig.Image();
  const std::vector<std::uint64_t> places = FindText(image, "expungedlarge 0123");
  ASSERT_FALSE(places.empty());
  image.FlipBit(places[places.size() / 2], 0);
  const CheckedMail checked = CheckImage(image);
  ASSERT_TRUE(checked.result);
  EXPECT_EQ(checked.result->mails_damaged, 0u) << checked.Sentences();
}

// Every segment that holds something in turn: what was acknowledged and is gone is always noticed.
TEST(MailCheck, ASegmentThatIsGoneIsDamage) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  int erased = 0;
  for (std::uint64_t segment = 0; segment < 38; ++segment) {
    const std::uint64_t offset = (1 + segment) * mffs::kMiB;
    if (image.Sector(offset / mffs::kSectorBytes) == nullptr) continue;
    mffs::SimImage rotten = image;
    rotten.Write(offset, base::Bytes(mffs::kMiB));
    const CheckedMail checked = CheckImage(rotten);
    ASSERT_TRUE(checked.result) << checked.result.error().message();
    EXPECT_GT(checked.damage(), 0u) << "segment " << segment;
    ++erased;
  }
  EXPECT_GT(erased, 3);
}

TEST(MailCheck, TooManyRecordsSayWhatToDo) {
  MailRig rig;
  rig.Fill();
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), rig.Image());
  const store::TestFolder folder;
  mffs::Findings findings;
  const auto checked = async::RunTask(
      context, CheckMail(&device, {.scratch_folder = (folder / "index").string(), .records_max = 5}, &findings));
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("--records-max"));
}

}  // namespace
}  // namespace salvage
