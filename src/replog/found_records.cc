#include "replog/found_records.h"

#include <algorithm>
#include <tuple>

#include "replog/partition.h"

namespace replog {
namespace {

// The entries of one index, highest epoch first, in the order of their records within it.
using Group = std::span<FoundEntry>;

base::Error Missing(PartitionId partition, Index first, Index committed) {
  return base::Error(base::Errc::kCorrupt,
                     NameOf(partition) + " lacks its entries from " + std::to_string(first.value()) + " on, and " +
                         std::to_string(committed.value()) +
                         " was acknowledged: that is more than a damaged place holds; run `posthorn mffs repair` (it "
                         "says what is lost and can be undone), or restore the volume from a copy");
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

FoundEntry LostEntry(Epoch epoch, Index index, mffs::Lsn lsn) {
  FoundEntry entry{};
  entry.epoch = epoch;
  entry.index = index;
  entry.lsn = lsn;
  entry.is_lost = true;
  return entry;
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
  if (IsGuestType(record.key.type)) {
    guests.push_back({record.key, record.location, record.lsn, std::string(record.head)});
    return {};
  }
  switch (static_cast<RecordType>(record.key.type)) {
    case RecordType::kEntry:
      return AddEntry(record);
    case RecordType::kPart: {
      FoundRecord part{record.key, record.location, record.lsn, record.is_copy};
      const auto head = PartHead::Decode(record.head);
      if (head.has_value()) {
        part.bytes = head->bytes;
        part.checksum = head->checksum;
      }
      parts.push_back(part);
      return {};
    }
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
                                          const MovedPlaces& moved, bool has_damage) {
  committed = std::max(committed, found.committed);
  std::vector<FoundEntry>& entries = found.entries;
  const auto in_order = [](const FoundEntry& a, const FoundEntry& b) {
    return std::tuple(a.index, b.epoch, a.lsn, a.place) < std::tuple(b.index, a.epoch, b.lsn, b.place);
  };
  // They are, unless some were copied or written anew in a later epoch.
  if (!std::ranges::is_sorted(entries, in_order)) std::ranges::sort(entries, in_order);
  ChosenEntries chosen;
  Index expected = found.snapshot_reached.Next();
  Epoch epoch = found.snapshot_epoch;
  const auto may_lack_up_to = [&](Index end) {
    const bool is_lost = has_damage || end <= committed.Next();
    return is_lost && end > expected && end.value() - expected.value() <= kLostEntriesMax;
  };
  const auto lack_up_to = [&](Index end, mffs::Lsn lsn) {
    for (; expected < end; expected = expected.Next()) chosen.entries.push_back(LostEntry(epoch, expected, lsn));
  };
  bool ended = false;
  for (std::size_t at = 0; at < entries.size();) {
    std::size_t end = at;
    while (end < entries.size() && entries[end].index == entries[at].index) ++end;
    const Group group(entries.data() + at, end - at);
    at = end;
    const bool goes_on = group.front().index == expected || may_lack_up_to(group.front().index);
    ended = ended || !goes_on || group.front().epoch < epoch;
    if (ended) {
      for (const FoundEntry& entry : group) chosen.orphans.push_back(moved.Resolve(entry.place));
      continue;
    }
    ASSIGN_OR_RETURN(FoundEntry entry, Choose(partition, group, moved, &chosen.orphans));
    const bool is_lack = expected < entry.index;
    lack_up_to(entry.index, entry.lsn);
    // Every epoch begins with an empty entry: if this one is not that, the one before it was.
    if (is_lack) chosen.entries.back().was_empty = entry.epoch > epoch && entry.head.type != 0;
    epoch = entry.epoch;
    expected = expected.Next();
    chosen.entries.push_back(entry);
  }
  if (may_lack_up_to(committed.Next())) {
    const bool is_one = committed == expected;
    lack_up_to(committed.Next(), chosen.entries.empty() ? mffs::Lsn(1) : chosen.entries.back().lsn);
    chosen.entries.back().was_empty = is_one && found.led > epoch;
  }
  if (committed >= expected) return Missing(partition, expected, committed);
  return chosen;
}

std::optional<std::vector<Extent>> ExtentsFromParts(const EntryHead& head, std::span<const FoundRecord> parts) {
  std::vector<Extent> extents;
  std::uint64_t bytes = 0;
  for (std::uint32_t number = 0; number < head.parts; ++number) {
    // Of records with one key the first is the original.
    const auto part = std::ranges::find_if(parts, [&](const FoundRecord& found) {
      return found.key.index == head.body.value() && found.key.epoch == number;
    });
    if (part == parts.end()) return std::nullopt;
    extents.push_back({.location = part->place, .bytes = part->bytes, .checksum = part->checksum});
    bytes += part->bytes;
  }
  if (bytes != head.mail_bytes || DigestOf(extents) != head.mail_digest) return std::nullopt;
  return extents;
}

std::string NameOf(PartitionId partition) {
  if (!PartitionTable::IsQueue(partition)) return "mailbox partition " + std::to_string(partition.value());
  return "queue partition " + std::to_string(partition.value() - kFirstQueuePartition.value());
}

}  // namespace replog
