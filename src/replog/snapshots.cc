#include "replog/snapshots.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "mffs/format.h"

namespace replog {
namespace {

// A tail shorter than this is not worth a snapshot's records.
constexpr std::uint64_t kTailBytesMin = 16u << 10;
// What a partition makes every start read of the log, at least; less when it is idle, since then one snapshot is enough
// for long. Many busy ones would be written all the time, each with a checkpoint.
constexpr std::uint64_t kAgeMinLsns = 20'000;
constexpr std::uint64_t kIdleAgeMinLsns = 5'000;
constexpr std::size_t kIdleTailMax = 16;
// Fewer notes of moved records are not worth a snapshot; of more, each counts as this many bytes.
constexpr std::size_t kMovesMin = 16;
constexpr std::uint64_t kMoveBytes = 128;
constexpr std::size_t kPartBodiesPerPiece = (256u << 10) / 8;

// What the tail takes on the disk at most: changes that come one by one have a sector each.
std::uint64_t DiskBytesMax(const Tail& tail) {
  return tail.releasable_bytes() + tail.size() * mffs::kSectorBytes;
}

// Moves before number `end` that a snapshot at `writing->reached` makes unneeded: no entry behind it names an old
// place.
std::uint64_t MovesShown(const Partition& partition, std::uint64_t end) {
  std::uint64_t shown = partition.moves_first;
  while (shown < end && partition.moves[shown - partition.moves_first].settled_at <= partition.writing->reached)
    ++shown;
  return shown;
}

// Bytes of the piece in the record.
std::uint64_t BytesOf(const PiecePlace& piece) {
  return piece.location.size - mffs::RecordHeader::kEncodedSize - EncodePieceHead(piece.kind).size();
}

}  // namespace

// Writes pieces of one snapshot, and forgets none: what is abandoned is released.
class Snapshots::PieceWriter final : public SnapshotWriter {
 public:
  PieceWriter(Context* context, Partition* partition) : context_(context), partition_(partition) {}

  async::Task<base::Result<>> Write(std::string piece) override {
    return WriteKind(std::move(piece), PieceKind::kStateMachine);
  }
  async::Task<base::Result<>> WriteKind(std::string piece, PieceKind kind) {
    if (piece.size() > mffs::kBodyBytesMax) {
      co_return base::Error(base::Errc::kInvalid, "a piece of a snapshot is larger than a record");
    }
    Snapshot* snapshot = partition_->writing.get();
    const mffs::RecordKey key{.type = static_cast<std::uint8_t>(RecordType::kSnapshotPiece),
                              .partition = partition_->id.value(),
                              .epoch = partition_->epoch.value(),
                              .index = snapshot->pieces.size()};
    const std::uint64_t bytes = piece.size();
    ASSIGN_OR_CO_RETURN(const mffs::Location place,
                        co_await context_->volume->AppendCopy(mffs::Stream::kMeta, key, EncodePieceHead(kind),
                                                              std::move(piece), mffs::Need::kState));
    snapshot->pieces.push_back({place, kind});
    snapshot->bytes += bytes;
    co_return base::Result<>();
  }
  void Keep(std::size_t number) override {
    CHECK(number < partition_->in_force.pieces.size());
    const PiecePlace& piece = partition_->in_force.pieces[number];
    // The log's own pieces come behind those of the state machine.
    CHECK(piece.kind == PieceKind::kStateMachine);
    partition_->writing->pieces.push_back(piece);
    partition_->writing->bytes += BytesOf(piece);
  }

