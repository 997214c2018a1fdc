// Repair on volumes with mail: a node starts on what it made, nothing that could be read is lost, cut anywhere it goes
// on.
#include "salvage/repair.h"

#include <gmock/gmock.h>

#include "base/check.h"
#include "mffs/overlay_device.h"
#include "mffs/superblock.h"
#include "mffs/volume_check.h"
#include "replog/format.h"
#include "salvage/log_records.h"
#include "salvage/salvage_rig.h"

namespace salvage {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsSupersetOf;

struct Repaired {
  base::Result<RepairReport> report = RepairReport{};
  mffs::Findings changed;
  mffs::Findings left;
  mffs::SimImage image;
  std::uint64_t operations = 0;

  std::string Sentences() const {
    std::string text;
    for (const auto* findings : {&changed, &left}) {
      for (const mffs::Finding& finding : findings->kept()) text += finding.kind + ": " + finding.sentence + "\n";
    }
    return text;
  }
};

async::Task<base::Result<RepairReport>> PlanAndApply(mffs::BlockDevice* device, RepairOptions options,
                                                     mffs::Findings* changed, mffs::Findings* left) {
  mffs::OverlayDevice overlay(co_await asio::this_coro::executor, device);
  ASSIGN_OR_CO_RETURN(RepairReport report, co_await Repair(&overlay, std::move(options), changed, left));
  CO_RETURN_IF_ERROR(co_await mffs::ApplyWrites(&overlay, device, 10s));
  co_return report;
}

Repaired RepairImage(const mffs::SimImage& image, const std::string& index_folder = {}) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  const store::TestFolder folder;
  Repaired repaired{.changed = mffs::Findings(), .left = mffs::Findings(), .image = image};
  repaired.report = async::RunTask(
      context, PlanAndApply(&device, {.scratch_folder = (folder / "index").string(), .index_folder = index_folder},
                            &repaired.changed, &repaired.left));
  repaired.image = device.Snapshot();
  repaired.operations = device.counters().writes;
  return repaired;
}

async::Task<void> Wait(async::SteadyTimer* timer) {
  co_await timer->async_wait(async::use_task);
}

mffs::Geometry GeometryOf(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  return async::RunTask(context, mffs::LoadSuperblock(&device, 10s))->geometry;
}

// The live records of the log on an image, with what their heads say.
struct Placed {
  mffs::Location place;
  mffs::RecordKey key;
  bool in_parts = false;
  bool meta_in_body = false;
};
std::vector<Placed> Entries(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  std::vector<Placed> found;
  mffs::Findings findings;
  mffs::VolumeCheckOptions options;
  options.visit = [&](const mffs::CheckedRecord& record) {
    if (!record.is_live || record.key.type != static_cast<std::uint8_t>(replog::RecordType::kEntry)) return;
    const auto head = replog::EntryHead::Decode(record.head);
    CHECK(head.has_value());
    found.push_back({record.location, record.key, head->mail_in_parts(), head->meta_in_body()});
  };
  CHECK(async::RunTask(context, mffs::CheckVolume(&device, options, &findings)).has_value());
  return found;
}

// Every mail that can be rescued whole before can be after, and a node starts.
void ExpectSaved(MailRig& rig, const mffs::SimImage& damaged, const Repaired& repaired) {
  ASSERT_TRUE(repaired.report) << repaired.report.error().message();
  EXPECT_TRUE(repaired.report->will_start) << repaired.Sentences();
  EXPECT_THAT(RescueImage(repaired.image).WholeBytes(), IsSupersetOf(RescueImage(damaged).WholeBytes()));
  rig.node.RestartOn(repaired.image);
  rig.Deliver("alice@example.test", "afterwards", 3'000);
}

TEST(Repair, LeavesASoundVolumeAlone) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  const Repaired repaired = RepairImage(image);
  ASSERT_TRUE(repaired.report);
  EXPECT_FALSE(repaired.report->has_changed) << repaired.Sentences();
  EXPECT_TRUE(repaired.report->will_start);
  EXPECT_TRUE(repaired.image == image);
}

