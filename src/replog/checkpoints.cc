#include "replog/checkpoints.h"

#include <algorithm>

namespace replog {
namespace {

// What the snapshot `written` makes unneeded.
void AddReleases(Partition* partition, std::vector<mffs::Location>* places) {
  const Snapshot& written = *partition->written;
  if (!partition->in_force.end.IsNowhere()) places->push_back(partition->in_force.end);
  const std::vector<mffs::Location> pieces = PiecesOnlyOf(partition->in_force, written);
  places->insert(places->end(), pieces.begin(), pieces.end());
  partition->tail.ForEach(written.reached, [places](TailEntry& entry) {
    entry.in_checkpoint = !entry.mail_kept;
    if (entry.in_checkpoint) places->push_back(entry.location);
  });
  for (std::size_t i = 0; partition->moves_first + i < written.moves_until; ++i) {
    places->push_back(partition->moves[i].location);
  }
}

// The first LSN that recovery needs of the partition once `written` is in force.
mffs::Lsn NeededAfterInstall(Partition* partition, mffs::Lsn otherwise) {
  const Snapshot& written = *partition->written;
  mffs::Lsn after = otherwise;
  if (const TailEntry* first = partition->tail.Find(written.reached.Next())) after = std::min(after, first->after);
  const std::uint64_t moves_kept = written.moves_until - partition->moves_first;
  if (moves_kept < partition->moves.size()) after = std::min(after, partition->moves[moves_kept].after);
  return after;
}

}  // namespace

mffs::RecordOwner::CheckpointState Checkpoints::Take() {
  context_->RefreshLsnFloor();
  OwnerState state;
  state.mailbox_partitions = context_->options.mailbox_partitions;
  state.queue_partitions = context_->options.queue_partitions;
  state.settled_lsn = context_->settled_lsn;
  state.scan_after = context_->open_bodies->NeededAfter(context_->lsn_floor);
  state.guest = context_->guest_state;
  if (Guest* const guest = context_->options.guest; guest != nullptr) {
    Guest::State taken = guest->TakeState(context_->lsn_floor);
    state.guest = std::move(taken.bytes);
    state.scan_after = std::min(state.scan_after, taken.needed_after);
  }
  releases_.clear();
  for (Partition* partition : context_->partitions.All()) {
    if (partition->never_used()) continue;
    const bool install = partition->written != nullptr;
    const Snapshot& snapshot = install ? *partition->written : partition->in_force;
    state.scan_after =
        install ? NeededAfterInstall(partition, state.scan_after) : partition->NeededAfter(state.scan_after);
    if (install) AddReleases(partition, &releases_);
    partition->installing = install;
    context_->snapshot_wanted(partition);
    state.partitions.push_back({.partition = partition->id,
                                .epoch = partition->epoch,
                                .committed = partition->committed,
                                .snapshot_reached = snapshot.reached,
                                .snapshot_epoch = snapshot.epoch,
                                .snapshot_end = snapshot.end});
  }
  return {.state = state.Encode(), .releases = releases_};
}

void Checkpoints::Durable() {
  // What cleaning moved while the checkpoint was written is released at its new place.
  for (const mffs::Location& place : releases_) {
    const mffs::Location now = context_->moved.Resolve(place);
    if (now != place) context_->volume->Release(now);
  }
  releases_.clear();
  for (Partition* partition : context_->partitions.All()) {
    if (partition->installing) Install(partition);
  }
}

void Checkpoints::Install(Partition* partition) {
  partition->installing = false;
  const Snapshot& written = *partition->written;
  // Given up by the state machine after the checkpoint's state was taken.
  partition->tail.ForEach(written.reached, [this](const TailEntry& entry) {
    if (!entry.mail_kept && !entry.in_checkpoint) context_->volume->Release(entry.location);
  });
  partition->tail.Cut(written.reached);
  while (partition->moves_first < written.moves_until) {
    for (const mffs::Location& from : partition->moves.front().from) context_->moved.Forget(from);
    partition->moves.pop_front();
    partition->moves_first += 1;
  }
  partition->in_force = std::move(*partition->written);
  partition->written.reset();
  context_->MachineOf(partition->id)->SnapshotInForce(partition->id, partition->in_force.reached);
}

}  // namespace replog
