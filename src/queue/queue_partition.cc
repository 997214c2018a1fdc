#include "queue/queue_partition.h"

#include <algorithm>

#include "base/check.h"

namespace queue {
namespace {

void ApplyOperation(const ControlEntry& entry, RecipientSlot* slot) {
  const bool waiting = slot->state == RecipientState::kWaiting;
  const bool held = slot->state == RecipientState::kHeld;
  switch (entry.operation) {
    case Operation::kHold:
      if (waiting) slot->state = RecipientState::kHeld;
      break;
    case Operation::kRelease:
      if (!held) break;
      slot->state = RecipientState::kWaiting;
      slot->attempts = 0;
      slot->next_attempt = entry.now;
      break;
    case Operation::kRequeue:
      if (waiting) slot->next_attempt = entry.now;
      break;
    case Operation::kReclass:
      if (waiting && entry.cls == mail::Class::kHeld) slot->state = RecipientState::kHeld;
      break;
    case Operation::kRemove:
      break;
  }
}

}  // namespace

MailState* QueuePartition::Enqueue(replog::Index index, const EnqueueEntry& entry, mail::Class cls,
                                   replog::BodyRef body) {
  SavedMail mail{.index = index,
                 .queued_at = entry.queued_at,
                 .cls = cls,
                 .body = std::move(body),
                 .envelope = entry.envelope,
                 .recipients = {}};
  const RecipientState state = cls == mail::Class::kHeld ? RecipientState::kHeld : RecipientState::kWaiting;
  mail.recipients.resize(entry.envelope.recipients.size(), {state, 0, entry.queued_at, {}});
  return mails_.Add(mail);
}

MailState* QueuePartition::Record(const OutcomeEntry& entry) {
  MailState* mail = mails_.Find(entry.mail);
  if (mail == nullptr) return nullptr;
  BeforeChange(*mail);
  for (const OutcomeEntry::Recipient& outcome : entry.recipients) {
    if (outcome.recipient >= mail->recipients().size()) continue;
    RecipientSlot& slot = mail->recipients()[outcome.recipient];
    if (slot.state == RecipientState::kDelivered) continue;
    slot.attempts += 1;
    const StringId answer = strings_->Add(outcome.answer);
    strings_->Drop(slot.answer);
    slot.answer = answer;
    // Held by an operator while the attempt was made: stays so, unless the mail is there.
    if (slot.state == RecipientState::kHeld && outcome.state != RecipientState::kDelivered) continue;
    slot.state = outcome.state;
    slot.next_attempt = outcome.next_attempt;
  }
  return mail;
}

MailState* QueuePartition::Control(const ControlEntry& entry) {
  MailState* mail = mails_.Find(entry.mail);
  if (mail == nullptr) return nullptr;
  BeforeChange(*mail);
  if (entry.operation == Operation::kReclass) mail->cls = entry.cls;
  for (RecipientSlot& slot : mail->recipients()) ApplyOperation(entry, &slot);
  return mail;
}

bool QueuePartition::IsDone(const MailState& mail) {
  return std::ranges::all_of(mail.recipients(),
                             [](const RecipientSlot& slot) { return slot.state == RecipientState::kDelivered; });
}

void QueuePartition::BeforeChange(const MailState& mail) {
  if (snapshot_ == nullptr || mail.index() > snapshot_->reached || mail.index() <= snapshot_->cursor) return;
  if (snapshot_->saved.contains(mail.index())) return;
  mails_.Save(mail).EncodeTo(snapshot_->saved[mail.index()]);
}

void QueuePartition::BeginSnapshot() {
  CHECK(snapshot_ == nullptr);
  snapshot_ = std::make_unique<RunningSnapshot>();
  snapshot_->reached = reached_;
}

std::string QueuePartition::NextPiece(std::size_t piece_bytes) {
  RunningSnapshot& snapshot = *snapshot_;
  std::string piece = BeginPiece();
  const std::size_t empty = piece.size();
  while (piece.size() < piece_bytes) {
    const MailState* mail = mails_.Next(snapshot.cursor);
    if (mail != nullptr && mail->index() > snapshot.reached) mail = nullptr;
    const auto saved = snapshot.saved.begin();
    const bool take_saved = saved != snapshot.saved.end() && (mail == nullptr || saved->first <= mail->index());
    if (take_saved) {
      snapshot.cursor = saved->first;
      piece += saved->second;
      snapshot.saved.erase(saved);
    } else if (mail != nullptr) {
      snapshot.cursor = mail->index();
      mails_.Save(*mail).EncodeTo(piece);
    } else {
      break;
    }
  }
  return piece.size() == empty ? std::string() : piece;
}

}  // namespace queue
