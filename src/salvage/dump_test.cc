#include "salvage/dump.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "salvage/salvage_rig.h"

namespace salvage {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::HasSubstr;

base::Result<Dump> DumpImage(const mffs::SimImage& image, DumpTarget target, std::size_t items_max = 1000) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  auto dump = async::RunTask(context, DumpVolume(&device, std::move(target), {.items_max = items_max}));
  EXPECT_EQ(device.counters().writes, 0u);
  return dump;
}

// All sentences about records, one a line.
std::string Meanings(const Dump& dump) {
  std::string text;
  for (const DumpedRecord& record : dump.records) text += record.meaning + "\n";
  return text;
}

TEST(Dump, AQueuedMailHasItsEntryItsPartsAndWhatNamesIt) {
  MailRig rig;
  rig.node.AddAccount("alice@example.test");
  const queue::QueueId id = rig.Enqueue({"carol@example.test"}, "queuedlarge", 600'000);
  rig.node.Do(rig.mail_queue->Hold(id));
  rig.Enqueue({"carol@example.test"}, "another", 600);
  const auto dump = DumpImage(rig.Image(), DumpOfMail{id.ToString()});
  ASSERT_TRUE(dump) << dump.error().message();
  ASSERT_EQ(dump->records.size(), 5u) << Meanings(*dump);  // Three parts, the entry, the hold.
  EXPECT_THAT(Meanings(*dump), AllOf(HasSubstr("part 2 of body"), HasSubstr("enqueue, brings a mail of 6"),
                                     HasSubstr("control; "), HasSubstr("names queued mail " + id.ToString())));
  for (const DumpedRecord& record : dump->records) {
    EXPECT_TRUE(record.is_readable);
    EXPECT_EQ(record.is_live, true);
    EXPECT_FALSE(record.is_copy);
    EXPECT_EQ(record.stream, mffs::Stream::kTransit);
  }
  EXPECT_THAT(dump->records.front().body_start, HasSubstr("Subject: queuedlarge"));
}

TEST(Dump, ARemovedMailIsDeadOnceACheckpointSaysSo) {
  MailRig rig;
  rig.node.AddAccount("alice@example.test");
  const queue::QueueId id = rig.Enqueue({"carol@example.test"}, "removed", 600'000);
  rig.node.Do(rig.mail_queue->Remove(id));
  rig.node.Restart(store::TestIndex::kKept);
  const auto dump = DumpImage(rig.Image(), DumpOfMail{id.ToString()});
  ASSERT_TRUE(dump) << dump.error().message();
  EXPECT_THAT(dump->records, Contains(testing::Field(&DumpedRecord::is_live, std::optional<bool>(false))));
}

TEST(Dump, AMailIsFoundByTheIdInItsReceivedField) {
  MailRig rig;
  rig.Fill();  // All mails of the rig have this one.
  const auto dump = DumpImage(rig.Image(), DumpOfMail{"00112233445566aa"});
  ASSERT_TRUE(dump) << dump.error().message();
  EXPECT_THAT(Meanings(*dump),
              AllOf(ContainsRegex("mailbox partition .*: deliver, brings a mail of 300 bytes"),
                    ContainsRegex("queue partition .*: enqueue, brings a mail of 9"), HasSubstr("part 11 of body")));
}

TEST(Dump, AnLsnIsItsBlockAndItsRecords) {
  MailRig rig;
  rig.Fill();
  const auto life = DumpImage(rig.Image(), DumpOfMail{"00112233445566aa"});
  ASSERT_TRUE(life);
  for (const DumpedRecord& record : life->records) {
    const auto dump = DumpImage(rig.Image(), DumpOfLsn{record.lsn});
    ASSERT_TRUE(dump) << dump.error().message();
    ASSERT_EQ(dump->blocks.size(), 1u);
    EXPECT_EQ(dump->blocks[0].header->lsn, record.lsn);
    EXPECT_EQ(dump->records.size(), dump->blocks[0].header->record_count);
    EXPECT_THAT(dump->records, Contains(testing::Field(&DumpedRecord::location, record.location)));
  }
}

TEST(Dump, ASegmentIsAllItsBlocksUpToTheLimit) {
  MailRig rig;
  rig.Fill();
  const auto whole = DumpImage(rig.Image(), DumpOfSegment{0});
  ASSERT_TRUE(whole) << whole.error().message();
  ASSERT_TRUE(whole->segment.has_value());
  EXPECT_GT(whole->segment->generation, 0u);
  std::size_t records = 0;
  for (const DumpedBlock& block : whole->blocks) records += block.header->record_count;
  EXPECT_EQ(records, whole->records.size());
  EXPECT_EQ(whole->left_out, 0u);
  const auto part = DumpImage(rig.Image(), DumpOfSegment{0}, 3);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->blocks.size() + part->records.size(), 3u);
  EXPECT_EQ(part->left_out, whole->blocks.size() + whole->records.size() - 3);
}

TEST(Dump, RotIsShownWhereItIs) {
  MailRig rig;
  rig.Fill();
  mffs::SimImage image = rig.Image();
  image.FlipBit(FindText(image, "huge 0123").back(), 0);
  const auto dump = DumpImage(image, DumpOfMail{"00112233445566aa"});
  ASSERT_TRUE(dump);
  std::vector<DumpedRecord> damaged;
  for (const DumpedRecord& record : dump->records) {
    if (!record.is_readable) damaged.push_back(record);
  }
  ASSERT_EQ(damaged.size(), 1u);
  EXPECT_THAT(damaged[0].meaning, HasSubstr("part 11 of body"));
  EXPECT_TRUE(damaged[0].body_start.empty());
  const auto block = DumpImage(image, DumpOfLsn{damaged[0].lsn});
  ASSERT_TRUE(block);
  EXPECT_EQ(block->blocks.at(0).bad_sectors, 1u);
}

TEST(Dump, WithoutSuperblocksItCannotTellWhatIsLive) {
  MailRig rig;
  rig.Fill();
  mffs::SimImage image = rig.Image();
  const std::uint64_t end = rig.node.device().size_bytes() / mffs::kMiB * mffs::kMiB;
  for (std::size_t copy = 0; copy < mffs::kSuperblockCopies; ++copy) {
    image.FlipBit(mffs::SuperblockOffset(copy, end) + 40, 3);
  }
  const auto dump = DumpImage(image, DumpOfMail{"00112233445566aa"});
  ASSERT_TRUE(dump) << dump.error().message();
  EXPECT_TRUE(dump->geometry.from_segments);
  EXPECT_GT(dump->records.size(), 10u);
  EXPECT_EQ(dump->records.front().is_live, std::nullopt);
  EXPECT_THAT(dump->notes, Contains(HasSubstr("cannot be told what is live")));
}

TEST(Dump, WhatIsNotThereIsAnError) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  EXPECT_EQ(DumpImage(image, DumpOfMail{"0123456789abcdef"}).error().code(), base::Errc::kNotFound);
  EXPECT_EQ(DumpImage(image, DumpOfLsn{mffs::Lsn(1'000'000)}).error().code(), base::Errc::kNotFound);
  EXPECT_EQ(DumpImage(image, DumpOfSegment{1'000'000}).error().code(), base::Errc::kInvalid);
  EXPECT_EQ(DumpImage(image, DumpOfMail{"hello"}).error().code(), base::Errc::kInvalid);
  EXPECT_EQ(DumpImage(mffs::SimImage(20u << 20), DumpSuperblocks{}).error().code(), base::Errc::kCorrupt);
}

TEST(Dump, HostileImagesAreReadToTheEnd) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage good = rig.Image();
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const DumpTarget targets[] = {DumpSuperblocks{},
                                DumpOfSegment{0},
                                DumpOfSegment{1},
                                DumpOfLsn{mffs::Lsn(20)},
                                DumpOfMail{"00112233445566aa"},
                                DumpOfMail{"80000000-2"}};
  for (int i = 0; i < 20; ++i) {
    mffs::SimImage image = good;
    // Most of what is written lies in the first segments.
    for (int flips = 1 << random() % 10; flips > 0; --flips) image.FlipBit(random() % (12u << 20), random() % 8);
    for (const DumpTarget& target : targets) {
      const auto dump = DumpImage(image, target, 50);
      if (!dump.has_value()) continue;
      EXPECT_LE(dump->blocks.size() + dump->records.size(), 50u);
      for (const DumpedRecord& record : dump->records) EXPECT_LT(record.meaning.size(), 2000u);
    }
  }
}

}  // namespace
}  // namespace salvage
