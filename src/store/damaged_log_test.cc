// A restart on a disk that has lost entries of a mailbox partition's log. docs/decisions/0016-damaged-log-entries.md
#include <gtest/gtest.h>

#include "base/log.h"
#include "mffs/superblock.h"
#include "mffs/volume_check.h"
#include "store/testing.h"

namespace store {
namespace {

// Where the records of the log's entries begin on the device.
std::vector<std::uint64_t> EntriesOn(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  const mffs::Geometry geometry =
      async::RunTask(context, mffs::LoadSuperblock(&device, std::chrono::seconds(10)))->geometry;
  std::vector<std::uint64_t> places;
  mffs::Findings findings;
  mffs::VolumeCheckOptions options;
  options.visit = [&](const mffs::CheckedRecord& record) {
    if (record.is_live && record.key.type == 1) {
      places.push_back(geometry.SegmentOffset(record.location.segment) + record.location.offset);
    }
  };
  CHECK(async::RunTask(context, mffs::CheckVolume(&device, options, &findings)).has_value());
  return places;
}

async::Task<void> Wait(async::SteadyTimer* timer) {
  co_await timer->async_wait(async::use_task);
}

std::uint32_t DigestOf(TestNode& node, replog::PartitionId partition) {
  StateDigest digest;
  node.Do(node.store().WriteSnapshot(partition, &digest));
  return digest.value();
}

// The index has what the entries did: accounts, flags, UIDs are as before, whichever entry has rotted.
TEST(DamagedLog, LosesNothingThatTheIndexHas) {
  base::SetLogSink([](std::string_view) {});
  TestNodeOptions options;
  options.mailbox_partitions = 1;
  options.volume.checkpoint_interval = std::chrono::hours(1);
  options.volume.cover_after = std::chrono::milliseconds(1);
  TestNode node(options);
  const replog::PartitionId partition(0);
  const Account alice = node.AddAccount("alice@example.test");
  const MailboxId inbox(alice.id.value());
  for (const std::size_t bytes : {300u, 5'000u, 700'000u, 1'000u}) {
    node.Deliver("alice@example.test", "Subject: s\r\n\r\n" + std::string(bytes, 'x'));
  }
  node.Do(node.store().StoreFlags(inbox, {2}, FlagsChange::kAdd, {.system = Flags::kSeen, .keywords = {"$K"}}));
  node.Do(node.store().Expunge(inbox, {1}, false));
  node.Do(node.store().CreateMailbox(alice.id, "last"));
  const std::uint32_t before = DigestOf(node, partition);
  // The last entry is covered, too.
  async::SteadyTimer timer(node.executor(), std::chrono::milliseconds(20));
  node.Run(Wait(&timer));
  const mffs::SimImage image = node.device().Snapshot();
  std::uint64_t left_out = 0;
  for (const std::uint64_t place : EntriesOn(image)) {
    SCOPED_TRACE("entry at " + std::to_string(place));
    mffs::SimImage rotten = image;
    rotten.FlipBit(place + 10, 2);
    node.RestartOn(std::move(rotten), TestIndex::kKept);
    EXPECT_EQ(DigestOf(node, partition), before);
    left_out += node.log().Status().damaged_entries;
    EXPECT_EQ(node.Do(node.store().ListUids(inbox)), (std::vector<std::uint32_t>{2, 3, 4}));
    EXPECT_EQ(node.Do(node.store().ReadMessage(inbox, 3, 600'000, 1'000)).size(), 1'000u);
  }
  EXPECT_GT(left_out, 6u);
  base::SetLogSink(nullptr);
}

}  // namespace
}  // namespace store
