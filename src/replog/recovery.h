// Recovery: from what a volume holds to running partitions. docs/format/replog.md "Recovery"
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "async/notifier.h"
#include "replog/context.h"
#include "replog/damaged_entries.h"
#include "replog/found_records.h"

namespace replog {

// Used once, before the volume starts; borrows the context. Thread: the log's shard.
// Reads only, but for releases, which the volume makes durable with its next checkpoint: cut short, it is repeated with
// the same result. What rot has taken is left out where that is safe (docs/decisions/0016-damaged-log-entries.md).
// Errors: kCorrupt (where it is not: what to do), kInvalid (the configuration does not
// fit the volume), kIo.
class Recovery {
 public:
  explicit Recovery(Context* context);

  async::Task<base::Result<>> Run();

 private:
  base::Result<> LoadState();
  async::Task<base::Result<>> Scan();
  async::Task<base::Result<>> LoadGuest();
  Epoch LastEpochOf(const Partition& partition) const;
  async::Task<void> ReserveEpoch(Partition* partition, Epoch last);
  async::Task<base::Result<>> Restore();
  async::Task<base::Result<>> LoadMoves();
  base::Result<> LoadMove(const FoundRecord& found, const mffs::Record& record);
  async::Task<base::Result<>> LoadSnapshots();
  // `record` is its end.
  async::Task<base::Result<>> LoadSnapshot(Partition* partition, const base::Result<mffs::Record>* record);
  async::Task<base::Result<>> LoadPieces(Partition* partition, std::vector<PiecePlace> pieces);
  base::Result<> LoadPiece(Partition* partition, PieceKind kind, const base::Result<mffs::Record>& record);
  base::Result<> LoadPartBodies(Partition* partition, std::string_view piece);
  void TellEnds();
  void TellMoves();
  async::Task<base::Result<>> ReplayEntries(Partition* partition);
  // The next entries, with no more reads among them than may be made at once.
  static std::span<const FoundEntry> TakeBatch(std::span<const FoundEntry>* entries);
  // `record`: nullptr when the head is all.
  base::Result<> ReplayOne(Partition* partition, const FoundEntry& entry, const base::Result<mffs::Record>* record);
  // Of a record that the disk has lost: what can be had of it elsewhere, or nothing of it counts.
  base::Result<> ReplayDamaged(Partition* partition, const FoundEntry& entry);
  base::Result<> LeaveOut(Partition* partition, FoundEntry entry);
  void TakeExtents(Partition* partition, const FoundEntry& entry, const std::vector<Extent>& extents, BodyRef* body);
  base::Result<> TakeRest(Partition* partition, const FoundEntry& entry, std::string_view record_body, BodyRef* body);
  void Replay(Partition* partition, const FoundEntry& entry, std::string_view meta, BodyRef body);
  void Tell(std::string_view what, std::uint64_t done, std::uint64_t total) const;
  void ReplayDone(const base::Result<std::string>& result);
  // A copy whose move was never noted: cleaning was cut short, and the original counts.
  bool IsUnsettled(bool is_copy, mffs::Lsn lsn, const mffs::Location& place) const;
  void ReleaseOrphans();
  // The volume has lost records, of which nobody knows what they were.
  bool HasDamage() const { return !context_->volume->recovery().corruptions.empty() || damaged_.count() > 0; }

  Context* context_;
  OwnerState state_;
  FoundRecords found_;
  std::map<PartitionId, std::vector<MovedRecord>> moves_;
  std::unordered_set<mffs::Location, PlaceHash> move_targets_;
  std::unordered_set<mffs::Location, PlaceHash> known_places_;  // Snapshots in force, parts of replayed entries.
  std::unordered_set<BodyId> replayed_bodies_;                  // In parts.
  DamagedEntries damaged_;
  std::uint64_t entries_found_ = 0;
  std::uint64_t entries_replayed_ = 0;
  std::uint32_t replays_running_ = 0;
  std::optional<base::Error> replay_error_;
  async::Notifier replayed_;
};

}  // namespace replog
