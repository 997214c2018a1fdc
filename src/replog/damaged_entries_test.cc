// A start on a disk on which records of entries have rotted. docs/decisions/0016-damaged-log-entries.md
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "async/task_group.h"
#include "base/log.h"
#include "mffs/superblock.h"
#include "mffs/volume_check.h"
#include "replog/format.h"
#include "replog/log_rig.h"

namespace replog {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr PartitionId kQueue = kFirstQueuePartition;
constexpr PartitionId kMailbox{1};

std::string g_log;  // Lines of the start under test.

// Where the record of a live entry lies on the device.
struct Placed {
  PartitionId partition;
  Index index;
  bool in_parts = false;
  bool meta_in_body = false;
  std::uint64_t offset = 0;
  std::uint64_t end = 0;

  bool Touches(std::uint64_t sector) const { return offset < sector + mffs::kSectorBytes && end > sector; }
};

std::vector<Placed> EntriesOn(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  const mffs::Geometry geometry = async::RunTask(context, mffs::LoadSuperblock(&device, 10s))->geometry;
  std::vector<Placed> found;
  mffs::Findings findings;
  mffs::VolumeCheckOptions options;
  options.visit = [&](const mffs::CheckedRecord& record) {
    if (!record.is_live || record.key.type != static_cast<std::uint8_t>(RecordType::kEntry)) return;
    const auto head = EntryHead::Decode(record.head);
    CHECK(head.has_value());
    const std::uint64_t offset = geometry.SegmentOffset(record.location.segment) + record.location.offset;
    found.push_back({PartitionId(record.key.partition), Index(record.key.index), head->mail_in_parts(),
                     head->meta_in_body(), offset, offset + record.location.size});
  };
  CHECK(async::RunTask(context, mffs::CheckVolume(&device, options, &findings)).has_value());
  return found;
}

std::uint64_t LivePartsOn(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  std::uint64_t parts = 0;
  mffs::Findings findings;
  mffs::VolumeCheckOptions options;
  options.visit = [&](const mffs::CheckedRecord& record) {
    parts += record.is_live && record.key.type == static_cast<std::uint8_t>(RecordType::kPart) ? 1 : 0;
  };
  CHECK(async::RunTask(context, mffs::CheckVolume(&device, options, &findings)).has_value());
  return parts;
}

mffs::SimImage WithRotAt(const mffs::SimImage& image, std::uint64_t offset) {
  mffs::SimImage rotten = image;
  rotten.FlipBit(offset, 2);
  return rotten;
}

class DamagedEntries : public testing::Test {
 protected:
  using Mails = std::map<Index, std::string>;  // Meta and mail, one text.

  DamagedEntries() {
    base::SetLogSink([](std::string_view line) { g_log += line; });
  }
  ~DamagedEntries() override { base::SetLogSink(nullptr); }

  static RigOptions Options() {
    RigOptions options;
    options.volume.checkpoint_interval = std::chrono::hours(1);
    options.volume.cover_after = 1ms;
    return options;
  }

  void Put(LogRig& rig, PartitionId partition, std::size_t meta_bytes, std::size_t mail_bytes) {
    const std::string meta = PatternText(meta_bytes, meta_bytes);
    const std::string mail = PatternText(mail_bytes, mail_bytes);
    const auto put = rig.Put(partition, meta, mail, mffs::Stream::kTransit);
    ASSERT_TRUE(put.has_value()) << put.error().message();
    expected_[put->index] = meta + "\n" + mail;
  }

