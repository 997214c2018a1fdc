// SnapshotMender: makes the snapshot of a partition readable again where that loses nothing. docs/format/replog.md,
// "Repair"
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/append_task.h"
#include "mffs/finding.h"
#include "mffs/record_reader.h"
#include "queue/entry.h"
#include "replog/format.h"
#include "salvage/log_records.h"

namespace salvage {

// What it does: a record that cleaning has moved, and whose note is lost, is found by its name. An end is made anew
// from its pieces if all of them are there; a list of mails in parts from the parts that nobody else names; a piece of
// a queue's state from the entries of its mails, whose deliveries then begin anew. A piece of a mailbox partition's
// state is nowhere else. Whatever takes the place of a record stands in a note of moved records, as if cleaning had
// moved it.
//
// Thread: one shard. Borrows reader, records and findings. Mend() for each partition, then the rest.
class SnapshotMender {
 public:
  // `lost_records`: live ones of which no trace is left. Any of them may be a piece.
  SnapshotMender(const mffs::RecordReader* reader, const LogRecords* records, std::uint64_t lost_records,
                 mffs::Findings* findings)
      : reader_(reader), records_(records), lost_records_(lost_records), findings_(findings) {}

  // Does nothing to a snapshot that is whole, or that it cannot mend.
  async::Task<void> Mend(replog::OwnerState::PartitionState saved);

  bool has_changed() const { return !notes_.empty(); }
  // To be appended.
  std::vector<mffs::OwnedRecord> TakeRecords() { return std::move(records_made_); }
  // The notes to append when they are durable at `places`.
  std::vector<mffs::OwnedRecord> Notes(std::span<const mffs::Location> places) const;

 private:
  struct Note {
    replog::PartitionId partition;
    replog::MovedRecord move;
    std::optional<std::size_t> made{};  // `to` is where this one of the records made will lie.
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
    bool repeats_deliveries = false;
  };

  async::Task<std::optional<replog::SnapshotEnd>> FindEnd(Snapshot* snapshot);
  std::optional<replog::SnapshotEnd> EndFromPieces(Snapshot* snapshot, mffs::Location end_place);
  // False: a piece is lost for good.
  async::Task<bool> MendPieces(Snapshot* snapshot);
  async::Task<void> FindPiece(Snapshot* snapshot, std::size_t number);
  async::Task<std::optional<std::string>> Rebuild(const Snapshot* snapshot, std::size_t number);
  // --- snapshot_rebuilding.cc ---
  async::Task<std::optional<std::string>> RebuildPartBodies(const Snapshot* snapshot);
  async::Task<std::optional<std::string>> RebuildQueuePiece(const Snapshot* snapshot, std::size_t number);
  async::Task<std::optional<queue::SavedMail>> MailOf(EntryPlace entry);
  // The mails in parts of the partition, as its lists say.
  static std::set<replog::BodyId> PartBodiesOf(const Snapshot& snapshot);
  async::Task<std::optional<mffs::Record>> ReadPiece(replog::PartitionId partition, mffs::Location place);
  void Keep(Snapshot snapshot);

  const mffs::RecordReader* reader_;
  const LogRecords* records_;
  std::uint64_t lost_records_;
  mffs::Findings* findings_;
  std::vector<mffs::OwnedRecord> records_made_;
  std::vector<Note> notes_;
};

// One note, or more, of moves of a partition. Marked as copies: a start takes their moves for complete.
std::vector<mffs::OwnedRecord> NotesOf(replog::PartitionId partition, const std::vector<replog::MovedRecord>& moves);

}  // namespace salvage