TEST(Repair, BringsAVolumeWithoutSuperblocksBackWhole) {
  MailRig rig;
  rig.Fill();
  rig.node.Restart();
  rig.Deliver("alice@example.test", "tail", 3'000);
  mffs::SimImage image = rig.Image();
  EraseSuperblocks(image);
  const Repaired repaired = RepairImage(image);
  ExpectSaved(rig, image, repaired);
  EXPECT_EQ(repaired.report->check.mails_damaged, 0u) << repaired.Sentences();
  EXPECT_EQ(repaired.report->check.mails_in_mailboxes, rig.in_mailboxes.size() - 1 + 1);
  EXPECT_EQ(CheckImage(repaired.image).damage(), 0u);
}

// An entry that a start reads whole: its fields do not fit into its head.
TEST(Repair, TakesADamagedEntryOutOfTheLog) {
  MailRig rig;
  rig.Fill();
  std::vector<std::string> recipients;
  for (int i = 0; i < 80; ++i) recipients.push_back("recipient" + std::to_string(i) + "@example.test");
  for (int i = 0; i < 3; ++i) {
    rig.Enqueue(recipients, "many" + std::to_string(i), 9'000);
    rig.Enqueue({"carol@example.test"}, "one" + std::to_string(i), 2'000);
  }
  const mffs::SimImage image = rig.Image();
  const mffs::Geometry geometry = GeometryOf(image);
  int tried = 0;
  std::uint64_t replaced = 0;
  for (const Placed& entry : Entries(image)) {
    if (!entry.meta_in_body) continue;
    mffs::SimImage rotten = image;
    // In its body, not in the sector of its head, which is the first one of its block.
    rotten.FlipBit(geometry.SegmentOffset(entry.place.segment) + entry.place.offset + 6'000, 2);
    const Repaired repaired = RepairImage(rotten);
    ASSERT_TRUE(repaired.report);
    EXPECT_EQ(repaired.report->released_records, 1u) << repaired.Sentences();
    EXPECT_THAT(repaired.Sentences(), HasSubstr("it is damaged, and taken out of the log"));
    ExpectSaved(rig, rotten, repaired);
    EXPECT_FALSE(RepairImage(repaired.image).report->has_changed) << "it does not rest";
    replaced += repaired.report->replaced_entries;
    ++tried;
  }
  EXPECT_EQ(tried, 3);
  EXPECT_GE(replaced, 1u);
}

// Entries of which nothing is left, each on its own.
TEST(Repair, ReplacesAnAcknowledgedEntryThatIsGone) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  const mffs::Geometry geometry = GeometryOf(image);
  const std::vector<Placed> entries = Entries(image);
  ASSERT_GT(entries.size(), 10u);
  int replaced = 0;
  for (std::size_t i = 0; i < entries.size(); i += 6) {
    SCOPED_TRACE("entry " + std::to_string(entries[i].key.index) + " of " + std::to_string(entries[i].key.partition));
    mffs::SimImage rotten = image;
    const std::uint64_t at = geometry.SegmentOffset(entries[i].place.segment) + entries[i].place.offset;
    rotten.Write(at, base::Bytes(mffs::RecordHeader::kEncodedSize));
    const Repaired repaired = RepairImage(rotten);
    ExpectSaved(rig, rotten, repaired);
    replaced += static_cast<int>(repaired.report->replaced_entries);
    EXPECT_FALSE(RepairImage(repaired.image).report->has_changed) << "it does not rest";
  }
  EXPECT_GE(replaced, 2);
}

TEST(Repair, CanBeCutAnywhereAndBegunAgain) {
  MailRig rig;
  rig.Fill();
  mffs::SimImage image = rig.Image();
  const mffs::Geometry geometry = GeometryOf(image);
  for (const Placed& entry : Entries(image)) {
    if (entry.in_parts) image.FlipBit(geometry.SegmentOffset(entry.place.segment) + entry.place.offset + 200, 2);
  }
  for (const std::size_t copy : {0u, 1u, 3u}) {
    image.Write(mffs::SuperblockOffset(copy, geometry.end), base::Bytes(mffs::kSectorBytes));
  }
  const std::set<std::string> whole = RescueImage(image).WholeBytes();
  const std::uint64_t operations = RepairImage(image).operations;
  ASSERT_GT(operations, 6u);
  for (std::uint64_t cut_at = 0; cut_at < operations; ++cut_at) {
    SCOPED_TRACE("cut at " + std::to_string(cut_at));
    asio::io_context context{1};
    mffs::SimDevice device(context.get_executor(), image, {.on_power_cut = [&context] { context.stop(); }});
    device.CutPowerAfter(cut_at);
    const store::TestFolder folder;
    mffs::Findings changed;
    mffs::Findings left;
    asio::co_spawn(context, PlanAndApply(&device, {.scratch_folder = (folder / "index").string()}, &changed, &left),
                   [](const std::exception_ptr&, const base::Result<RepairReport>&) {});
    context.run();
    ASSERT_TRUE(device.PowerWasCut());
    const Repaired repaired = RepairImage(device.ImageAfter(cut_at + 1));
    ASSERT_TRUE(repaired.report) << repaired.report.error().message();
    EXPECT_TRUE(repaired.report->will_start) << repaired.Sentences();
    EXPECT_THAT(RescueImage(repaired.image).WholeBytes(), IsSupersetOf(whole));
  }
}

// Live records of these types of the log, where they begin.
struct LogRecord {
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  mffs::RecordKey key;
  std::string head;
};
std::vector<LogRecord> LogRecordsOf(const mffs::SimImage& image, std::set<replog::RecordType> types) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  const mffs::Geometry geometry = GeometryOf(image);
  std::vector<LogRecord> found;
  mffs::Findings findings;
  mffs::VolumeCheckOptions options;
  options.visit = [&](const mffs::CheckedRecord& record) {
    if (!record.is_live || !types.contains(static_cast<replog::RecordType>(record.key.type))) return;
    found.push_back({geometry.SegmentOffset(record.location.segment) + record.location.offset, record.location.size,
                     record.key, std::string(record.head)});
  };
  CHECK(async::RunTask(context, mffs::CheckVolume(&device, options, &findings)).has_value());
  return found;
}

void SnapshotAll(MailRig& rig) {
  replog::Log& log = rig.node.log();
  for (const std::uint32_t partition : {0u, 1u}) rig.node.Do(log.SnapshotNow(replog::PartitionId(partition)));
  for (std::uint32_t n = 0; n < log.queue_partition_count(); ++n) rig.node.Do(log.SnapshotNow(log.QueuePartition(n)));
}

bool IsMailboxState(const LogRecord& record) {
  return record.key.type == static_cast<std::uint8_t>(replog::RecordType::kSnapshotPiece) &&
         !IsQueue(replog::PartitionId(record.key.partition)) &&
         *replog::DecodePieceHead(record.head) == replog::PieceKind::kStateMachine;
}

// Each record of each snapshot: only the state of mailboxes is nowhere else.
TEST(Repair, MendsADamagedSnapshot) {
  MailRig rig;
  rig.Fill();
  SnapshotAll(rig);
  rig.Deliver("bob@example.test", "tail", 3'000);
  rig.Enqueue({"carol@example.test"}, "queuedtail", 2'000);
  const mffs::SimImage image = rig.Image();
  const CheckedMail before = CheckImage(image);
  int mended = 0;
  for (const LogRecord& record :
       LogRecordsOf(image, {replog::RecordType::kSnapshotPiece, replog::RecordType::kSnapshotEnd})) {
    SCOPED_TRACE("type " + std::to_string(record.key.type) + " of partition " + std::to_string(record.key.partition) +
                 ", number " + std::to_string(record.key.index));
    mffs::SimImage rotten = image;
    rotten.FlipBit(record.offset + 10, 2);
    const Repaired repaired = RepairImage(rotten);
    ASSERT_TRUE(repaired.report) << repaired.report.error().message();
    EXPECT_THAT(RescueImage(repaired.image).WholeBytes(), IsSupersetOf(RescueImage(rotten).WholeBytes()));
    EXPECT_EQ(repaired.report->will_start, !IsMailboxState(record)) << repaired.Sentences();
    if (!repaired.report->will_start) continue;
    // The snapshot of a partition without entries is none.
    const bool is_none =
        record.key.type == static_cast<std::uint8_t>(replog::RecordType::kSnapshotEnd) && record.key.index == 0;
    if (!is_none) EXPECT_THAT(repaired.Sentences(), HasSubstr("snapshot"));
    ++mended;
    EXPECT_EQ(repaired.report->check.mails_in_mailboxes, before.result->mails_in_mailboxes);
    EXPECT_EQ(repaired.report->check.mails_in_queue, before.result->mails_in_queue);
    EXPECT_EQ(repaired.report->check.mails_damaged, 0u) << repaired.Sentences();
    EXPECT_FALSE(RepairImage(repaired.image).report->has_changed) << "it does not rest";
    rig.node.RestartOn(repaired.image);
    rig.Deliver("alice@example.test", "afterwards", 3'000);
  }
  EXPECT_GE(mended, 6);
}

// What the mailboxes hold: equal texts, equal states.
std::string MailboxState(MailRig& rig) {
  std::string digests;
  for (const std::uint32_t partition : {0u, 1u}) {
    store::StateDigest digest;
    rig.node.Do(rig.node.store().WriteSnapshot(replog::PartitionId(partition), &digest));
    digests += std::to_string(digest.value()) + " ";
  }
  return digests;
}

// Records of the log that are live when the node has written its snapshots anew.
std::size_t LiveRecordsAfterSnapshots(MailRig& rig) {
  SnapshotAll(rig);
  return LogRecordsOf(rig.Image(), {replog::RecordType::kEntry, replog::RecordType::kPart,
                                    replog::RecordType::kSnapshotPiece, replog::RecordType::kSnapshotEnd})
      .size();
}

// The index as a stop leaves it. RocksDB may drop files meanwhile: until a copy was whole.
void CopyIndexOf(MailRig& rig, const std::filesystem::path& to) {
  rig.node.Restart();
  std::error_code failed;
  do {
    std::filesystem::remove_all(to);
    failed.clear();
    std::filesystem::copy(rig.node.index_folder(), to, std::filesystem::copy_options::recursive, failed);
  } while (failed == std::errc::no_such_file_or_directory);
  CHECK(!failed);
}

// A volume whose snapshots are of a while ago, and the index of then or of now.
struct VolumeAndIndex {
  explicit VolumeAndIndex(MailRig& rig, bool is_of_now) {
    rig.Fill();
    SnapshotAll(rig);
    const store::MailboxId bobs(rig.node.Do(rig.node.store().FindAccount("bob@example.test")).id.value());
    rig.node.Do(rig.node.store().StoreFlags(bobs, {1}, store::FlagsChange::kAdd,
                                            {.system = store::Flags::kSeen, .keywords = {"$Tail"}}));
    if (!is_of_now) CopyIndexOf(rig, folder / "saved");
    rig.Deliver("bob@example.test", "tail", 3'000);
    rig.Deliver("alice@example.test", "largetail", 900'000);
    // Its parts are given up by an entry that the index has applied.
    rig.node.Do(rig.node.store().Expunge(bobs, {2}, false));
    image = rig.Image();
    state = MailboxState(rig);
    if (is_of_now) CopyIndexOf(rig, folder / "saved");
    rig.node.RestartOn(image);
    live_records = LiveRecordsAfterSnapshots(rig);
  }
  std::string index() const { return (folder / "saved").string(); }

  store::TestFolder folder;
  mffs::SimImage image = mffs::SimImage(1u << 20);
  std::string state;
  std::size_t live_records = 0;
};

class RepairWithIndex : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Age, RepairWithIndex, testing::Bool(),
                         [](const auto& info) { return info.param ? "OfNow" : "OfAWhileAgo"; });

// The index folder has what the volume has lost, whether it is ahead of the snapshot by little or by all.
TEST_P(RepairWithIndex, MendsTheStateOfMailboxes) {
  MailRig rig;
  const VolumeAndIndex before(rig, GetParam());
  const CheckedMail sound = CheckImage(before.image);
  const std::set<std::string> rescued = RescueImage(before.image).WholeBytes();
  std::set<std::uint32_t> tried;
  for (const LogRecord& record : LogRecordsOf(before.image, {replog::RecordType::kSnapshotPiece})) {
    if (!IsMailboxState(record) || !tried.insert(record.key.partition).second) continue;
    SCOPED_TRACE("partition " + std::to_string(record.key.partition));
    mffs::SimImage rotten = before.image;
    // Cleaning may have moved it, and its old place is not yet given up.
    for (const LogRecord& copy : LogRecordsOf(before.image, {replog::RecordType::kSnapshotPiece})) {
      if (IsMailboxState(copy) && copy.key.partition == record.key.partition) rotten.FlipBit(copy.offset + 10, 2);
    }
    EXPECT_FALSE(RepairImage(rotten).report->will_start);
    // The second time the end, too: it cannot be made from pieces of which one is lost.
    for (const LogRecord& end : LogRecordsOf(before.image, {replog::RecordType::kSnapshotEnd})) {
      if (tried.size() == 2 && end.key.partition == record.key.partition) rotten.FlipBit(end.offset + 10, 2);
    }
    const Repaired repaired = RepairImage(rotten, before.index());
    ASSERT_TRUE(repaired.report) << repaired.report.error().message();
    EXPECT_TRUE(repaired.report->will_start) << repaired.Sentences();
    EXPECT_EQ(repaired.left.count(mffs::Severity::kDamage), 0u) << repaired.Sentences();
    EXPECT_EQ(repaired.report->check.mails_damaged, 0u) << repaired.Sentences();
    EXPECT_EQ(repaired.report->replaced_entries, 0u) << repaired.Sentences();
    EXPECT_EQ(repaired.report->check.mails_in_mailboxes, sound.result->mails_in_mailboxes);
    EXPECT_TRUE(RescueImage(repaired.image).WholeBytes() == rescued) << "a rescue gives other mail than before";
    EXPECT_FALSE(RepairImage(repaired.image).report->has_changed) << "it does not rest";
    rig.node.RestartOn(repaired.image);
    EXPECT_EQ(MailboxState(rig), before.state);
    EXPECT_EQ(LiveRecordsAfterSnapshots(rig), before.live_records) << "what was given up stays on the disk";
    rig.node.Restart(store::TestIndex::kDeleted);
    EXPECT_EQ(MailboxState(rig), before.state);
    EXPECT_EQ(CheckImage(rig.Image()).damage(), 0u);
    rig.Deliver("alice@example.test", "afterwards", 3'000);
  }
  EXPECT_EQ(tried.size(), 2u);
}

// A note of the way back, from the copy to the original, would send a start round in a circle.
TEST(Repair, MendsAMovedSnapshotWhoseOriginalIsStillThere) {
  MailRig rig;
  const VolumeAndIndex before(rig, false);
  std::size_t pieces = 0;
  std::set<std::pair<std::uint32_t, std::uint64_t>> keys;
  for (const LogRecord& record :
       LogRecordsOf(before.image, {replog::RecordType::kSnapshotPiece, replog::RecordType::kSnapshotEnd})) {
    if (IsQueue(replog::PartitionId(record.key.partition))) continue;
    SCOPED_TRACE("type " + std::to_string(record.key.type) + " of partition " + std::to_string(record.key.partition) +
                 " at " + std::to_string(record.offset));
    ++pieces;
    keys.emplace(record.key.partition, std::uint64_t{record.key.type} << 32 | record.key.index);
    mffs::SimImage rotten = before.image;
    rotten.FlipBit(record.offset + 10, 2);
    const Repaired repaired = RepairImage(rotten);
    ASSERT_TRUE(repaired.report) << repaired.report.error().message();
    EXPECT_TRUE(repaired.report->will_start) << repaired.Sentences();
    rig.node.RestartOn(repaired.image);
    EXPECT_EQ(MailboxState(rig), before.state);
  }
  EXPECT_GT(pieces, keys.size()) << "nothing was there twice";
}

// What is newer than the index, or of another log, must not be taken for what the index says.
TEST(Repair, TakesNothingFromAnIndexThatDoesNotFit) {
  MailRig rig;
  VolumeAndIndex old(rig, false);
  rig.Deliver("bob@example.test", "later", 3'000);
  rig.Deliver("alice@example.test", "later too", 3'000);
  SnapshotAll(rig);
  const mffs::SimImage newer = rig.Image();
  MailRig other;
  other.node.AddAccount("alice@example.test");
  other.node.AddAccount("bob@example.test");
  SnapshotAll(other);
  const mffs::SimImage shorter = other.Image();
  int tried = 0;
  for (const mffs::SimImage& image : {newer, shorter}) {
    for (const LogRecord& record : LogRecordsOf(image, {replog::RecordType::kSnapshotPiece})) {
      if (!IsMailboxState(record)) continue;
      mffs::SimImage rotten = image;
      rotten.FlipBit(record.offset + 10, 2);
      const Repaired repaired = RepairImage(rotten, old.index());
      ASSERT_TRUE(repaired.report) << repaired.report.error().message();
      EXPECT_FALSE(repaired.report->will_start) << repaired.Sentences();
      EXPECT_THAT(repaired.Sentences(), HasSubstr("it is older, or of another log"));
      ++tried;
    }
  }
  EXPECT_GE(tried, 4);
  EXPECT_FALSE(RepairImage(newer, (old.folder / "nothing").string()).report.has_value());
}

// Cleaning moves mail that stays from among mail that goes. The next snapshot makes its notes unneeded: until one
// stays.
mffs::SimImage ImageWithMoves(MailRig& rig) {
  const store::Account alice = rig.node.AddAccount("alice@example.test");
  const store::MailboxId inbox(alice.id.value());
  std::uint32_t uid = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    rig.Deliver("alice@example.test", "kept", i % 4 == 0 ? 300'000 : 2'000);
    for (int n = 0; n < 8; ++n) rig.Deliver("alice@example.test", "gone", 240'000);
    for (std::uint32_t n = 0; n < 8; ++n) rig.node.Do(rig.node.store().Expunge(inbox, {uid + 2 + n}, false));
    uid += 9;
    if (i % 4 != 3) continue;
    rig.node.Do(rig.node.log().SnapshotNow(rig.node.log().MailboxPartitionOf("alice@example.test")));
    async::SteadyTimer timer(rig.node.executor(), 100ms);
    rig.node.Run(Wait(&timer));
    if (!LogRecordsOf(rig.Image(), {replog::RecordType::kMove}).empty()) break;
  }
  return rig.Image();
}

TEST(Repair, MendsADamagedNoteOfMovedRecords) {
  MailRig rig;
  const mffs::SimImage image = ImageWithMoves(rig);
  const CheckedMail before = CheckImage(image);
  EXPECT_EQ(before.result->mails_damaged, 0u);
  int tried = 0;
  for (const LogRecord& record : LogRecordsOf(image, {replog::RecordType::kMove})) {
    for (const std::uint64_t at : {record.offset + 10, record.offset + record.size - 1}) {
      SCOPED_TRACE("note at " + std::to_string(record.offset) + ", rot at " + std::to_string(at));
      mffs::SimImage rotten = image;
      rotten.FlipBit(at, 2);
      const Repaired repaired = RepairImage(rotten);
      ASSERT_TRUE(repaired.report) << repaired.report.error().message();
      EXPECT_TRUE(repaired.report->will_start) << repaired.Sentences();
      EXPECT_EQ(repaired.report->check.mails_in_mailboxes, before.result->mails_in_mailboxes);
      EXPECT_EQ(repaired.report->check.mails_damaged, 0u) << repaired.Sentences();
      EXPECT_FALSE(RepairImage(repaired.image).report->has_changed) << "it does not rest";
      rig.node.RestartOn(repaired.image);
      const store::Account alice = rig.node.Do(rig.node.store().FindAccount("alice@example.test"));
      for (const std::uint32_t uid : rig.node.Do(rig.node.store().ListUids(store::MailboxId(alice.id.value())))) {
        rig.node.Do(rig.node.store().ReadMessage(store::MailboxId(alice.id.value()), uid, 0, 1u << 20));
      }
      rig.Deliver("alice@example.test", "afterwards", 3'000);
      ++tried;
    }
  }
  EXPECT_GE(tried, 2);
}

// Rot anywhere: it says that a node starts only when one does, and loses nothing that could be rescued. It gives up
// only where a snapshot has lost what nothing else tells.
TEST(Repair, KeepsWhatCanBeRescuedWhateverRots) {
  MailRig rig;
  rig.Fill();
  SnapshotAll(rig);
  rig.node.Restart();
  rig.Deliver("bob@example.test", "tail", 3'000);
  const mffs::SimImage image = rig.Image();
  int started = 0;
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    mffs::SimImage rotten = image;
    for (std::uint64_t i = 0; i < 1 + seed % 4; ++i) {
      rotten.FlipBit(mffs::kMiB + random.Below(8 * mffs::kMiB), static_cast<int>(random.Below(8)));
    }
    const Repaired repaired = RepairImage(rotten);
    ASSERT_TRUE(repaired.report) << repaired.report.error().message();
    EXPECT_THAT(RescueImage(repaired.image).WholeBytes(), IsSupersetOf(RescueImage(rotten).WholeBytes()));
    if (!repaired.report->will_start) {
      EXPECT_THAT(repaired.Sentences(), HasSubstr("pieces of its snapshot"));
      continue;
    }
    ++started;
    rig.node.RestartOn(repaired.image);
  }
  EXPECT_GT(started, 12);
}

}  // namespace
}  // namespace salvage
