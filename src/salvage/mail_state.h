// MailState: what the partition logs of a volume say of its mail: which lies where, and which was given up.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "async/asio.h"
#include "mffs/record_reader.h"
#include "salvage/log_records.h"
#include "salvage/queue_replay.h"
#include "store/salvaged_index.h"

namespace salvage {

struct MailStateOptions {
  std::string index_folder;  // For a RocksDB of this tool's own; whatever is there is dropped.
  std::uint64_t index_memory_bytes = 64u << 20;
  // The log's state in the newest checkpoint: which snapshots are in force. Without it the newest whole ones count.
  std::optional<replog::OwnerState> owner_state{};
  std::uint32_t segment_end_sector = 0;                                     // Geometry::footer_sector().
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};  // Entries replayed; may be empty.
};

// Loads each partition's snapshot and replays its entries, as a node's start does, but goes on behind what is damaged:
// what is missing is reported as a finding, and the partition counts as incomplete.
//
// Thread: one shard. Borrows records, reader and findings, which outlive it. Owns its index.
class MailState {
 public:
  // Errors: kIo, kNoSpace (of the index's folder).
  static async::Task<base::Result<std::unique_ptr<MailState>>> Load(const mffs::RecordReader* reader,
                                                                    const LogRecords* records, MailStateOptions options,
                                                                    mffs::Findings* findings);

  // Nothing that a partition's log said is missing: a mail that its state does not name was given up.
  bool IsComplete(replog::PartitionId partition) const { return !incomplete_.contains(partition); }
  bool AllComplete() const { return incomplete_.empty(); }
  // The entry counts: it is at or under what the partition has reached.
  bool IsReached(const EntryPlace& entry) const;
  // An entry that was replayed gave the mail up.
  bool WasGivenUp(replog::PartitionId partition, replog::BodyId body) const;

  store::SalvagedIndex& mailboxes() { return *mailboxes_; }
  const QueueReplay& queues() const { return queues_; }
  std::uint64_t entries_replayed() const { return entries_replayed_; }

 private:
  struct Replayed {
    replog::Index reached;
    replog::Epoch epoch;
  };
  struct LoadedEntry {
    replog::EntryHead head;
    std::string meta;
    replog::BodyRef body;
  };
  // The name of a mail in parts is its own, whatever the partition.
  using BodyKey = std::pair<std::uint32_t, std::uint64_t>;
  static BodyKey KeyOf(replog::PartitionId partition, replog::BodyId body) {
    return {(body.value() & replog::kPartsBodyBit) != 0 ? 0 : partition.value(), body.value()};
  }
  struct BodyKeyHash {
    std::size_t operator()(const BodyKey& key) const { return (key.second * 0x9e3779b97f4a7c15u) ^ key.first; }
  };

  MailState(const mffs::RecordReader* reader, const LogRecords* records, MailStateOptions options,
            mffs::Findings* findings)
      : reader_(reader), records_(records), options_(std::move(options)), findings_(findings) {}

  async::Task<base::Result<>> LoadAll();
  std::vector<replog::PartitionId> Partitions() const;
  async::Task<base::Result<>> LoadPartition(replog::PartitionId partition);
  async::Task<base::Result<>> LoadSnapshot(replog::PartitionId partition);
  // The number of pieces that could not be loaded.
  async::Task<base::Result<std::uint64_t>> TrySnapshot(SnapshotPlace snapshot);
  async::Task<base::Result<bool>> LoadPiece(replog::PartitionId partition, mffs::Location place);
  base::Result<> BeginSnapshot(replog::PartitionId partition);
  async::Task<base::Result<>> ReplayEntries(replog::PartitionId partition);
  async::Task<base::Result<>> Replay(EntryPlace entry);
  async::Task<LoadedEntry> ReadEntry(EntryPlace entry);
  async::Task<base::Result<mffs::Record>> ReadRecord(mffs::Location place);
  base::Result<> ApplyEntry(const EntryPlace& entry, const LoadedEntry& loaded);
  base::Result<> TakeReleased(replog::PartitionId partition);
  void ReportMissing(replog::PartitionId partition, replog::Index first, replog::Index last);
  void ReportSnapshot(replog::PartitionId partition, std::string_view what);
  void Report(replog::PartitionId partition, std::optional<replog::Index> index, std::string sentence);

  const mffs::RecordReader* reader_;
  const LogRecords* records_;
  MailStateOptions options_;
  mffs::Findings* findings_;
  std::unique_ptr<store::SalvagedIndex> mailboxes_;
  QueueReplay queues_;
  std::map<replog::PartitionId, Replayed> replayed_;
  std::unordered_set<replog::PartitionId> incomplete_;
  std::unordered_set<BodyKey, BodyKeyHash> given_up_;
  // Records of the last large read: entries lie beside each other.
  std::unordered_map<mffs::Location, mffs::Record, replog::PlaceHash> run_;
  std::uint64_t entries_replayed_ = 0;
};

}  // namespace salvage
