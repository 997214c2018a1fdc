// QueuePartition: the state machine of one queue partition, without its schedule. Pure: entries in, changes out.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "queue/entry.h"
#include "queue/mail_table.h"
#include "queue/shared_strings.h"

namespace queue {

// A snapshot being written. What changes behind the writer's back is saved first, as it was.
struct RunningSnapshot {
  replog::Index reached;
  replog::Index cursor;  // Mails up to here are written.
  std::map<replog::Index, std::string> saved;
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
  // All its recipients have their mail.
  static bool IsDone(const MailState& mail);
  // To be called before a mail is erased.
  void BeforeChange(const MailState& mail);
  MailState* Load(const SavedMail& mail) { return mails_.Add(mail); }

  void BeginSnapshot();
  // The next piece, empty at the end; `piece_bytes` is about its size.
  std::string NextPiece(std::size_t piece_bytes);
  void EndSnapshot() { snapshot_.reset(); }

 private:
  SharedStrings* strings_;
  MailTable mails_;
  replog::Index reached_;
  std::unique_ptr<RunningSnapshot> snapshot_;
};

}  // namespace queue