  // Mails in parts whose entries share blocks, and so begin anywhere in a sector.
  void PutAtOnce(LogRig& rig, std::size_t count) {
    std::vector<Draft> drafts(count);
    std::vector<base::Result<Committed>> results(count);
    for (std::size_t i = 0; i < count; ++i) {
      drafts[i].type = KeepingMachine::kPut;
      drafts[i].stream = mffs::Stream::kTransit;
      drafts[i].meta = PatternText(i, 116 + 17 * i);
      auto body = rig.Run(Write(&rig, PatternText(i, 300'000 + i)));
      ASSERT_TRUE(body.has_value());
      drafts[i].body = *std::move(body);
    }
    async::TaskGroup group(rig.context.get_executor(), "puts");
    for (std::size_t i = 0; i < count; ++i) group.Spawn(Propose(&rig, std::move(drafts[i]), &results[i]));
    rig.Run(group.Join());
    rig.Run(group.Stop());
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(results[i].has_value()) << results[i].error().message();
      expected_[results[i]->index] = PatternText(i, 116 + 17 * i) + "\n" + PatternText(i, 300'000 + i);
    }
  }
  static async::Task<base::Result<Body>> Write(LogRig* rig, std::string mail) {
    BodyWriter writer(rig->log.get(), mffs::Stream::kTransit);
    CO_RETURN_IF_ERROR(co_await writer.Write(mail));
    co_return co_await writer.Finish();
  }
  static async::Task<void> Propose(LogRig* rig, Draft draft, base::Result<Committed>* result) {
    *result = co_await rig->log->Propose(kQueue, std::move(draft));
  }

  // The same mails on disks in three states: running, killed and started again, closed.
  std::vector<mffs::SimImage> Images(PartitionId partition) {
    std::vector<mffs::SimImage> images;
    LogRig rig(Options(), &coordinator_);
    EXPECT_TRUE(rig.Open().has_value());
    Put(rig, partition, 40, 300);
    Put(rig, partition, 50, 2'500);
    Put(rig, partition, 60, 9'000);
    Put(rig, partition, 2'000, 9'000);  // Its meta lies in the record's body.
    Put(rig, partition, 70, 600'000);   // In parts.
    Put(rig, partition, 80, 1'200);
    LetItCover(rig);
    images.push_back(rig.device.Snapshot());
    LogRig again(Options(), &coordinator_, images.back());
    EXPECT_TRUE(again.Open().has_value());
    LetItCover(again);
    images.push_back(again.device.Snapshot());
    EXPECT_TRUE(again.Close().has_value());
    images.push_back(again.device.Snapshot());
    return images;
  }
  static void LetItCover(LogRig& rig) {
    async::SteadyTimer timer(rig.context.get_executor(), 10ms);
    rig.Run(Wait(&timer));
  }
  static async::Task<void> Wait(async::SteadyTimer* timer) { co_await timer->async_wait(async::use_task); }

  // What a start on an image came to.
  struct Started {
    base::Result<> result;
    std::uint64_t damaged = 0;
    std::uint64_t corrupt_blocks = 0;
    Mails mails;  // Of one partition; "?": cannot be read.
    Index next;   // What its next entry is named.
    mffs::SimImage image;
  };
  Started Start(const mffs::SimImage& image, PartitionId partition, StateMachine::Held held = {}) {
    MapCoordinator coordinator = coordinator_;
    LogRig rig(Options(), &coordinator, mffs::SimImage(image));
    rig.held = held;
    g_log.clear();
    Started started{.result = rig.Open(), .image = image};
    if (started.result.has_value()) {
      started.damaged = rig.log->Status().damaged_entries;
      started.corrupt_blocks = rig.volume->Status().corrupt_blocks;
      for (const auto& [index, kept] : rig.machine->partitions[partition].kept) {
        const std::string mail = kept.body.empty() ? std::string() : rig.Mail(partition, index).value_or("?");
        started.mails[index] = kept.meta + "\n" + mail;
      }
      const auto put = rig.Put(partition, "next", "a new mail");
      EXPECT_TRUE(put.has_value());
      if (put.has_value()) started.next = put->index;
      EXPECT_TRUE(rig.Close().has_value());
    }
    started.image = rig.device.Snapshot();
    return started;
  }

  // All mail is there but what touches the rotten sector, and that is named.
  void ExpectTheRest(const Started& started, const std::vector<Placed>& entries, std::uint64_t sector) {
    for (const auto& [index, text] : expected_) {
      SCOPED_TRACE("entry " + std::to_string(index.value()));
      const auto found = started.mails.find(index);
      if (found != started.mails.end() && found->second == text) continue;
      EXPECT_TRUE(std::ranges::any_of(entries, [&](const Placed& e) { return e.index == index && e.Touches(sector); }));
      EXPECT_THAT(g_log, HasSubstr("mffs_corrupt"));
      if (found != started.mails.end()) continue;  // It is there, and reading it says that it is damaged.
      // The end of a log leaves no trace in it: then all that is known is that something was there.
      if (index < expected_.rbegin()->first) EXPECT_GT(started.damaged, 0u);
      EXPECT_THAT(g_log, HasSubstr(started.damaged > 0 ? "log_entries_damaged" : "log_records_lost"));
      EXPECT_THAT(g_log, HasSubstr("mffs rescue"));
    }
  }

  MapCoordinator coordinator_;
  Mails expected_;
};

TEST_F(DamagedEntries, OfAQueueAreLeftOutAndNamedAndTheRestIsServed) {
  int left_out = 0;
  for (const mffs::SimImage& image : Images(kQueue)) {
    const std::vector<Placed> entries = EntriesOn(image);
    Index last;
    for (const Placed& entry : entries) {
      if (entry.partition == kQueue) last = std::max(last, entry.index);
    }
    for (const Placed& entry : entries) {
      for (const std::uint64_t at : {entry.offset + 10, (entry.offset + entry.end) / 2}) {
        SCOPED_TRACE(std::to_string(entry.partition.value()) + " entry " + std::to_string(entry.index.value()) +
                     " at " + std::to_string(entry.offset) + ", rot at " + std::to_string(at - entry.offset));
        const Started started = Start(WithRotAt(image, at), kQueue);
        ASSERT_TRUE(started.result.has_value()) << started.result.error().message();
        ExpectTheRest(started, entries, at / mffs::kSectorBytes * mffs::kSectorBytes);
        EXPECT_GT(started.next, last) << "an id was given twice";
        left_out += started.damaged > 0 ? 1 : 0;
        // Nobody has mended anything: the next start says the same, or more where cleaning had left an original.
        const Started again = Start(started.image, kQueue);
        ASSERT_TRUE(again.result.has_value()) << again.result.error().message();
        EXPECT_GE(again.damaged, started.damaged);
        EXPECT_GT(again.next, started.next);
        ExpectTheRest(again, entries, at / mffs::kSectorBytes * mffs::kSectorBytes);
      }
    }
  }
  EXPECT_GT(left_out, 6);
}

TEST_F(DamagedEntries, OfAMailboxStopTheStartUnlessItsStateIsThere) {
  int stopped = 0;
  for (const mffs::SimImage& image : Images(kMailbox)) {
    for (const Placed& entry : EntriesOn(image)) {
      SCOPED_TRACE("entry " + std::to_string(entry.index.value()));
      const mffs::SimImage rotten = WithRotAt(image, entry.offset + 10);
      const Started lacking = Start(rotten, kMailbox);
      if (!lacking.result.has_value()) {
        ++stopped;
        EXPECT_EQ(lacking.result.error().code(), base::Errc::kCorrupt);
        EXPECT_THAT(lacking.result.error().message(), HasSubstr("posthorn mffs repair"));
      }
      // The first entry that is not the log's own has index 2, the last one 7.
      const Started holding = Start(rotten, kMailbox, {.index = expected_.rbegin()->first, .epoch = Epoch(1)});
      ASSERT_TRUE(holding.result.has_value()) << holding.result.error().message();
      EXPECT_GT(holding.next, expected_.rbegin()->first);
      if (!lacking.result.has_value()) EXPECT_GT(holding.damaged, 0u);
    }
  }
  EXPECT_GT(stopped, 3);
}

// Behind the last entry that is left nothing tells how many there were, or whether it was an entry: what was lost there
// is an alarm of the volume's, and counted there.
TEST_F(DamagedEntries, AtTheEndOfAQueueAreCountedAsCorruptBlocksOnly) {
  const mffs::SimImage image = Images(kQueue).front();
  const Index last = expected_.rbegin()->first;
  const std::vector<Placed> entries = EntriesOn(image);
  const auto end = std::ranges::find(entries, last, &Placed::index);
  ASSERT_NE(end, entries.end());
  const Started started = Start(WithRotAt(image, end->offset + 10), kQueue);
  ASSERT_TRUE(started.result.has_value()) << started.result.error().message();
  EXPECT_FALSE(started.mails.contains(last));
  EXPECT_EQ(started.damaged, 0u);
  EXPECT_GT(started.corrupt_blocks, 0u);
  EXPECT_THAT(g_log, HasSubstr("log_records_lost"));
  EXPECT_THAT(g_log, HasSubstr("the newest ones may be among what was there"));
  EXPECT_THAT(g_log, Not(HasSubstr("log_entries_damaged")));
  // The indexes that it may have had are passed over.
  EXPECT_GT(started.next.value(), last.value() + 200);
  // One that others tell of is counted as what it is, and as a corrupt block, too.
  const Started told = Start(WithRotAt(image, entries.front().offset + 10), kQueue);
  ASSERT_TRUE(told.result.has_value()) << told.result.error().message();
  EXPECT_GT(told.damaged, 0u);
  EXPECT_GT(told.corrupt_blocks, 0u);
}

// The parts say themselves where they belong: of such an entry nothing is lost.
TEST_F(DamagedEntries, InPartsAreReadWithoutTheirTable) {
  LogRig rig(Options(), &coordinator_);
  ASSERT_TRUE(rig.Open().has_value());
  PutAtOnce(rig, 24);
  LetItCover(rig);
  const mffs::SimImage image = rig.device.Snapshot();
  int tried = 0;
  for (const Placed& entry : EntriesOn(image)) {
    // Only the table: the sector of the head is another one.
    const std::uint64_t table = entry.end - 1;
    const std::uint64_t head_end = entry.end - 2 * Extent::kEncodedSize - 1;
    if (!entry.in_parts || head_end / mffs::kSectorBytes == table / mffs::kSectorBytes) continue;
    ++tried;
    const Started started = Start(WithRotAt(image, table), kQueue);
    ASSERT_TRUE(started.result.has_value()) << started.result.error().message();
    EXPECT_EQ(started.mails.at(entry.index), expected_.at(entry.index));
    EXPECT_THAT(g_log, HasSubstr("log_entry_mended"));
  }
  EXPECT_GE(tried, 1);
}

// A record of which nothing is left may have been any mail's in parts: its parts are kept for a rescue.
TEST_F(DamagedEntries, PartsThatNobodyNamesAreKept) {
  const mffs::SimImage image = Images(kQueue).front();
  for (const Placed& entry : EntriesOn(image)) {
    if (!entry.in_parts) continue;
    const Started started = Start(WithRotAt(image, entry.offset + 10), kQueue);
    ASSERT_TRUE(started.result.has_value());
    EXPECT_EQ(started.damaged > 0, !started.mails.contains(entry.index));
    EXPECT_EQ(LivePartsOn(started.image), LivePartsOn(image));
    EXPECT_GT(LivePartsOn(image), 0u);
  }
}

}  // namespace
}  // namespace replog
