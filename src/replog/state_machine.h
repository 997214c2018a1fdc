// StateMachine: what a partition's log drives. Implemented by queue (in memory) and store (index in RocksDB).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "replog/types.h"

namespace replog {

// Takes a state apart into pieces of at most 256 KiB; the log writes them durably.
class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  virtual async::Task<base::Result<>> Write(std::string piece) = 0;
  // The next piece is one of the snapshot in force, which still says what it should: it is not written again. `number`
  // counts them from 0 as they came, by LoadSnapshotPiece at start, or by Write and Keep.
  virtual void Keep(std::size_t number) = 0;
};

// Thread: the log's shard. Determinism: the same entries in the same order give the same state; nothing is taken from
// clocks, epochs or indexes; entries carry decided values (CLUSTER.md "Determinism").
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // A committed entry, in index order, each exactly once a process (after a restart the entries above the loaded
  // snapshot come again: is_replay). Never waits: what is slow is queued inside. A body counts as kept until
  // ReleaseBody (Log). `done` is called on the shard when the entry's effect is visible to reads; its text goes to the
  // proposer (a result that the apply decided, such as a UID). May be called inside.
  virtual void Apply(const EntryView& entry, std::function<void(base::Result<std::string>)> done) = 0;

  // Records of these bodies lie elsewhere now (extent `part` of the body). Idempotent; also comes at replay.
  struct BodyMove {
    BodyId body;
    std::uint32_t part = 0;
    mffs::Location from;
    mffs::Location to;
  };
  virtual void BodiesMoved(PartitionId partition, std::vector<BodyMove> moves) = 0;

  // Writes the state of a partition as of the entries applied when the call starts. Applies go on meanwhile.
  // `reached` of the answer is the index that the snapshot includes (the log's own empty entries, which are never
  // handed out, may be left out of it).
  virtual async::Task<base::Result<Index>> WriteSnapshot(PartitionId partition, SnapshotWriter* writer) = 0;

  // Of the snapshot in force, the bytes of the pieces that a snapshot begun now would Keep: by this much it is cheaper.
  virtual std::uint64_t KeptBytes(PartitionId) const { return 0; }

  // What it has kept from before the restart: the effect of every entry up to `index`, which was of `epoch`. 0:
  // nothing. Asked until BeginReplay, and again behind the snapshot: a state that is loaded anew then counts as
  // nothing.
  struct Held {
    Index index;
    Epoch epoch;
  };
  virtual Held HeldOf(PartitionId) { return {}; }

  // At start, before all else of a partition that the log knows: `last` is the last entry it will hand out. An index
  // that is ahead of that belongs to another log (a volume replaced or restored) and is rebuilt.
  virtual void BeginReplay(PartitionId, Index /*last*/) {}

  // At start, before replay: the pieces of the newest snapshot in order, between Begin and End. The store answers false
  // to Begin when its own index already holds the state of `reached` or later: the pieces are not read then.
  virtual bool BeginSnapshot(PartitionId partition, Index reached) = 0;
  virtual base::Result<> LoadSnapshotPiece(PartitionId partition, std::string_view piece) = 0;
  virtual async::Task<base::Result<>> EndSnapshot(PartitionId partition) = 0;

  // The snapshot that WriteSnapshot wrote last is what a restart begins with: what was kept to repeat older entries can
  // go, and the next one may Keep its pieces. None is begun between its end and this call, unless it failed.
  virtual void SnapshotInForce(PartitionId, Index /*reached*/) {}

  // All replay is done: the partition serves from now on.
  virtual async::Task<base::Result<>> Recovered() = 0;
};

}  // namespace replog
