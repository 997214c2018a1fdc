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
    if (IsOver(slot.state)) continue;
    slot.attempts += 1;
    slot.told_of_delay = slot.told_of_delay || outcome.told;
    const StringId answer = strings_->Add(outcome.answer);
    strings_->Drop(slot.answer);
    slot.answer = answer;
    // Held by an operator while the attempt was made: stays so, unless the mail is there, or the sender told it is not.
    const bool is_settled =
        outcome.state == RecipientState::kDelivered || (outcome.state == RecipientState::kBounced && outcome.told);
    if (slot.state == RecipientState::kHeld && !is_settled) continue;
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

bool QueuePartition::TakesNotice(const OutcomeEntry& entry) const {
  const MailState* mail = mails_.Find(entry.mail);
  if (mail == nullptr) return false;
  return std::ranges::any_of(entry.recipients, [mail](const OutcomeEntry::Recipient& outcome) {
    if (!outcome.told || outcome.recipient >= mail->recipients().size()) return false;
    const RecipientSlot& slot = mail->recipients()[outcome.recipient];
    return !IsOver(slot.state) && !(outcome.state == RecipientState::kWaiting && slot.told_of_delay);
  });
}

bool QueuePartition::IsDone(const MailState& mail) {
  return std::ranges::all_of(mail.recipients(), [](const RecipientSlot& slot) { return IsOver(slot.state); });
}

void QueuePartition::BeforeChange(const MailState& mail) {
  Changed(mail.index());
  if (snapshot_ == nullptr || mail.index() > snapshot_->reached || mail.index() <= snapshot_->cursor) return;
  if (snapshot_->saved.contains(mail.index())) return;
  mails_.Save(mail).EncodeTo(snapshot_->saved[mail.index()]);
}

void QueuePartition::BeginSnapshot() {
  CHECK(snapshot_ == nullptr);
  snapshot_ = std::make_unique<RunningSnapshot>();
  snapshot_->reached = reached_;
  for (std::size_t number = 0; number < in_force_.size(); ++number) {
    if (in_force_.IsKept(number)) snapshot_->kept.push_back(number);
  }
  latest_ = {};
}

std::optional<std::size_t> QueuePartition::NextKept() {
  RunningSnapshot& snapshot = *snapshot_;
  if (snapshot.kept.empty()) return std::nullopt;
  const std::size_t number = snapshot.kept.front();
  // As it is by now: what has changed since the beginning, the next snapshot does not keep.
  const SnapshotPieces::Piece& piece = in_force_[number];
  const bool is_next =
      (snapshot.saved.empty() || snapshot.saved.begin()->first >= piece.first) && NextUnsaved(piece.first) == nullptr;
  if (!is_next) return std::nullopt;
  snapshot.kept.pop_front();
  snapshot.cursor = piece.last;
  snapshot.saved.erase(snapshot.saved.begin(), snapshot.saved.upper_bound(piece.last));
  latest_.Add(piece);
  return number;
}

std::string QueuePartition::NextPiece(std::size_t piece_bytes) {
  RunningSnapshot& snapshot = *snapshot_;
  const replog::Index end = snapshot.kept.empty() ? snapshot.reached.Next() : in_force_[snapshot.kept.front()].first;
  std::string piece = BeginPiece();
  SnapshotPieces::Piece place;
  while (piece.size() < piece_bytes) {
    const MailState* const mail = NextUnsaved(end);
    const auto saved = snapshot.saved.begin();
    const bool has_saved = saved != snapshot.saved.end() && saved->first < end;
    if (has_saved && (mail == nullptr || saved->first <= mail->index())) {
      snapshot.cursor = saved->first;
      piece += saved->second;
      snapshot.saved.erase(saved);
      place.is_current = false;
    } else if (mail != nullptr) {
      snapshot.cursor = mail->index();
      mails_.Save(*mail).EncodeTo(piece);
    } else {
      break;
    }
    if (place.last == replog::Index(0)) place.first = snapshot.cursor;
    place.last = snapshot.cursor;
  }
  if (place.last == replog::Index(0)) return {};
  place.bytes = static_cast<std::uint32_t>(piece.size());
  latest_.Add(place);
  return piece;
}

const MailState* QueuePartition::NextUnsaved(replog::Index end) const {
  const MailState* const mail = mails_.Next(snapshot_->cursor);
  return mail != nullptr && mail->index() < end && mail->index() <= snapshot_->reached ? mail : nullptr;
}

void QueuePartition::Changed(replog::Index mail) {
  in_force_.Changed(mail);
  latest_.Changed(mail);
}

void QueuePartition::Move(const replog::StateMachine::BodyMove& move) {
  const std::optional<replog::Index> mail = mails_.Move(move);
  if (mail.has_value()) Changed(*mail);
}

}  // namespace queue
