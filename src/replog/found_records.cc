#include "replog/found_records.h"

#include <algorithm>
#include <tuple>

#include "replog/partition.h"

namespace replog {
namespace {

// The entries of one index, highest epoch first, in the order of their records within it.
using Group = std::span<FoundEntry>;

base::Error Missing(PartitionId partition, Index index, Index committed) {
  return base::Error(base::Errc::kCorrupt,
                     NameOf(partition) + " lacks its entry " + std::to_string(index.value()) +
                         ", which was acknowledged (committed up to " + std::to_string(committed.value()) +
                         "): restore the volume from a copy, or save its mail with `posthorn mffs rescue`");
}

// The one of `group` that counts. A copy that no move names is an orphan: of records with the same key the first is the
// original.
base::Result<FoundEntry> Choose(PartitionId partition, Group group, const MovedPlaces& moved,
                                std::vector<mffs::Location>* orphans) {
  FoundEntry chosen = group.front();
  chosen.place = moved.Resolve(chosen.place);
  for (const FoundEntry& other : group) {
    if (other.epoch == chosen.epoch && other.head_bytes != chosen.head_bytes) {
      return base::Error(base::Errc::kCorrupt, NameOf(partition) + " has two different entries " +
                                                   std::to_string(chosen.index.value()) + " of epoch " +
                                                   std::to_string(chosen.epoch.value()));
    }
    const mffs::Location now = moved.Resolve(other.place);
    if (now != chosen.place) orphans->push_back(now);
  }
  return chosen;
}

}  // namespace

std::string_view HeadStore::Keep(std::string_view head) {
  if (chunks_.empty() || head.size() > kChunkBytes - used_) {
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
    used_ = 0;
  }
  char* const at = chunks_.back().get() + used_;
  std::ranges::copy(head, at);
  used_ += head.size();
  return {at, head.size()};
}

base::Result<> FoundRecords::Add(const mffs::RecordView& record) {
  // Released ones may be gone at any time: whoever needs a record never released it.
  if (!record.is_live) return {};
  switch (static_cast<RecordType>(record.key.type)) {
    case RecordType::kEntry:
      return AddEntry(record);
    case RecordType::kPart:
      parts.push_back({record.key, record.location, record.lsn, record.is_copy});
      return {};
    case RecordType::kSnapshotPiece:
    case RecordType::kSnapshotEnd:
      snapshots.push_back({record.key, record.location, record.lsn, record.is_copy});
      return {};
    case RecordType::kMove:
      moves.push_back({record.key, record.location, record.lsn, record.is_copy});
      return {};
  }
  return base::Error(base::Errc::kUnsupported, "the log has a record of type " + std::to_string(record.key.type) +
                                                   ", which only a later version of this program knows");
}

base::Result<> FoundRecords::AddEntry(const mffs::RecordView& record) {
  FoundEntries& found = entries[PartitionId(record.key.partition)];
  FoundEntry entry{.epoch = Epoch(record.key.epoch),
                   .index = Index(record.key.index),
                   .place = record.location,
                   .lsn = record.lsn,
                   .head = {},
                   .head_bytes = {},
                   .is_copy = record.is_copy};
  found.last_epoch = std::max(found.last_epoch, entry.epoch);
  found.last_index = std::max(found.last_index, entry.index);
  if (entry.index <= found.snapshot_reached) {
    // Most of what a volume holds: mail that a snapshot knows.
    if (entry.is_copy && entry.lsn > settled_lsn) found.below.push_back(entry);
    return {};
  }
  entry.head_bytes = heads.Keep(record.head);
  ASSIGN_OR_RETURN(entry.head, EntryHead::Decode(entry.head_bytes));
  found.committed = std::max(found.committed, entry.head.committed);
  found.entries.push_back(entry);
  return {};
}

base::Result<ChosenEntries> ChooseEntries(PartitionId partition, FoundEntries found, Index committed,
                                          const MovedPlaces& moved) {
  committed = std::max(committed, found.committed);
  std::vector<FoundEntry>& entries = found.entries;
  const auto in_order = [](const FoundEntry& a, const FoundEntry& b) {
    return std::tuple(a.index, b.epoch, a.lsn, a.place) < std::tuple(b.index, a.epoch, b.lsn, b.place);
  };
  // They are, unless some were copied or written anew in a later epoch.
  if (!std::ranges::is_sorted(entries, in_order)) std::ranges::sort(entries, in_order);
  ChosenEntries chosen;
  Index expected = found.snapshot_reached.Next();
  Epoch epoch;
  bool ended = false;
  for (std::size_t at = 0; at < entries.size();) {
    std::size_t end = at;
    while (end < entries.size() && entries[end].index == entries[at].index) ++end;
    const Group group(entries.data() + at, end - at);
    at = end;
    ended = ended || group.front().index != expected || group.front().epoch < epoch;
    if (ended) {
      for (const FoundEntry& entry : group) chosen.orphans.push_back(moved.Resolve(entry.place));
      continue;
    }
    ASSIGN_OR_RETURN(FoundEntry entry, Choose(partition, group, moved, &chosen.orphans));
    epoch = entry.epoch;
    expected = expected.Next();
    chosen.entries.push_back(entry);
  }
  if (committed >= expected) return Missing(partition, expected, committed);
  return chosen;
}

std::string NameOf(PartitionId partition) {
  if (!PartitionTable::IsQueue(partition)) return "mailbox partition " + std::to_string(partition.value());
  return "queue partition " + std::to_string(partition.value() - kFirstQueuePartition.value());
}

}  // namespace replog
