// QueuePartition: the state machine of one queue partition, without its schedule. Pure: entries in, changes out.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "queue/entry.h"
#include "queue/mail_table.h"
#include "queue/shared_strings.h"
#include "queue/snapshot_pieces.h"

namespace queue {

// A snapshot being written. What changes behind the writer's back is saved first, as it was.
struct RunningSnapshot {
  replog::Index reached;
  replog::Index cursor;  // Mails up to here are written.
  std::map<replog::Index, std::string> saved;
  std::deque<std::size_t> kept;  // Pieces of the snapshot in force that go into it as they are, not yet taken.
};

// Thread: the log's shard. Deterministic: the same entries give the same state.
class QueuePartition {
 public:
  explicit QueuePartition(SharedStrings* strings) : strings_(strings), mails_(strings) {}

  MailTable& mails() { return mails_; }
  const MailTable& mails() const { return mails_; }
  replog::Index reached() const { return reached_; }
  void set_reached(replog::Index index) { reached_ = index; }

  // Each returns the mail if it exists now; nullptr: it was removed before.
  MailState* Enqueue(replog::Index index, const EnqueueEntry& entry, mail::Class cls, replog::BodyRef body);
  MailState* Record(const OutcomeEntry& entry);
  // Everything but kRemove.
  MailState* Control(const ControlEntry& entry);
  // Whether an outcome's notice is to be queued: a recipient that it speaks of is still here, and was not told of
  // before. Asked before the outcome is recorded.
  bool TakesNotice(const OutcomeEntry& entry) const;
  // None of its recipients needs it: each has it, or its sender was told that it has not.
  static bool IsDone(const MailState& mail);
  // To be called before a mail is erased.
  void BeforeChange(const MailState& mail);
  void Move(const replog::StateMachine::BodyMove& move);
  MailState* Load(const SavedMail& mail) { return mails_.Add(mail); }
  // The mails loaded from `first` to `last` are the next piece of the snapshot in force.
  void Loaded(SnapshotPieces::Piece piece) { in_force_.Add(piece); }

  // A snapshot is what NextKept and NextPiece give, in their order, until both have nothing.
  void BeginSnapshot();
  // The number of a piece of the snapshot in force that comes next as it is; nothing: NextPiece comes next.
  std::optional<std::size_t> NextKept();
  // Empty at the end; `piece_bytes` is about its size.
  std::string NextPiece(std::size_t piece_bytes);
  void EndSnapshot() { snapshot_.reset(); }
  // The one written last.
  void SnapshotInForce() { in_force_ = std::move(latest_); }
  // What the next snapshot will not write.
  std::uint64_t kept_bytes() const { return in_force_.kept_bytes(); }

 private:
  // The first mail behind the cursor that the running snapshot shows and nothing has saved; nullptr: none below `end`.
  const MailState* NextUnsaved(replog::Index end) const;
  void Changed(replog::Index mail);

  SharedStrings* strings_;
  MailTable mails_;
  replog::Index reached_;
  SnapshotPieces in_force_;
  SnapshotPieces latest_;  // Of the snapshot being written, or written last.
  std::unique_ptr<RunningSnapshot> snapshot_;
};

}  // namespace queue
