// Partition: the state of one partition's log, and the table of all of them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "replog/commit_rule.h"
#include "replog/format.h"
#include "replog/log.h"
#include "replog/tail.h"

namespace replog {

struct Pending;

// A snapshot on the disk: being written, written, or in force.
struct Snapshot {
  Index reached;  // 0: none.
  Epoch epoch;    // Of that entry.
  mffs::Location end;
  std::vector<PiecePlace> pieces;
  std::uint64_t bytes = 0;
  mffs::Lsn after;                // Its records lie behind this LSN.
  std::uint64_t moves_until = 0;  // It shows the moves with a smaller number.
};

// The pieces of `snapshot` that `other` does not have too.
std::vector<mffs::Location> PiecesOnlyOf(const Snapshot& snapshot, const Snapshot& other);

// A move record in the tail.
struct MoveRecord {
  mffs::Location location;
  std::vector<mffs::Location> from;
  mffs::Lsn after;
  Index settled_at;  // Entries up to here may name the old places on the disk.
};

// Appended and not yet committed proposals of a partition, in index order. Intrusive.
struct PendingList {
  Pending* first = nullptr;
  Pending* last = nullptr;
  bool empty() const { return first == nullptr; }
  void PushBack(Pending* pending);
  Pending* PopFront();
};

enum class Leading : std::uint8_t { kNo, kTaking, kYes };

// Thread: the log's shard. Plain state: Proposals, Snapshots, Checkpoints, Mover and Recovery work on it.
struct Partition {
  Partition(PartitionId partition, TailTotals* totals) : id(partition), tail(totals) {}

  const PartitionId id;
  Leading leading = Leading::kNo;
  Epoch epoch;     // Last led, or found in the log.
  Epoch reserved;  // Taken ahead at start, for the first lead; else below `epoch`.
  Index next{1};
  CommitRule commit;
  Index committed;
  Index applied;  // Handed to the state machine.
  Epoch applied_epoch;
  Index last_told;  // The last applied entry that was not the log's own.
  PendingList pending;

  Tail tail;
  std::deque<MoveRecord> moves;
  std::uint64_t moves_first = 0;  // The number of moves.front().
  Snapshot in_force;
  std::unique_ptr<Snapshot> writing;
  std::unique_ptr<Snapshot> written;  // Complete; the next checkpoint puts it in force.
  bool installing = false;            // A checkpoint that names `written` is under way.

  std::uint64_t moves_end() const { return moves_first + moves.size(); }
  bool never_used() const { return next == Index(1) && in_force.reached == Index(0); }
  // Nothing that recovery needs of this partition lies at or before the answer.
  mffs::Lsn NeededAfter(mffs::Lsn otherwise) const;
};

// Finds a partition in constant time; makes it at first use.
class PartitionTable {
 public:
  PartitionTable(std::uint32_t mailbox_count, std::uint32_t queue_count, TailTotals* totals);

  // nullptr: there is no such partition.
  Partition* Find(PartitionId id);
  // Those in use.
  std::vector<Partition*> All() const;
  static bool IsQueue(PartitionId id) { return id >= kFirstQueuePartition; }

 private:
  using Slots = std::vector<std::unique_ptr<Partition>>;
  Slots mailboxes_;
  Slots queues_;
  TailTotals* totals_;
};

}  // namespace replog
