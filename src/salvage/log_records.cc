#include "salvage/log_records.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "base/crc32c.h"

namespace salvage {
namespace {

// Whether the mail and the meta are what the head says. Only of a record whose body can be read.
bool IsIntact(const replog::EntryHead& head, std::string_view body) {
  const std::uint64_t front =
      head.mail_in_parts() ? std::uint64_t{head.parts} * replog::Extent::kEncodedSize : head.mail_bytes;
  const std::uint64_t meta_in_body = head.meta_in_body() ? head.meta_bytes : 0;
  if (body.size() < front || body.size() - front != meta_in_body) return false;
  const std::string_view meta = head.meta_in_body() ? body.substr(front) : head.meta;
  if (head.Checksum(meta) != head.checksum) return false;
  if (!head.has_mail()) return true;
  if (!head.mail_in_parts()) return base::Crc32c(base::AsBytes(body.substr(0, front))) == head.mail_digest;
  const auto extents = replog::DecodeExtents(body, head.parts);
  return extents.has_value() && replog::DigestOf(*extents) == head.mail_digest;
}

bool BestFirst(const EntryPlace& a, const EntryPlace& b) {
  return std::tuple(a.partition, a.index, b.epoch, b.is_live, b.is_readable, a.lsn) <
         std::tuple(b.partition, b.index, a.epoch, a.is_live, a.is_readable, b.lsn);
}

bool PartBestFirst(const PartPlace& a, const PartPlace& b) {
  return std::tuple(a.body, a.part, b.is_live, b.is_readable) < std::tuple(b.body, b.part, a.is_live, a.is_readable);
}

}  // namespace

void LogRecords::Add(const mffs::CheckedRecord& record) {
  switch (static_cast<replog::RecordType>(record.key.type)) {
    case replog::RecordType::kEntry:
      AddEntry(record);
      return;
    case replog::RecordType::kPart:
      AddPart(record);
      return;
    case replog::RecordType::kSnapshotEnd: {
      const replog::PartitionId partition(record.key.partition);
      // Released ones of older snapshots are of no use where the live one can be told.
      if (!HasRoom()) return;
      snapshots_.push_back({.partition = partition,
                            .reached = replog::Index(record.key.index),
                            .epoch = replog::Epoch(record.key.epoch),
                            .place = record.location,
                            .lsn = record.lsn,
                            .key_epoch = record.key.epoch,
                            .head = record.is_readable ? std::string() : std::string(record.head),
                            .is_readable = record.is_readable,
                            .is_live = record.is_live});
      return;
    }
    case replog::RecordType::kMove:
      AddMove(record);
      return;
    case replog::RecordType::kSnapshotPiece:
      AddPiece(record);
      return;
  }
}

bool LogRecords::HasRoom() {
  if (entries_.size() + parts_.size() + snapshots_.size() + pieces_.size() < options_.records_max) return true;
  ++left_out_;
  return false;
}

void LogRecords::Report(const mffs::CheckedRecord& record, std::string_view what) {
  if (options_.findings == nullptr || !record.is_live) return;
  options_.findings->Add(
      {.severity = mffs::Severity::kDamage,
       .kind = "log_record",
       .sentence =
           fmt::format("segment {} (generation {}), offset {}: the record of {} is whole, but {}; keep the image "
                       "and report it, since no disk does this",
                       record.location.segment, record.location.generation, record.location.offset,
                       NameOf(replog::PartitionId(record.key.partition)), what),
       .segment = record.location.segment,
       .lsn = record.lsn.value(),
       .partition = record.key.partition,
       .index = record.key.index});
}

void LogRecords::AddEntry(const mffs::CheckedRecord& record) {
  if (!HasRoom()) return;
  const auto head = replog::EntryHead::Decode(record.head);
  if (!head.has_value()) {
    Report(record, head.error().message());
    return;
  }
  EntryPlace entry{.partition = replog::PartitionId(record.key.partition),
                   .index = replog::Index(record.key.index),
                   .epoch = replog::Epoch(record.key.epoch),
                   .body = head->body,
                   .mail_bytes = head->mail_bytes,
                   .lsn = record.lsn,
                   .place = record.location,
                   .type = head->type,
                   .cls = head->cls,
                   .has_mail = head->has_mail(),
                   .in_parts = head->mail_in_parts(),
                   .is_readable = record.is_readable,
                   .is_live = record.is_live};
  if (entry.is_readable && !IsIntact(*head, record.body)) {
    Report(record, "the checksums of its mail or of its fields are wrong");
    entry.is_readable = false;
  }
  if (!entry.is_readable) damaged_heads_.try_emplace(KeyOf(entry), record.head);
  replog::Index& committed = committed_[entry.partition];
  committed = std::max(committed, head->committed);
  entries_.push_back(entry);
}

void LogRecords::AddPart(const mffs::CheckedRecord& record) {
  if (!HasRoom()) return;
  const auto head = replog::PartHead::Decode(record.head);
  if (!head.has_value()) {
    Report(record, head.error().message());
    return;
  }
  PartPlace part{.body = replog::BodyId(record.key.index),
                 .part = head->part,
                 .bytes = head->bytes,
                 .checksum = head->checksum,
                 .place = record.location,
                 .is_readable = record.is_readable,
                 .is_live = record.is_live};
  const bool is_intact =
      record.body.size() == head->bytes && base::Crc32c(base::AsBytes(record.body)) == head->checksum;
  if (part.is_readable && !is_intact) {
    Report(record, "the checksum of its part of a mail is wrong");
    part.is_readable = false;
  }
  parts_.push_back(part);
}

// The end of the snapshot tells where its pieces lie; these are for when it cannot.
void LogRecords::AddPiece(const mffs::CheckedRecord& record) {
  const auto kind = replog::DecodePieceHead(record.head);
  if (!record.is_live || !kind.has_value() || !HasRoom()) return;
  pieces_.push_back({.partition = replog::PartitionId(record.key.partition),
                     .key_epoch = record.key.epoch,
                     .number = record.key.index,
                     .bytes = static_cast<std::uint32_t>(record.body.size()),
                     .kind = *kind,
                     .place = record.location,
                     .lsn = record.lsn,
                     .is_readable = record.is_readable});
}

void LogRecords::AddMove(const mffs::CheckedRecord& record) {
  if (!record.is_readable) return;
  const auto moves = replog::DecodeMoves(record.head, record.body);
  if (!moves.has_value()) {
    Report(record, moves.error().message());
    return;
  }
  // Mail is found by its own name; only snapshots name their pieces by place alone.
  for (const replog::MovedRecord& move : *moves) {
    const auto type = static_cast<replog::RecordType>(move.type);
    const bool is_of_snapshot = type == replog::RecordType::kSnapshotPiece || type == replog::RecordType::kSnapshotEnd;
    if (is_of_snapshot && move.from != move.to && HasRoom()) moved_.Add(move.from, move.to);
  }
}

base::Result<> LogRecords::Finish() {
  if (left_out_ > 0) {
    return base::Error(base::Errc::kNoSpace,
                       fmt::format("the volume holds {} log records more than {}: give a greater --records-max (each "
                                   "takes 88 bytes of memory)",
                                   left_out_, options_.records_max));
  }
  std::ranges::sort(entries_, BestFirst);
  std::ranges::sort(parts_, PartBestFirst);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].in_parts) entries_of_parts_.emplace_back(entries_[i].body, i);
  }
  std::ranges::sort(entries_of_parts_);
  return {};
}

