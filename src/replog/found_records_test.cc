#include "replog/found_records.h"

#include <gtest/gtest.h>

namespace replog {
namespace {

constexpr PartitionId kPartition{3};

mffs::Location At(std::uint32_t n) {
  return {.segment = n, .generation = 1, .offset = 8, .size = 50, .ordinal = 0};
}

// A record of an entry, as a scan hands it out.
struct EntryRecord {
  std::uint64_t epoch;
  std::uint64_t index;
  std::uint32_t place;
  std::string head;
  bool is_copy = false;

  mffs::RecordView View() const {
    mffs::RecordView view;
    view.key = {.type = static_cast<std::uint8_t>(RecordType::kEntry),
                .partition = static_cast<std::uint32_t>(kPartition.value()),
                .epoch = epoch,
                .index = index};
    view.location = At(place);
    view.lsn = mffs::Lsn(place);
    view.head = head;
    view.is_live = true;
    view.is_copy = is_copy;
    return view;
  }
};

EntryRecord Entry(std::uint64_t epoch, std::uint64_t index, std::uint32_t place, std::uint64_t committed = 0) {
  EntryRecord entry{epoch, index, place, {}};
  // The meta makes entries of one epoch and index equal, others different.
  const std::string meta = std::to_string(epoch) + "/" + std::to_string(index);
  EntryHead{
      .type = 1, .meta_bytes = static_cast<std::uint32_t>(meta.size()), .committed = Index(committed), .meta = meta}
      .EncodeTo(entry.head);
  return entry;
}

FoundRecords Found(const std::vector<EntryRecord>& entries, std::uint64_t snapshot = 0) {
  FoundRecords found;
  found.entries[kPartition].snapshot_reached = Index(snapshot);
  for (const EntryRecord& entry : entries) EXPECT_TRUE(found.Add(entry.View()).has_value());
  return found;
}

std::string Describe(const ChosenEntries& chosen) {
  std::string text;
  for (const FoundEntry& entry : chosen.entries) {
    text += std::to_string(entry.epoch.value()) + "/" + std::to_string(entry.index.value()) + "@" +
            (entry.was_empty ? "empty"
             : entry.is_lost ? "lost"
                             : std::to_string(entry.place.segment)) +
            " ";
  }
  text += "orphans";
  for (const mffs::Location& orphan : chosen.orphans) text += " " + std::to_string(orphan.segment);
  return text;
}

TEST(ChooseEntries, TakesWhatCountsAndNothingElse) {
  const struct {
    const char* label;
    std::vector<EntryRecord> found;
    std::uint64_t snapshot, committed;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> moves;
    std::string expected;  // Empty: kCorrupt.
  } rows[] = {
      {"nothing", {}, 0, 0, {}, "orphans"},
      {"in order of index, not of place", {Entry(1, 2, 5), Entry(1, 1, 6)}, 0, 2, {}, "1/1@6 1/2@5 orphans"},
      {"a gap ends the log", {Entry(1, 1, 1), Entry(1, 3, 2)}, 0, 1, {}, "1/1@1 orphans 2"},
      {"what the state says was there is lost",
       {Entry(1, 1, 1), Entry(1, 3, 2)},
       0,
       2,
       {},
       "1/1@1 1/2@lost 1/3@2 orphans"},
      {"what an entry says was there is lost",
       {Entry(1, 1, 1), Entry(1, 4, 2, 3)},
       0,
       1,
       {},
       "1/1@1 1/2@lost 1/3@lost 1/4@2 orphans"},
      {"lost, and behind it a gap that ends the log",
       {Entry(1, 1, 1), Entry(1, 4, 2)},
       0,
       2,
       {},
       "1/1@1 1/2@lost orphans 2"},
      {"an end that was committed is lost", {Entry(1, 1, 1)}, 0, 2, {}, "1/1@1 1/2@lost orphans"},
      {"too many are missing", {Entry(1, 1, 1), Entry(1, 9999, 2)}, 0, 9999, {}, ""},
      {"the higher epoch wins", {Entry(1, 1, 1), Entry(1, 2, 2), Entry(2, 2, 3)}, 0, 1, {}, "1/1@1 2/2@3 orphans 2"},
      {"an older epoch behind a newer ends the log",
       {Entry(1, 1, 1), Entry(2, 2, 3), Entry(1, 3, 2)},
       0,
       1,
       {},
       "1/1@1 2/2@3 orphans 2"},
      {"under the snapshot nothing is taken",
       {Entry(1, 1, 1), Entry(1, 2, 2), Entry(1, 3, 3)},
       2,
       2,
       {},
       "1/3@3 orphans"},
      {"the first after a snapshot missing", {Entry(1, 9, 3)}, 2, 2, {}, "orphans 3"},
      {"a copy that no move names goes", {Entry(1, 1, 1), Entry(1, 1, 7)}, 0, 1, {}, "1/1@1 orphans 7"},
      {"a moved entry lies at its new place", {Entry(1, 1, 1), Entry(1, 1, 7)}, 0, 1, {{1, 7}}, "1/1@7 orphans"},
      {"moved twice, original gone", {Entry(1, 1, 7), Entry(1, 1, 9)}, 0, 1, {{1, 7}, {7, 9}}, "1/1@9 orphans"},
      {"moved once, copied again in vain", {Entry(1, 1, 7), Entry(1, 1, 9)}, 0, 1, {{1, 7}}, "1/1@7 orphans 9"},
  };
  for (const auto& row : rows) {
    MovedPlaces moved;
    for (const auto& [from, to] : row.moves) moved.Add(At(from), At(to));
    const FoundRecords found = Found(row.found, row.snapshot);
    const auto chosen = ChooseEntries(kPartition, found.entries.at(kPartition), Index(row.committed), moved, false);
    if (row.expected.empty()) {
      ASSERT_FALSE(chosen.has_value()) << row.label;
      EXPECT_EQ(chosen.error().code(), base::Errc::kCorrupt) << row.label;
      EXPECT_NE(chosen.error().message().find("mailbox partition 3 lacks its entries from 2 on"), std::string::npos)
          << row.label << ": " << chosen.error().message();
    } else {
      ASSERT_TRUE(chosen.has_value()) << row.label << ": " << chosen.error().message();
      EXPECT_EQ(Describe(*chosen), row.expected) << row.label;
    }
  }
}

// On a disk that has lost records.
TEST(ChooseEntries, TakesAMissingEntryForALostOne) {
  const std::uint64_t far = kLostEntriesMax + 3;
  const struct {
    const char* label;
    std::vector<EntryRecord> found;
    std::uint64_t snapshot, committed;
    std::string expected;  // Empty: kCorrupt.
  } rows[] = {
      {"in the middle", {Entry(1, 1, 1), Entry(1, 3, 2)}, 0, 3, "1/1@1 1/2@lost 1/3@2 orphans"},
      {"that nobody calls committed", {Entry(1, 1, 1), Entry(1, 3, 2)}, 0, 1, "1/1@1 1/2@lost 1/3@2 orphans"},
      {"at the end", {Entry(1, 1, 1)}, 0, 2, "1/1@1 1/2@lost orphans"},
      {"behind a snapshot", {Entry(1, 4, 1)}, 2, 2, "1/3@lost 1/4@1 orphans"},
      {"all there are", {}, 0, 2, "0/1@lost 0/2@lost orphans"},
      {"the empty one that an epoch begins with",
       {Entry(1, 1, 1), Entry(2, 3, 2)},
       0,
       3,
       "1/1@1 1/2@empty 2/3@2 orphans"},
      {"that and the one before it", {Entry(1, 1, 1), Entry(2, 4, 2)}, 0, 4, "1/1@1 1/2@lost 1/3@empty 2/4@2 orphans"},
      {"the very first", {Entry(1, 2, 2)}, 0, 2, "0/1@empty 1/2@2 orphans"},
      {"an older epoch still ends the log",
       {Entry(1, 1, 1), Entry(2, 2, 3), Entry(1, 4, 2)},
       0,
       1,
       "1/1@1 2/2@3 orphans 2"},
      {"too many, acknowledged", {Entry(1, 1, 1), Entry(1, far, 2)}, 0, far, ""},
      {"too many, by nobody acknowledged", {Entry(1, 1, 1), Entry(1, far, 2)}, 0, 1, "1/1@1 orphans 2"},
  };
  for (const auto& row : rows) {
    FoundRecords found = Found(row.found, row.snapshot);
    found.entries[kPartition].snapshot_epoch = Epoch(row.snapshot > 0 ? 1 : 0);
    const auto chosen = ChooseEntries(kPartition, found.entries.at(kPartition), Index(row.committed), {}, true);
    ASSERT_EQ(chosen.has_value(), !row.expected.empty()) << row.label;
    if (chosen.has_value()) EXPECT_EQ(Describe(*chosen), row.expected) << row.label;
  }
}

// The state knows of an epoch of which nothing was found: its first entry is what the end lacks, if it lacks one.
TEST(ChooseEntries, KnowsTheFirstEntryOfTheEpochThatIsLed) {
  FoundRecords found = Found({Entry(1, 1, 1)});
  found.entries[kPartition].led = Epoch(2);
  const FoundEntries& entries = found.entries[kPartition];
  EXPECT_EQ(Describe(*ChooseEntries(kPartition, entries, Index(2), {}, true)), "1/1@1 1/2@empty orphans");
  EXPECT_EQ(Describe(*ChooseEntries(kPartition, entries, Index(3), {}, true)), "1/1@1 1/2@lost 1/3@lost orphans");
}

TEST(ChooseEntries, RefusesTwoDifferentEntriesOfOneEpochAndIndex) {
  EntryRecord other = Entry(1, 2, 7);
  other.index = 1;
  const FoundRecords found = Found({Entry(1, 1, 1), other});
  const auto chosen = ChooseEntries(kPartition, found.entries.at(kPartition), Index(0), MovedPlaces(), false);
  ASSERT_FALSE(chosen.has_value());
  EXPECT_EQ(chosen.error().code(), base::Errc::kCorrupt);
}

TEST(FoundRecords, KeepsOfWhatASnapshotKnowsOnlyCopiesThatAreNotSettled) {
  EntryRecord copy = Entry(2, 3, 9);
  copy.is_copy = true;
  EntryRecord settled = Entry(2, 2, 4);
  settled.is_copy = true;
  FoundRecords found;
  found.settled_lsn = mffs::Lsn(4);
  found.entries[kPartition].snapshot_reached = Index(3);
  for (const auto& entry : {Entry(1, 1, 1), settled, Entry(2, 3, 8), copy, Entry(1, 4, 10, 4)}) {
    ASSERT_TRUE(found.Add(entry.View()));
  }
  const FoundEntries& entries = found.entries[kPartition];
  ASSERT_EQ(entries.below.size(), 1u);
  EXPECT_EQ(entries.below[0].place, At(9));
  ASSERT_EQ(entries.entries.size(), 1u);
  EXPECT_EQ(entries.entries[0].head.meta, "1/4");
  EXPECT_EQ(entries.last_epoch, Epoch(2));
  EXPECT_EQ(entries.last_index, Index(4));
  EXPECT_EQ(entries.committed, Index(4));
}

TEST(FoundRecords, RefusesADamagedHead) {
  EntryRecord damaged = Entry(1, 1, 1);
  damaged.head.pop_back();
  FoundRecords found;
  const auto added = found.Add(damaged.View());
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code(), base::Errc::kCorrupt);
}

TEST(HeadStore, KeepsHeadsWhereTheyAre) {
  HeadStore heads;
  std::vector<std::string> texts;
  std::vector<std::string_view> kept;
  for (std::size_t i = 0; i < 5000; ++i) {
    texts.emplace_back(i % (mffs::kHeadBytesMax + 1), static_cast<char>('a' + i % 26));
    kept.push_back(heads.Keep(texts.back()));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(kept[i], texts[i]);
}

TEST(MovedPlaces, FollowsChainsAndForgets) {
  MovedPlaces moved;
  EXPECT_EQ(moved.Resolve(At(1)), At(1));
  moved.Add(At(1), At(2));
  moved.Add(At(2), At(3));
  EXPECT_EQ(moved.Resolve(At(1)), At(3));
  moved.Forget(At(1));
  EXPECT_EQ(moved.Resolve(At(1)), At(1));
  EXPECT_EQ(moved.Resolve(At(2)), At(3));
}

}  // namespace
}  // namespace replog