 private:
  Context* context_;
  Partition* partition_;
};

Snapshots::Snapshots(Context* context)
    : context_(context),
      background_(context->executor, "log snapshots"),
      wanted_(context->executor),
      idle_(context->executor) {}

void Snapshots::Start() {
  context_->snapshot_wanted = [this](const Partition* partition) { Wanted(partition); };
  background_.Spawn(Loop());
}

async::Task<void> Snapshots::Stop() {
  context_->snapshot_wanted = [](const Partition*) {};
  // The loop ends by itself: cancelling it would leave records behind that nobody knows.
  CHECK(context_->stopping);
  wanted_.NotifyAll();
  co_await background_.Join();
  while (busy_) co_await idle_.Wait();
  co_await background_.Stop();
}

async::Task<base::Result<>> Snapshots::Now(Partition* partition) {
  while (busy_) co_await idle_.Wait();
  CO_RETURN_IF_ERROR(co_await Write(partition));
  co_return co_await context_->volume->Checkpoint();
}

void Snapshots::Wanted(const Partition* partition) {
  if (busy_) return;
  const bool replay_is_long = context_->tails.entries > context_->options.replay_entries_max;
  const bool due = partition != nullptr && (IsDue(*partition) || (replay_is_long && PaysOff(*partition)));
  if (due || SharedLimitReached()) wanted_.NotifyAll();
}

bool Snapshots::IsDue(const Partition& partition) const {
  if (partition.written != nullptr || partition.tail.empty()) return false;
  if (partition.applied == partition.in_force.reached) return false;
  const LogOptions& options = context_->options;
  // One byte of snapshots for each LSN: an idle partition with much state is not written again and again.
  const std::uint64_t cost = BytesToRepeat(partition);
  const std::uint64_t age_min = partition.tail.size() <= kIdleTailMax ? kIdleAgeMinLsns : kAgeMinLsns;
  const std::uint64_t age_max = std::min(options.snapshot_after_lsns, std::max(age_min, cost));
  // Attempts of a whole queue leave as many entries as it has mails, and take longer to replay than these to load.
  if (partition.tail.size() > options.partition_tail_max) return true;
  // Notes of moves are moved themselves, which is noted: without an end to them there are more after each start.
  if (partition.moves.size() >= kMovesMin && partition.moves.size() * kMoveBytes >= cost) return true;
  return partition.tail.head_bytes() > std::max(options.snapshot_after_bytes, cost) ||
         partition.tail.after().value() + age_max < context_->lsn_floor.value();
}

bool Snapshots::PaysOff(const Partition& partition) const {
  return partition.written == nullptr && partition.applied != partition.in_force.reached &&
         partition.tail.head_bytes() >= std::max(kTailBytesMin, BytesToRepeat(partition));
}

std::uint64_t Snapshots::BytesToRepeat(const Partition& partition) const {
  const std::uint64_t kept = context_->MachineOf(partition.id)->KeptBytes(partition.id);
  return partition.in_force.bytes - std::min(partition.in_force.bytes, kept);
}

bool Snapshots::SharedLimitReached() const {
  return context_->space_refused || context_->tails.entries > context_->options.tail_entries_max ||
         context_->tails.releasable_bytes > context_->options.releasable_bytes_max;
}

bool Snapshots::MakesRoom(const Partition& partition) const {
  return DiskBytesMax(partition.tail) > 2 * (BytesToRepeat(partition) + kTailBytesMin);
}

Partition* Snapshots::NextDue() const {
  Partition* longest = nullptr;
  std::uint64_t entries = 0;
  for (Partition* partition : context_->partitions.All()) {
    if (IsDue(*partition)) return partition;
    if (partition->written == nullptr) entries += partition->tail.size();
    if (!PaysOff(*partition)) continue;
    if (longest == nullptr || partition->tail.size() > longest->tail.size()) longest = partition;
  }
  // Down to half of the limit, so that one more entry does not make the next snapshot due at once.
  if (longest != nullptr && entries > context_->options.replay_entries_max / 2) return longest;
  return NextOverLimits();
}

Partition* Snapshots::NextOverLimits() const {
  Partition* most_entries = nullptr;
  Partition* most_bytes = nullptr;
  Partition* roomy = nullptr;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  for (Partition* partition : context_->partitions.All()) {
    if (partition->written != nullptr) continue;
    entries += partition->tail.size();
    bytes += partition->tail.releasable_bytes();
    if (partition->applied == partition->in_force.reached) continue;
    if (most_entries == nullptr || partition->tail.size() > most_entries->tail.size()) most_entries = partition;
    if (MakesRoom(*partition) && (roomy == nullptr || DiskBytesMax(partition->tail) > DiskBytesMax(roomy->tail))) {
      roomy = partition;
    }
    if (most_bytes == nullptr || partition->tail.releasable_bytes() > most_bytes->tail.releasable_bytes()) {
      most_bytes = partition;
    }
  }
  if (entries > context_->options.tail_entries_max / 2) return most_entries;
  if (bytes > context_->options.releasable_bytes_max / 2) return most_bytes;
  // On a full volume even a little room helps, but not at any price.
  return context_->space_refused ? roomy : nullptr;
}

std::uint64_t Snapshots::EntriesCovered() const {
  std::uint64_t entries = 0;
  for (const Partition* partition : context_->partitions.All()) {
    if (partition->written != nullptr) entries += partition->tail.size();
  }
  return entries;
}

async::Task<void> Snapshots::Loop() {
  // What was replayed just now should not be replayed again.
  bool due = context_->tails.entries > context_->options.replay_entries_max;
  while (!context_->stopping) {
    if (!std::exchange(due, false)) co_await wanted_.Wait();
    while (busy_) co_await idle_.Wait();
    const base::Result<> written = co_await WriteAllDue();
    if (!written.has_value() && !context_->stopping) {
      base::LogError("snapshot_failed", {{"error", written.error().message()}});
    }
  }
}

async::Task<base::Result<>> Snapshots::WriteAllDue() {
  bool written = false;
  bool urgent = SharedLimitReached();
  while (Partition* partition = context_->stopping ? nullptr : NextDue()) {
    urgent = urgent || IsDue(*partition);
    CO_RETURN_IF_ERROR(co_await Write(partition));
    written = true;
  }
  context_->space_refused = false;
  if (!written) co_return base::Result<>();
  // Else the next checkpoint that comes anyway is soon enough.
  if (!urgent && EntriesCovered() < context_->options.replay_entries_max / 4) co_return base::Result<>();
  co_return co_await context_->volume->Checkpoint();
}

async::Task<base::Result<>> Snapshots::Write(Partition* partition) {
  CHECK(!busy_);
  // An earlier one that no checkpoint has put in force yet is as good.
  if (partition->written != nullptr) co_return base::Result<>();
  struct Busy {
    Snapshots* snapshots;
    Partition* partition;
    explicit Busy(Snapshots* s, Partition* p) : snapshots(s), partition(p) { s->busy_ = true; }
    // Also when the writer is cancelled: what it wrote is for nobody.
    ~Busy() {
      if (partition->writing != nullptr) {
        for (const mffs::Location& place : PiecesOnlyOf(*partition->writing, partition->in_force)) {
          snapshots->context_->volume->Release(place);
        }
      }
      partition->writing.reset();
      snapshots->busy_ = false;
      snapshots->idle_.NotifyAll();
    }
  };
  const Busy busy(this, partition);
  context_->RefreshLsnFloor();
  partition->writing = std::make_unique<Snapshot>();
  partition->writing->after = context_->lsn_floor;
  const std::uint64_t moves_end = partition->moves_end();
  partition->writing->epoch = partition->applied_epoch;
  PieceWriter writer(context_, partition);
  CO_RETURN_IF_ERROR(co_await WritePieces(partition, &writer));
  partition->writing->moves_until = MovesShown(*partition, moves_end);

  const SnapshotEnd end{.reached = partition->writing->reached,
                        .epoch = partition->writing->epoch,
                        .bytes = partition->writing->bytes,
                        .pieces = partition->writing->pieces};
  const mffs::RecordKey key{.type = static_cast<std::uint8_t>(RecordType::kSnapshotEnd),
                            .partition = partition->id.value(),
                            .epoch = partition->epoch.value(),
                            .index = end.reached.value()};
  ASSIGN_OR_CO_RETURN(partition->writing->end, co_await context_->volume->AppendCopy(
                                                   mffs::Stream::kMeta, key, end.EncodeHead(), end.EncodeBody()));
  partition->written = std::move(partition->writing);
  context_->counters.snapshots_written += 1;
  co_return base::Result<>();
}

async::Task<base::Result<>> Snapshots::WritePieces(Partition* partition, PieceWriter* writer) {
  const Index applied = partition->applied;
  const Index last_told = partition->last_told;
  ASSIGN_OR_CO_RETURN(Index reached, co_await context_->MachineOf(partition->id)->WriteSnapshot(partition->id, writer));
  // The machine does not see the log's own entries: those that the snapshot in force covers (it has loaded that, or has
  // its mark), and those behind the last one that it was told.
  reached = std::max(reached, partition->in_force.reached);
  if (reached >= last_told) reached = std::max(reached, applied);
  CHECK(reached <= applied);
  partition->writing->reached = reached;
  // Taken after the state machine's pieces: every mail that its state at `reached` keeps is here, unless an entry
  // behind it, which will be replayed, has released it.
  std::vector<BodyId> bodies;
  for (const auto& [id, owner] : context_->part_bodies) {
    if (owner.partition == partition->id && owner.index <= partition->applied) bodies.push_back(id);
  }
  for (std::size_t at = 0; at < bodies.size(); at += kPartBodiesPerPiece) {
    std::string piece;
    base::Encoder e(piece);
    for (std::size_t i = at; i < std::min(bodies.size(), at + kPartBodiesPerPiece); ++i) e.U64(bodies[i].value());
    CO_RETURN_IF_ERROR(co_await writer->WriteKind(std::move(piece), PieceKind::kPartBodies));
  }
  co_return base::Result<>();
}

}  // namespace replog
