// Watch: stands between the log and a state machine and tells the history of each entry that is applied.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "history/history.h"
#include "queue/mail_queue.h"
#include "replog/state_machine.h"

namespace history {

// Thread: the log's shard. Borrows the state machine and the history, which outlive it. Passes everything on; a
// snapshot is told as written only when the events of all entries that it covers are durable, or counted as lost.
class Watch : public replog::StateMachine {
 public:
  Watch(replog::StateMachine* machine, History* history) : machine_(machine), history_(history) {}

  void BodiesMoved(replog::PartitionId partition, std::vector<BodyMove> moves) override {
    machine_->BodiesMoved(partition, std::move(moves));
  }
  async::Task<base::Result<replog::Index>> WriteSnapshot(replog::PartitionId partition,
                                                         replog::SnapshotWriter* writer) override;
  std::uint64_t KeptBytes(replog::PartitionId partition) const override { return machine_->KeptBytes(partition); }
  Held HeldOf(replog::PartitionId partition) override { return machine_->HeldOf(partition); }
  void BeginReplay(replog::PartitionId partition, replog::Index last) override {
    history_->LogEndsAt(partition, last);
    machine_->BeginReplay(partition, last);
  }
  bool BeginSnapshot(replog::PartitionId partition, replog::Index reached) override {
    return machine_->BeginSnapshot(partition, reached);
  }
  base::Result<> LoadSnapshotPiece(replog::PartitionId partition, std::string_view piece) override {
    return machine_->LoadSnapshotPiece(partition, piece);
  }
  async::Task<base::Result<>> EndSnapshot(replog::PartitionId partition) override {
    return machine_->EndSnapshot(partition);
  }
  void SnapshotInForce(replog::PartitionId partition, replog::Index reached) override {
    machine_->SnapshotInForce(partition, reached);
  }
  async::Task<base::Result<>> Recovered() override { return machine_->Recovered(); }

 protected:
  replog::StateMachine* machine_;
  History* history_;
};

class MailboxWatch final : public Watch {
 public:
  using Watch::Watch;
  void Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) override;
};

class QueueWatch final : public Watch {
 public:
  QueueWatch(queue::MailQueue* queue, History* history) : Watch(queue, history), queue_(queue) {}
  void Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) override;

 private:
  std::optional<Event> NoticeIn(const replog::EntryView& entry) const;

  queue::MailQueue* queue_;
};

}  // namespace history
