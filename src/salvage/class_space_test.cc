// Space by class, on a volume with mail of all classes.
#include "salvage/class_space.h"

#include <gtest/gtest.h>

#include "mffs/space_map.h"
#include "salvage/salvage_rig.h"

namespace salvage {
namespace {

struct Counted {
  base::Result<ClassSpace> space = ClassSpace{};
  mffs::SpaceMap map;
};

async::Task<base::Result<ClassSpace>> Count(mffs::BlockDevice* device, mffs::SpaceMap* map) {
  ClassSurvey survey;
  ASSIGN_OR_CO_RETURN(
      *map, co_await mffs::ReadSpaceMap(device, [&survey](const mffs::RecordView& record) { survey.Add(record); }));
  replog::OwnerState state;
  if (!map->owner_state.empty()) {
    ASSIGN_OR_CO_RETURN(state, replog::OwnerState::Decode(map->owner_state));
  }
  const mffs::RecordReader reader(device, map->geometry, std::chrono::seconds(10));
  co_return co_await survey.Finish(std::move(state), &reader);
}

Counted CountImage(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  Counted counted;
  counted.space = async::RunTask(context, Count(&device, &counted.map));
  EXPECT_EQ(device.counters().writes, 0u);
  return counted;
}

MailSpace Queued(const Counted& counted, mail::Class cls) {
  return counted.space->queued[static_cast<std::size_t>(cls)];
}

void ExpectAsFilled(const Counted& counted) {
  ASSERT_TRUE(counted.space.has_value()) << counted.space.error().message();
  // "queued", "queuedlarge", "bounced" and the notice of it; the held one was enqueued as normal mail.
  EXPECT_EQ(Queued(counted, mail::Class::kNormal).mails, 5u);
  EXPECT_GT(Queued(counted, mail::Class::kNormal).bytes, 9'000u + 600'000u + 3'000u + 5'000u + 1'000u);
  EXPECT_LT(Queued(counted, mail::Class::kNormal).bytes, 9'000u + 600'000u + 3'000u + 5'000u + 1'000u + 4'000u);
  EXPECT_EQ(Queued(counted, mail::Class::kSuspect).mails, 1u);
  EXPECT_GT(Queued(counted, mail::Class::kSuspect).bytes, 5'000u);
  EXPECT_EQ(Queued(counted, mail::Class::kKnown).mails, 0u);
  // Two of seven were expunged.
  EXPECT_GE(counted.space->mailboxes.mails, 5u);
  EXPECT_GT(counted.space->mailboxes.bytes, 3'500'000u);
  // Every live byte is somebody's.
  std::uint64_t all = counted.space->leaving.bytes + counted.space->mailboxes.bytes + counted.space->log_bytes +
                      counted.space->own_bytes;
  for (const MailSpace& space : counted.space->queued) all += space.bytes;
  EXPECT_EQ(all, counted.map.total.counts.live_bytes);
}

TEST(ClassSpace, MailIsCountedByItsClassBeforeAndBehindASnapshot) {
  MailRig rig;
  rig.Fill();
  const queue::QueueId suspect = rig.Enqueue({"carol@example.test"}, "suspect", 5'000);
  rig.node.Do(rig.mail_queue->Reclass(suspect, mail::Class::kSuspect));
  ExpectAsFilled(CountImage(rig.Image()));
  for (std::uint32_t n = 0; n < rig.node.log().queue_partition_count(); ++n) {
    rig.node.Do(rig.node.log().SnapshotNow(rig.node.log().QueuePartition(n)));
  }
  const Counted after = CountImage(rig.Image());
  ExpectAsFilled(after);
  EXPECT_EQ(after.space->leaving.mails, 0u);
}

}  // namespace
}  // namespace salvage
