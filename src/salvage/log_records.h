// LogRecords: which records of the partition logs a scan of a volume has found, and where.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "mail/class.h"
#include "mffs/finding.h"
#include "mffs/volume_check.h"
#include "replog/format.h"
#include "replog/found_records.h"
#include "replog/moved_places.h"

namespace salvage {

// One entry's record. Of several with one key the best comes first: live before released, readable before damaged.
struct EntryPlace {
  replog::PartitionId partition;
  replog::Index index;
  replog::Epoch epoch;
  replog::BodyId body;
  std::uint64_t mail_bytes = 0;
  mffs::Lsn lsn;
  mffs::Location place;
  std::uint8_t type = 0;
  mail::Class cls = mail::Class::kNormal;
  bool has_mail = false;
  bool in_parts = false;
  bool is_readable = false;
  bool is_live = false;
};

// One part of a mail in parts.
struct PartPlace {
  replog::BodyId body;
  std::uint32_t part = 0;
  std::uint32_t bytes = 0;
  std::uint32_t checksum = 0;
  mffs::Location place;
  bool is_readable = false;
  bool is_live = false;
};

struct SnapshotPlace {
  replog::PartitionId partition;
  replog::Index reached;
  replog::Epoch epoch;
  mffs::Location place;
  mffs::Lsn lsn;
  std::uint64_t key_epoch = 0;  // The epoch that was led when it was written: its pieces have the same.
  std::string head{};           // Of one that is not readable.
  bool is_readable = false;
  bool is_live = false;
};

// A live piece of a snapshot.
struct PiecePlace {
  replog::PartitionId partition;
  std::uint64_t key_epoch = 0;
  std::uint64_t number = 0;
  std::uint32_t bytes = 0;
  replog::PieceKind kind = replog::PieceKind::kStateMachine;
  mffs::Location place;
  mffs::Lsn lsn;
  bool is_readable = false;
};

// Add() everything, then Finish(), then ask. Thread: one.
// Memory: 88 bytes an entry, 48 a part; past `records_max` nothing is added and Finish() fails.
class LogRecords {
 public:
  struct Options {
    std::uint64_t records_max = 20'000'000;
    mffs::Findings* findings = nullptr;  // Gets what the log's own checksums tell; may be null.
  };
  explicit LogRecords(Options options) : options_(options) {}

  // Anything but records of the log is passed over.
  void Add(const mffs::CheckedRecord& record);
  // Errors: kNoSpace (too many records).
  base::Result<> Finish();

  // --- After Finish() ---
  std::vector<replog::PartitionId> Partitions() const;
  // By index, then epoch, the highest first.
  std::span<const EntryPlace> EntriesOf(replog::PartitionId partition) const;
  std::span<const EntryPlace> entries() const { return entries_; }
  // The entry in whose record the mail lies; nullptr: not found. `hint` decides between epochs; it may be nowhere.
  const EntryPlace* FindMail(replog::PartitionId partition, replog::BodyId body, const mffs::Location& hint) const;
  // The entry that a mail in parts came with; nullptr: not found.
  const EntryPlace* FindEntryOfParts(replog::BodyId body) const;
  std::span<const PartPlace> PartsOf(replog::BodyId body) const;
  const PartPlace* FindPart(replog::BodyId body, std::uint32_t part) const;
  std::span<const PartPlace> parts() const { return parts_; }
  // Ends of snapshots, the one that reaches furthest first.
  std::vector<SnapshotPlace> SnapshotsOf(replog::PartitionId partition) const;
  std::span<const PiecePlace> pieces() const { return pieces_; }
  const replog::MovedPlaces& moved() const { return moved_; }
  // The highest index that some entry knew to be committed.
  replog::Index CommittedOf(replog::PartitionId partition) const;
  // Of an entry whose record is damaged behind its head.
  std::optional<std::string_view> HeadOf(const EntryPlace& entry) const;

 private:
  using EntryKey = std::pair<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>>;
  static EntryKey KeyOf(const EntryPlace& entry) {
    return {entry.partition.value(), {entry.index.value(), entry.epoch.value()}};
  }
  void AddEntry(const mffs::CheckedRecord& record);
  void AddPart(const mffs::CheckedRecord& record);
  void AddPiece(const mffs::CheckedRecord& record);
  void AddMove(const mffs::CheckedRecord& record);
  bool HasRoom();
  void Report(const mffs::CheckedRecord& record, std::string_view what);

  Options options_;
  std::vector<EntryPlace> entries_;
  std::vector<PartPlace> parts_;
  std::vector<SnapshotPlace> snapshots_;
  std::vector<PiecePlace> pieces_;
  std::vector<std::pair<replog::BodyId, std::uint32_t>> entries_of_parts_;  // Body -> position in entries_.
  std::map<EntryKey, std::string> damaged_heads_;
  std::map<replog::PartitionId, replog::Index> committed_;
  replog::MovedPlaces moved_;
  std::uint64_t left_out_ = 0;
};

inline bool IsQueue(replog::PartitionId partition) {
  return partition >= replog::kFirstQueuePartition;
}

}  // namespace salvage