std::vector<replog::PartitionId> LogRecords::Partitions() const {
  std::vector<replog::PartitionId> partitions;
  for (const EntryPlace& entry : entries_) {
    if (partitions.empty() || partitions.back() != entry.partition) partitions.push_back(entry.partition);
  }
  for (const SnapshotPlace& snapshot : snapshots_) partitions.push_back(snapshot.partition);
  std::ranges::sort(partitions);
  const auto repeated = std::ranges::unique(partitions);
  partitions.erase(repeated.begin(), repeated.end());
  return partitions;
}

std::span<const EntryPlace> LogRecords::EntriesOf(replog::PartitionId partition) const {
  const auto found = std::ranges::equal_range(entries_, partition, {}, &EntryPlace::partition);
  return {found.begin(), found.end()};
}

const EntryPlace* LogRecords::FindMail(replog::PartitionId partition, replog::BodyId body,
                                       const mffs::Location& hint) const {
  const std::pair wanted(partition, replog::Index(body.value()));
  const auto group = std::ranges::equal_range(
      entries_, wanted, {}, [](const EntryPlace& entry) { return std::pair(entry.partition, entry.index); });
  const EntryPlace* best = nullptr;
  for (const EntryPlace& entry : group) {
    if (!entry.has_mail || entry.body != body) continue;
    if (entry.place == hint && entry.is_readable) return &entry;
    const auto rank = [](const EntryPlace& e) { return std::pair(e.is_readable, e.is_live); };
    if (best == nullptr || rank(entry) > rank(*best)) best = &entry;
  }
  return best;
}

const EntryPlace* LogRecords::FindEntryOfParts(replog::BodyId body) const {
  const auto found =
      std::ranges::equal_range(entries_of_parts_, body, {}, &std::pair<replog::BodyId, std::uint32_t>::first);
  const EntryPlace* best = nullptr;
  for (const auto& [id, position] : found) {
    const EntryPlace& entry = entries_[position];
    if (best == nullptr || (entry.is_readable && !best->is_readable)) best = &entry;
  }
  return best;
}

std::span<const PartPlace> LogRecords::PartsOf(replog::BodyId body) const {
  const auto found = std::ranges::equal_range(parts_, body, {}, &PartPlace::body);
  return {found.begin(), found.end()};
}

const PartPlace* LogRecords::FindPart(replog::BodyId body, std::uint32_t part) const {
  const std::span<const PartPlace> parts = PartsOf(body);
  const auto found = std::ranges::equal_range(parts, part, {}, &PartPlace::part);
  const PartPlace* best = nullptr;
  for (const PartPlace& place : found) {
    if (best == nullptr || (place.is_readable && !best->is_readable)) best = &place;
  }
  return best;
}

std::vector<SnapshotPlace> LogRecords::SnapshotsOf(replog::PartitionId partition) const {
  std::vector<SnapshotPlace> found;
  std::ranges::copy_if(snapshots_, std::back_inserter(found),
                       [partition](const SnapshotPlace& snapshot) { return snapshot.partition == partition; });
  std::ranges::sort(found, [](const SnapshotPlace& a, const SnapshotPlace& b) {
    return std::tuple(a.reached, a.lsn) > std::tuple(b.reached, b.lsn);
  });
  return found;
}

replog::Index LogRecords::CommittedOf(replog::PartitionId partition) const {
  const auto found = committed_.find(partition);
  return found == committed_.end() ? replog::Index() : found->second;
}

std::optional<std::string_view> LogRecords::HeadOf(const EntryPlace& entry) const {
  const auto found = damaged_heads_.find(KeyOf(entry));
  if (found == damaged_heads_.end()) return std::nullopt;
  return found->second;
}

}  // namespace salvage
