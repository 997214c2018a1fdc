// Recovery: from what a volume holds to running partitions. docs/format/replog.md "Recovery"
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "async/notifier.h"
#include "replog/context.h"
#include "replog/found_records.h"

namespace replog {

// Used once, before the volume starts; borrows the context. Thread: the log's shard.
// Reads only, but for releases, which the volume makes durable with its next checkpoint: cut short, it is repeated with
// the same result. Errors: kCorrupt (an acknowledged entry is missing: which one), kInvalid (the configuration does not
// fit the volume), kIo.
class Recovery {
 public:
  explicit Recovery(Context* context);

  async::Task<base::Result<>> Run();

 private:
  base::Result<> LoadState();
  async::Task<base::Result<>> Scan();
  async::Task<base::Result<>> LoadMoves();
  async::Task<base::Result<>> LoadSnapshot(Partition* partition);
  async::Task<base::Result<>> LoadPiece(Partition* partition, PiecePlace piece, bool for_machine);
  void TellEnds();
  void TellMoves();
  async::Task<base::Result<>> ReplayEntries(Partition* partition);
  // What the record holds beyond its head: a large meta, the extents of a mail in parts.
  async::Task<base::Result<>> ReadRest(Partition* partition, FoundEntry* entry, std::string* meta, BodyRef* body);
  void Replay(Partition* partition, const FoundEntry& entry, const EntryHead& head, std::string_view meta,
              BodyRef body);
  void ReplayDone(const base::Result<std::string>& result);
  // A copy whose move was never noted: cleaning was cut short, and the original counts.
  bool IsUnsettled(bool is_copy, mffs::Lsn lsn, const mffs::Location& place) const;
  void ReleaseOrphans();

  Context* context_;
  OwnerState state_;
  FoundRecords found_;
  std::map<PartitionId, std::vector<MovedRecord>> moves_;
  std::unordered_set<mffs::Location, PlaceHash> move_targets_;
  std::unordered_set<mffs::Location, PlaceHash> known_places_;  // Snapshots in force, parts of replayed entries.
  std::unordered_set<BodyId> replayed_bodies_;                  // In parts.
  std::uint32_t replays_running_ = 0;
  std::optional<base::Error> replay_error_;
  async::Notifier replayed_;
};

}  // namespace replog
