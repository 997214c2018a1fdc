// SnapshotMender: makes the snapshot of a partition readable again where that loses nothing. docs/format/replog.md,
// "Repair"
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "async/asio.h"
#include "mffs/append_task.h"
#include "mffs/finding.h"
#include "mffs/record_reader.h"
#include "queue/entry.h"
#include "replog/format.h"
#include "salvage/log_records.h"
#include "store/saved_index.h"

namespace salvage {

// What it does: a record that cleaning has moved, and whose note is lost, is found by its name. An end is made anew
// from its pieces if all of them are there; a list of mails in parts from the parts that nobody else names; a piece of
// a queue's state from the entries of its mails, whose deliveries then begin anew; a mailbox partition's whole snapshot
// from the index of the node, which is the only other place of its state. Whatever takes the place of a record stands
// in a note of moved records, as if cleaning had moved it.
//
// Thread: one shard. Borrows reader, records, index and findings. Mend() for each partition, then the rest.
class SnapshotMender {
 public:
  struct Sources {
    const mffs::RecordReader* reader;
    const LogRecords* records;
    const store::SavedIndex* index;  // May be null.
    // Live records of which no trace is left. Any of them may be a piece.
    std::uint64_t lost_records;
  };
  SnapshotMender(Sources sources, mffs::Findings* findings)
      : reader_(sources.reader),
        records_(sources.records),
        index_(sources.index),
        lost_records_(sources.lost_records),
        findings_(findings) {}

  // Does nothing to a snapshot that is whole, or that it cannot mend.
  async::Task<void> Mend(replog::OwnerState::PartitionState saved);

  bool has_changed() const { return !notes_.empty(); }
  // To be appended, and then what names them; `places` are those of all before, in their order.
  std::vector<mffs::OwnedRecord> TakeRecords() { return std::move(records_made_); }
  std::vector<mffs::OwnedRecord> Ends(std::span<const mffs::Location> places) const;
  std::vector<mffs::OwnedRecord> Notes(std::span<const mffs::Location> places) const;
  // Of snapshots that were replaced as a whole.
  const std::vector<mffs::Location>& to_release() const { return to_release_; }
  // Up to here the log was committed: a snapshot made from an index shows what these entries did.
  const std::map<replog::PartitionId, replog::Index>& committed() const { return committed_; }

 private:
  struct Note {
    replog::PartitionId partition;
    replog::MovedRecord move;
    std::optional<std::size_t> made{};  // `to` is where this one of the records made will lie,
    std::optional<std::size_t> end{};   // or this one of the ends.
  };
  // An end that names records made.
  struct MadeEnd {
    mffs::RecordKey key;
    replog::SnapshotEnd end;      // Its pieces are named when their places are known.
    std::size_t pieces_made = 0;  // The first of them.
    std::vector<replog::PieceKind> kinds;
  };
  struct Piece {
    replog::PiecePlace place;  // As the end names it, resolved.
    std::string body;
    bool is_readable = false;
  };
  // The snapshot at hand.
  struct Snapshot {
    replog::OwnerState::PartitionState saved;
    std::uint64_t key_epoch = 0;
    std::vector<Piece> pieces;
    std::vector<Note> notes;
    std::vector<mffs::OwnedRecord> made;
    std::vector<MadeEnd> ends;
    std::vector<mffs::Location> to_release;
    bool repeats_deliveries = false;
    bool is_from_index = false;
  };

  async::Task<std::optional<replog::SnapshotEnd>> FindEnd(Snapshot* snapshot);
  std::optional<replog::SnapshotEnd> EndFromPieces(Snapshot* snapshot, mffs::Location end_place);
  async::Task<void> LoadPieces(Snapshot* snapshot, const replog::SnapshotEnd* end);
  // False: a piece is lost for good, as far as the volume tells.
  async::Task<bool> MendPieces(Snapshot* snapshot);
  void Point(Snapshot* snapshot, const mffs::Record& record, mffs::Location from, mffs::Location to);
  async::Task<void> FindPiece(Snapshot* snapshot, std::size_t number);
  async::Task<std::optional<std::string>> Rebuild(const Snapshot* snapshot, std::size_t number);
  async::Task<std::optional<mffs::Record>> ReadPiece(replog::PartitionId partition, mffs::Location place);
  void Keep(Snapshot snapshot);
  void Report(const Snapshot& snapshot);
  // --- snapshot_rebuilding.cc ---
  async::Task<std::optional<std::string>> RebuildPartBodies(const Snapshot* snapshot);
  async::Task<std::optional<std::string>> RebuildQueuePiece(const Snapshot* snapshot, std::size_t number);
  async::Task<std::optional<queue::SavedMail>> MailOf(EntryPlace entry);
  // The mails in parts of the partition, as its lists say.
  static std::set<replog::BodyId> PartBodiesOf(const Snapshot& snapshot);
  // --- snapshot_from_index.cc ---
  // False: there is no index, or it does not fit.
  async::Task<bool> TakeFromIndex(Snapshot* snapshot);
  bool Fits(const replog::OwnerState::PartitionState& saved, const store::SavedState& held) const;
  async::Task<std::optional<std::vector<std::string>>> PartBodyLists(const Snapshot* snapshot);
  void Replace(Snapshot* snapshot, std::vector<std::pair<replog::PieceKind, std::string>> pieces);

  const mffs::RecordReader* reader_;
  const LogRecords* records_;
  const store::SavedIndex* index_;
  std::uint64_t lost_records_;
  mffs::Findings* findings_;
  std::vector<mffs::OwnedRecord> records_made_;
  std::size_t records_made_count_ = 0;
  std::vector<MadeEnd> ends_;
  std::vector<Note> notes_;
  std::vector<mffs::Location> to_release_;
  std::map<replog::PartitionId, replog::Index> committed_;
};

// One note, or more, of moves of a partition. Marked as copies: a start takes their moves for complete.
std::vector<mffs::OwnedRecord> NotesOf(replog::PartitionId partition, const std::vector<replog::MovedRecord>& moves);

}  // namespace salvage
