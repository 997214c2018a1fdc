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

base::Result<Index> HighestCommitted(const std::vector<FoundEntry>& found, Index committed) {
  for (const FoundEntry& entry : found) {
    ASSIGN_OR_RETURN(const EntryHead head, EntryHead::Decode(entry.head));
    committed = std::max(committed, head.committed);
  }
  return committed;
}

// The one of `group` that counts. A copy that no move names is an orphan: of records with the same key the first is the
// original.
base::Result<FoundEntry> Choose(PartitionId partition, Group group, const MovedPlaces& moved,
                                std::vector<mffs::Location>* orphans) {
  FoundEntry chosen = group.front();
  chosen.place = moved.Resolve(chosen.place);
  for (const FoundEntry& other : group) {
    if (other.epoch == chosen.epoch && other.head != chosen.head) {
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

base::Result<> FoundRecords::Add(const mffs::RecordView& record) {
  // Released ones may be gone at any time: whoever needs a record never released it.
  if (!record.is_live) return {};
  switch (static_cast<RecordType>(record.key.type)) {
    case RecordType::kEntry:
      entries[PartitionId(record.key.partition)].push_back({Epoch(record.key.epoch), Index(record.key.index),
                                                            record.location, record.lsn, std::string(record.head),
                                                            record.is_copy});
      return {};
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

base::Result<ChosenEntries> ChooseEntries(PartitionId partition, std::vector<FoundEntry> found, Index snapshot_reached,
                                          Index committed, const MovedPlaces& moved) {
  ASSIGN_OR_RETURN(committed, HighestCommitted(found, committed));
  std::ranges::sort(found, [](const FoundEntry& a, const FoundEntry& b) {
    return std::tuple(a.index, b.epoch, a.lsn, a.place) < std::tuple(b.index, a.epoch, b.lsn, b.place);
  });
  ChosenEntries chosen;
  Index expected = snapshot_reached.Next();
  Epoch epoch;
  bool ended = false;
  for (std::size_t at = 0; at < found.size();) {
    std::size_t end = at;
    while (end < found.size() && found[end].index == found[at].index) ++end;
    const Group group(found.data() + at, end - at);
    at = end;
    if (group.front().index <= snapshot_reached) {
      chosen.below.insert(chosen.below.end(), group.begin(), group.end());
      continue;
    }
    ended = ended || group.front().index != expected || group.front().epoch < epoch;
    if (ended) {
      for (const FoundEntry& entry : group) chosen.orphans.push_back(moved.Resolve(entry.place));
      continue;
    }
    ASSIGN_OR_RETURN(FoundEntry entry, Choose(partition, group, moved, &chosen.orphans));
    epoch = entry.epoch;
    expected = expected.Next();
    chosen.entries.push_back(std::move(entry));
  }
  if (committed >= expected) return Missing(partition, expected, committed);
  return chosen;
}

std::string NameOf(PartitionId partition) {
  if (!PartitionTable::IsQueue(partition)) return "mailbox partition " + std::to_string(partition.value());
  return "queue partition " + std::to_string(partition.value() - kFirstQueuePartition.value());
}

}  // namespace replog
