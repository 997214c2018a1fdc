#include "replog/found_records.h"

#include <gtest/gtest.h>

namespace replog {
namespace {

constexpr PartitionId kPartition{3};

mffs::Location At(std::uint32_t n) {
  return {.segment = n, .generation = 1, .offset = 8, .size = 50, .ordinal = 0};
}

FoundEntry Entry(std::uint64_t epoch, std::uint64_t index, std::uint32_t place, std::uint64_t committed = 0) {
  FoundEntry entry{Epoch(epoch), Index(index), At(place), mffs::Lsn(place), {}, false};
  // The meta makes entries of one epoch and index equal, others different.
  const std::string meta = std::to_string(epoch) + "/" + std::to_string(index);
  EntryHead{
      .type = 1, .meta_bytes = static_cast<std::uint32_t>(meta.size()), .committed = Index(committed), .meta = meta}
      .EncodeTo(entry.head);
  return entry;
}

std::string Describe(const ChosenEntries& chosen) {
  std::string text;
  for (const FoundEntry& entry : chosen.entries) {
    text += std::to_string(entry.epoch.value()) + "/" + std::to_string(entry.index.value()) + "@" +
            std::to_string(entry.place.segment) + " ";
  }
  text += "orphans";
  for (const mffs::Location& orphan : chosen.orphans) text += " " + std::to_string(orphan.segment);
  return text;
}

TEST(ChooseEntries, TakesWhatCountsAndNothingElse) {
  const struct {
    const char* label;
    std::vector<FoundEntry> found;
    std::uint64_t snapshot, committed;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> moves;
    std::string expected;  // Empty: kCorrupt.
  } rows[] = {
      {"nothing", {}, 0, 0, {}, "orphans"},
      {"in order of index, not of place", {Entry(1, 2, 5), Entry(1, 1, 6)}, 0, 2, {}, "1/1@6 1/2@5 orphans"},
      {"a gap ends the log", {Entry(1, 1, 1), Entry(1, 3, 2)}, 0, 1, {}, "1/1@1 orphans 2"},
      {"a gap under what the state says is corruption", {Entry(1, 1, 1), Entry(1, 3, 2)}, 0, 2, {}, ""},
      {"a gap under what an entry says is corruption", {Entry(1, 1, 1), Entry(1, 4, 2, 3)}, 0, 1, {}, ""},
      {"a missing end is corruption when it was committed", {Entry(1, 1, 1)}, 0, 2, {}, ""},
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
    const auto chosen = ChooseEntries(kPartition, row.found, Index(row.snapshot), Index(row.committed), moved);
    if (row.expected.empty()) {
      ASSERT_FALSE(chosen.has_value()) << row.label;
      EXPECT_EQ(chosen.error().code(), base::Errc::kCorrupt) << row.label;
      EXPECT_NE(chosen.error().message().find("mailbox partition 3 lacks its entry 2"), std::string::npos)
          << row.label << ": " << chosen.error().message();
    } else {
      ASSERT_TRUE(chosen.has_value()) << row.label << ": " << chosen.error().message();
      EXPECT_EQ(Describe(*chosen), row.expected) << row.label;
    }
  }
}

TEST(ChooseEntries, RefusesTwoDifferentEntriesOfOneEpochAndIndex) {
  FoundEntry other = Entry(1, 2, 7);
  other.index = Index(1);
  const auto chosen = ChooseEntries(kPartition, {Entry(1, 1, 1), other}, Index(0), Index(0), MovedPlaces());
  ASSERT_FALSE(chosen.has_value());
  EXPECT_EQ(chosen.error().code(), base::Errc::kCorrupt);
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
