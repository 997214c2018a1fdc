#include "salvage/log_mending.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "salvage/record_meaning.h"

namespace salvage {
namespace {

constexpr std::uint64_t kReplacedMax = 1'000'000;  // A longer gap is no gap, but another log.

mffs::RecordKey KeyOf(const EntryPlace& entry) {
  return {.type = static_cast<std::uint8_t>(replog::RecordType::kEntry),
          .partition = entry.partition.value(),
          .epoch = entry.epoch.value(),
          .index = entry.index.value()};
}

// One partition's log, walked from its snapshot to its end.
class Mender {
 public:
  Mender(const LogRecords& records, replog::OwnerState::PartitionState saved, bool has_damage, LogMending* mending,
         mffs::Findings* findings)
      : records_(records),
        partition_(saved.partition),
        reached_(saved.snapshot_reached),
        epoch_(saved.snapshot_epoch),
        committed_(std::max({saved.committed, saved.snapshot_reached, records.CommittedOf(saved.partition)})),
        has_damage_(has_damage),
        mending_(mending),
        findings_(findings) {}

  void Run() {
    const std::span<const EntryPlace> entries = records_.EntriesOf(partition_);
    for (std::size_t at = 0; at < entries.size();) {
      std::size_t end = at;
      while (end < entries.size() && entries[end].index == entries[at].index) ++end;
      const std::span<const EntryPlace> group = entries.subspan(at, end - at);
      at = end;
      if (group.front().index <= reached_) continue;
      const EntryPlace* const entry = Choose(group);
      if (entry == nullptr) continue;
      // Behind a gap nothing was acknowledged, unless the log says so.
      if (entry->index != reached_.Next() && reached_.Next() > committed_ && !IsLoss(entry->index)) return;
      ReplaceUpTo(replog::Index(entry->index.value() - 1));
      reached_ = entry->index;
      epoch_ = entry->epoch;
    }
    ReplaceUpTo(committed_);
  }

 private:
  bool IsLoss(replog::Index next) const {
    return has_damage_ && next.value() - reached_.value() <= replog::kLostEntriesMax;
  }

  // A start reads no more than the head of most entries.
  bool IsNeededWhole(const EntryPlace& entry) const {
    if (entry.in_parts) return true;
    const auto head = replog::EntryHead::Decode(records_.HeadOf(entry).value_or(""));
    return !head.has_value() || head->meta_in_body();
  }

  // The one of an index that a start will take, once the damaged ones are released; nullptr: none is left.
  const EntryPlace* Choose(std::span<const EntryPlace> group) {
    const EntryPlace* chosen = nullptr;
    for (const EntryPlace& entry : group) {
      if (!entry.is_live) continue;
      if (!entry.is_readable && IsNeededWhole(entry)) {
        const bool is_mended = chosen == nullptr && entry.epoch >= epoch_ && MendTable(entry);
        if (is_mended) chosen = &entry;
        if (!is_mended) Release(entry);
      } else if (chosen == nullptr && entry.epoch >= epoch_) {
        chosen = &entry;
      }
    }
    return chosen;
  }

  // The same entry with the table of parts that the parts tell; the damaged one goes.
  bool MendTable(const EntryPlace& entry) {
    const auto head = replog::EntryHead::Decode(records_.HeadOf(entry).value_or(""));
    if (!head.has_value() || !head->mail_in_parts() || head->meta_in_body()) return false;
    std::vector<replog::FoundRecord> parts;
    for (const PartPlace& part : records_.PartsOf(entry.body)) {
      if (!part.is_live || !part.is_readable) continue;
      parts.push_back({.key = {.type = static_cast<std::uint8_t>(replog::RecordType::kPart),
                               .partition = 0,
                               .epoch = part.part,
                               .index = part.body.value()},
                       .place = part.place,
                       .lsn = {},
                       .bytes = part.bytes,
                       .checksum = part.checksum});
    }
    const auto extents = replog::ExtentsFromParts(*head, parts);
    if (!extents.has_value()) return false;
    mffs::OwnedRecord record{.key = KeyOf(entry), .head = std::string(*records_.HeadOf(entry)), .body = {}};
    replog::EncodeExtents(*extents, record.body);
    mending_->volume.records.push_back(std::move(record));
    mending_->volume.to_release.push_back(entry.place);
    ++mending_->mended_entries;
    mffs::Finding finding{.severity = mffs::Severity::kWarning,
                          .kind = "entry",
                          .sentence = fmt::format("entry {} of {}: the table of its mail's parts is damaged; it is "
                                                  "written anew from the parts, and nothing is lost",
                                                  entry.index.value(), NameOf(partition_)),
                          .segment = entry.place.segment,
                          .lsn = entry.lsn.value()};
    finding.partition = partition_.value();
    finding.index = entry.index.value();
    findings_->Add(std::move(finding));
    return true;
  }

  void Release(const EntryPlace& entry) {
    mending_->volume.to_release.push_back(entry.place);
    mffs::Finding finding{.severity = mffs::Severity::kDamage,
                          .kind = "entry",
                          .sentence = fmt::format("{}: it is damaged, and taken out of the log",
                                                  MeaningOf(KeyOf(entry), records_.HeadOf(entry).value_or(""), {})),
                          .segment = entry.place.segment,
                          .lsn = entry.lsn.value()};
    finding.partition = partition_.value();
    finding.index = entry.index.value();
    findings_->Add(std::move(finding));
  }

  void ReplaceUpTo(replog::Index last) {
    if (reached_ >= last || last.value() - reached_.value() > kReplacedMax) return;
    const std::uint64_t first = reached_.Next().value();
    while (reached_ < last) {
      reached_ = reached_.Next();
      replog::EntryHead head;
      head.committed = replog::Index(reached_.value() - 1);
      head.checksum = head.Checksum({});
      mffs::OwnedRecord record{.key = {.type = static_cast<std::uint8_t>(replog::RecordType::kEntry),
                                       .partition = partition_.value(),
                                       .epoch = epoch_.value(),
                                       .index = reached_.value()},
                               .head = {},
                               .body = {}};
      head.EncodeTo(record.head);
      mending_->volume.records.push_back(std::move(record));
    }
    mffs::Finding finding{
        .severity = mffs::Severity::kDamage,
        .kind = "entry",
        .sentence = fmt::format("{} has lost its entries {} to {}, which were acknowledged: empty ones take their "
                                "places; what they changed (mail that came, flags, deletions) is not known",
                                NameOf(partition_), first, last.value())};
    finding.partition = partition_.value();
    finding.index = first;
    findings_->Add(std::move(finding));
  }

  const LogRecords& records_;
  replog::PartitionId partition_;
  replog::Index reached_;
  replog::Epoch epoch_;
  replog::Index committed_;
  bool has_damage_;
  LogMending* mending_;
  mffs::Findings* findings_;
};

}  // namespace

LogMending MendLogs(const LogRecords& records, const replog::OwnerState& state, bool has_damage,
                    mffs::Findings* findings) {
  std::vector<replog::OwnerState::PartitionState> partitions = state.partitions;
  for (const replog::PartitionId partition : records.Partitions()) {
    const bool is_known =
        std::ranges::any_of(partitions, [&](const auto& saved) { return saved.partition == partition; });
    if (!is_known) partitions.push_back({.partition = partition});
  }
  LogMending mending;
  for (const auto& saved : partitions) {
    Mender mender(records, saved, has_damage, &mending, findings);
    mender.Run();
  }
  return mending;
}

}  // namespace salvage
