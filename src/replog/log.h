// Log: all partition logs of a node over one volume. Ordered, durable entries with an epoch and a commit rule, written
// so that replicas join without changing queue and store. Follows PacificA (Lin et al., 2008); here the replica set is
// one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/asio.h"
#include "async/one_shot.h"
#include "async/task_group.h"
#include "base/clock.h"
#include "base/result.h"
#include "mffs/buffer_pool.h"
#include "mffs/volume.h"
#include "replog/body.h"
#include "replog/guest.h"
#include "replog/state_machine.h"
#include "replog/types.h"

namespace replog {

// An entry to propose.
struct Draft {
  std::uint8_t type = 0;  // The state machine's, not 0.
  mail::Class cls = mail::Class::kNormal;
  mffs::Stream stream = mffs::Stream::kMailbox;
  mffs::Need need = mffs::Need::kNew;
  std::string meta;  // At most meta_bytes_max.
  Body body;         // Empty for an entry without.
};

// What became of a proposal.
struct Committed {
  Epoch epoch;
  Index index;
  BodyRef body;
  std::string applied;  // The text of StateMachine::Apply's done; empty from ProposeCommitted.
};

// What the log needs of whoever decides epochs; the local coordinator (a file, src/cluster later etcd) implements it
// above. Fault model: may be slow or fail; the log then does not lead the partition.
class Coordinator {
 public:
  virtual ~Coordinator() = default;
  // A new epoch for this process to lead `partition` in: max(record, own log) + 1, stored before it is returned.
  virtual async::Task<base::Result<Epoch>> TakeEpoch(PartitionId partition, Epoch own_log) = 0;
};

struct LogOptions {
  std::uint32_t mailbox_partitions = 256;
  std::uint32_t queue_partitions = 4;
  std::uint32_t meta_bytes_max = 256u << 10;
  std::uint32_t proposals_pending_max = 65'536;   // In flight, all partitions; past it kBusy.
  std::uint64_t snapshot_after_bytes = 8u << 20;  // Tail bytes (heads) of a partition that make it due, and at least
                                                  // the size of its last snapshot.
  std::uint64_t snapshot_after_lsns = 1'000'000;  // Or its tail begins so far back; sooner if its state is small.
  std::uint64_t replay_entries_max = 20'000;      // All partitions: past it tails that outweigh their partition's last
                                                  // snapshot are cut, so that a restart replays few entries.
  std::uint64_t partition_tail_max = 100'000;     // Entries of one partition, past which it is due, whatever it costs.
  std::uint64_t tail_entries_max = 1'000'000;     // All partitions: past it the longest tails are cut by snapshots.
  std::uint64_t releasable_bytes_max = 256u << 20;  // All partitions: records that only the log itself still needs; at
                                                    // most 1/16 of the volume.
  mffs::ProgressHook progress;                      // Told by Recover() ("partitions", then "entries"); may be empty.
  Guest* guest = nullptr;  // Borrowed; outlives the log. Null: what a guest has left in the volume stays as it is.
  std::uint64_t body_cache_bytes_max = 128u << 20;  // Of the pool, for queued mail that is in memory and on disk.
};

// What a read of a mail may bring into memory beside it.
enum class Prefetch : std::uint8_t {
  kNone,
  kNeighbours,  // Small mails of the queue that lie behind it: they will be asked for next.
};

// Where the time of Recover() went.
struct RecoverTimes {
  std::chrono::milliseconds scan{};       // Heads of the records behind the last checkpoint.
  std::chrono::milliseconds snapshots{};  // Those in force, read and loaded where the state machine lacks them.
  std::chrono::milliseconds replay{};     // Entries handed to the state machines.
  std::chrono::milliseconds lead{};       // Epochs taken, and their first entries written.
  std::chrono::milliseconds apply{};      // The state machines' own catching up.
};

struct LogStatus {
  std::uint64_t entries_committed = 0;
  std::uint64_t proposals_pending = 0;
  std::uint64_t snapshots_written = 0;
  std::uint64_t replayed_entries = 0;
  std::uint64_t damaged_entries = 0;  // Left out at the start (docs/decisions/0016-damaged-log-entries.md).
  std::uint64_t tail_entries = 0;     // Above the snapshots, all partitions.
  std::uint64_t body_cache_bytes = 0;
  std::uint64_t bodies_from_memory = 0;  // Reads of a mail, or of a piece of it.
  std::uint64_t bodies_from_disk = 0;
};

// Thread: one shard, the volume's. Borrows volume, pool, clock, coordinator and state machines, which outlive it.
// Life: construct, Recover(), then propose; Stop() before destruction and before Volume::Close().
class Log final : private mffs::RecordOwner {
 public:
  Log(async::Executor executor, mffs::Volume* volume, mffs::BufferPool* pool, Coordinator* coordinator,
      LogOptions options);
  ~Log() override;

  // Loads snapshots, replays entries in order into the state machines (`mailboxes` for the mailbox partitions, `queues`
  // for the queue partitions), takes an epoch for each partition with entries (others take it with their first
  // proposal), starts the volume. Entries that rot has taken are left out where that is safe, and named in the log.
  // Errors: kCorrupt (what is damaged cannot be left out, and what to do), kIo.
  async::Task<base::Result<>> Recover(StateMachine* mailboxes, StateMachine* queues);

  // Address -> slot -> partition. The hash (version 1: CRC-32C of the canonical address, its high 16 bits) and the slot
  // ranges are part of the format.
  PartitionId MailboxPartitionOf(std::string_view canonical_address) const;
  std::uint32_t queue_partition_count() const;
  PartitionId QueuePartition(std::uint32_t n) const;  // n < queue_partition_count().

  // Whether a body of this size may be started now: kNoSpace, kReadOnly, kBusy.
  base::Result<> Admit(mffs::Stream stream, std::uint64_t bytes) const;

  // Live bytes of the volume that are mail in mailboxes, and what cleaning has moved of other records.
  std::uint64_t MailboxBytes() const;

  // Durable on every member of the counted set (here: this volume), and applied.
  // Errors: kNoSpace, kBusy (nothing was written), kReadOnly, kIo (the outcome is unknown to the proposer until a
  // restart: it answers 451), or the error that Apply's done gave.
  async::Task<base::Result<Committed>> Propose(PartitionId partition, Draft draft);

  // The same, without waiting for the apply: returns as soon as the entry is committed. Reads that start later still
  // see it, because applies and reads of a partition keep their order (docs/decisions/0005-acknowledge-at-commit.md).
  // For mail delivery.
  async::Task<base::Result<Committed>> ProposeCommitted(PartitionId partition, Draft draft);

  // Bytes of a body: [offset, offset + size) cut to the body's end. Checked. At most 1 MiB a call. Small mails of the
  // queue come from memory as long as there is room for them.
  async::Task<base::Result<std::string>> ReadBody(BodyRef body, std::uint64_t offset, std::uint64_t size,
                                                  Prefetch prefetch = Prefetch::kNone);

  // A state machine needs these bytes no longer. Idempotent, also at replay.
  void ReleaseBody(PartitionId partition, const BodyRef& body);

  // Writes a snapshot of a partition and checkpoints: for tests, tools and clean shutdown.
  async::Task<base::Result<>> SnapshotNow(PartitionId partition);

  LogStatus Status() const;
  const RecoverTimes& recover_times() const;
  async::Task<void> Stop();

 private:
  async::Task<base::Result<>> Moved(std::vector<Move> moves) override;
  CheckpointState TakeCheckpointState() override;
  void CheckpointDurable() override;

  friend class BodyWriter;
  friend class Body;
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace replog
