#include "queue/mail_queue.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "queue/mail_queue_state.h"
#include "queue/retry.h"

namespace queue {
namespace {

constexpr std::size_t kAnswerBytesMax = 200;

base::Error NoSuchMail(QueueId id) {
  return base::Error(base::Errc::kNotFound, "there is no mail " + id.ToString() + " in the queue");
}

// One line of printable bytes, not too long.
std::string Tidy(std::string answer) {
  if (answer.size() > kAnswerBytesMax) answer.resize(kAnswerBytesMax);
  for (char& c : answer) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return answer;
}

QueuedMail Describe(QueueId id, const MailState& mail, const SharedStrings& strings, const Scheduler& scheduler) {
  QueuedMail described{.id = id,
                       .cls = mail.cls,
                       .envelope = mail.Envelope(strings),
                       .queued_at = mail.queued_at(),
                       .size_bytes = mail.size_bytes(),
                       .recipients = {}};
  for (std::size_t i = 0; i < mail.recipients().size(); ++i) {
    const RecipientSlot& slot = mail.recipients()[i];
    const bool claimed =
        slot.state == RecipientState::kWaiting && slot.item != kNoItem && scheduler.IsClaimed(slot.item);
    described.recipients.push_back({.address = described.envelope.recipients[i].address,
                                    .state = claimed ? RecipientState::kClaimed : slot.state,
                                    .attempts = slot.attempts,
                                    .next_attempt = slot.next_attempt,
                                    .last_answer = strings.Text(slot.answer),
                                    .destination = slot.item == kNoItem
                                                       ? std::string()
                                                       : strings.Text(scheduler.DestinationOf(slot.item))});
  }
  return described;
}

// When a mail was tried, and how often it may be.
struct Trial {
  const RetrySchedule& schedule;
  base::WallTime queued_at;
  base::WallTime now;
};

// What an outcome makes of a recipient: tried again later, or held with the reason.
OutcomeEntry::Recipient Decide(const RecipientOutcome& outcome, std::uint32_t attempts, const Trial& trial,
                               base::Random* random) {
  OutcomeEntry::Recipient decided{.recipient = outcome.recipient,
                                  .state = RecipientState::kDelivered,
                                  .next_attempt = trial.now,
                                  .answer = Tidy(outcome.answer)};
  if (outcome.outcome == Outcome::kRejected) decided.state = RecipientState::kHeld;
  if (outcome.outcome != Outcome::kRetryLater) return decided;
  const auto next = NextAttempt(trial.schedule, attempts, trial.queued_at, trial.now, random);
  decided.state = next.has_value() ? RecipientState::kWaiting : RecipientState::kHeld;
  decided.next_attempt = next.value_or(trial.now);
  if (!next.has_value()) {
    decided.answer = Tidy(fmt::format(
        "gave up after {} attempts in {} hours; the last answer: {}", attempts,
        std::chrono::duration_cast<std::chrono::hours>(trial.now - trial.queued_at).count(), outcome.answer));
  }
  return decided;
}

}  // namespace

std::string QueueId::ToString() const {
  return fmt::format("{:x}-{:x}", partition.value(), index.value());
}

std::optional<QueueId> QueueId::Parse(std::string_view text) {
  std::uint32_t partition = 0;
  std::uint64_t index = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto first = std::from_chars(begin, end, partition, 16);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, index, 16);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return QueueId{replog::PartitionId(partition), replog::Index(index)};
}

MailQueue::MailQueue(async::Executor executor, replog::Log* log, const base::Clock* clock, Router router,
                     MailQueueOptions options)
    : state_(std::make_unique<State>(executor, log, clock, std::move(router), options)) {}
MailQueue::~MailQueue() = default;

async::Task<base::Result<QueueId>> MailQueue::Enqueue(mail::Envelope envelope, replog::Body body) {
  if (envelope.recipients.empty() || envelope.recipients.size() > state_->options.recipients_max) {
    co_return base::Error(base::Errc::kInvalid,
                          fmt::format("a queued mail has 1 to {} recipients, not {}", state_->options.recipients_max,
                                      envelope.recipients.size()));
  }
  if (state_->totals.mails >= state_->options.mails_max) {
    co_return base::Error(base::Errc::kBusy, "the queue is full");
  }
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(EntryType::kEnqueue);
  draft.cls = envelope.cls;
  draft.stream = StreamOf(envelope.cls);
  const replog::PartitionId partition = state_->PartitionFor(envelope.cls);
  draft.meta = EnqueueEntry{.queued_at = state_->clock->WallNow(), .envelope = std::move(envelope)}.Encode();
  draft.body = std::move(body);
  ASSIGN_OR_CO_RETURN(const replog::Committed committed,
                      co_await state_->log->ProposeCommitted(partition, std::move(draft)));
  co_return QueueId{partition, committed.index};
}

replog::BodyWriter MailQueue::NewBody(mail::Class cls) {
  return replog::BodyWriter(state_->log, StreamOf(cls));
}

async::Task<Claim> MailQueue::NextClaim() {
  for (;;) {
    const base::WallTime now = state_->clock->WallNow();
    const std::optional<ItemId> item = state_->serving ? state_->scheduler.Claim(now) : std::nullopt;
    if (item.has_value()) {
      Claim claim = MakeClaim(*item);
      state_->recipients_claimed += claim.recipients.size();
      // There may be more, and whoever was woken takes one only.
      state_->Poke();
      co_return claim;
    }
    state_->ArmTimer();
    co_await state_->workers.Wait();
  }
}

Claim MailQueue::MakeClaim(std::uint32_t item) const {
  // Not the clock, which may have been set back since the item became due.
  const base::WallTime now = state_->scheduler.now();
  const ItemOwner& owner = state_->scheduler.OwnerOf(item);
  const QueueId id{owner.partition, owner.mail};
  const MailState* mail = state_->FindMail(id);
  CHECK(mail != nullptr);
  Claim claim{.id = id,
              .destination = state_->strings.Text(state_->scheduler.DestinationOf(item)),
              .cls = mail->cls,
              .envelope = mail->Envelope(state_->strings),
              .recipients = {},
              .queued_at = mail->queued_at(),
              .body = state_->Find(id.partition)->mails().BodyOf(*mail)};
  for (std::uint32_t i = 0; i < mail->recipients().size(); ++i) {
    const RecipientSlot& slot = mail->recipients()[i];
    if (slot.item != item || slot.state != RecipientState::kWaiting || slot.next_attempt > now) continue;
    claim.recipients.push_back(i);
    claim.attempts = std::max<std::uint32_t>(claim.attempts, slot.attempts);
  }
  CHECK(!claim.recipients.empty());
  return claim;
}

async::Task<base::Result<>> MailQueue::Record(Claim claim, std::vector<RecipientOutcome> outcomes) {
  const MailState* mail = state_->FindMail(claim.id);
  if (mail == nullptr) {
    // Removed by an operator meanwhile.
    EndClaim(claim);
    co_return base::Result<>();
  }
  const base::WallTime now = state_->clock->WallNow();
  OutcomeEntry entry{.mail = claim.id.index, .recipients = {}};
  // One draw for all: recipients that fail together are due together, and one claim takes them again.
  const base::Random draw(state_->random.Next());
  for (const RecipientOutcome& outcome : outcomes) {
    CHECK(outcome.recipient < mail->recipients().size());
    const std::uint32_t attempts = mail->recipients()[outcome.recipient].attempts + 1;
    base::Random random = draw;
    entry.recipients.push_back(Decide(outcome, attempts, {state_->options.retry, mail->queued_at(), now}, &random));
    if (entry.recipients.back().state == RecipientState::kHeld) {
      base::LogWarning("mail_held", {{"id", claim.id.ToString()},
                                     {"to", claim.envelope.recipients[outcome.recipient].address},
                                     {"reason", entry.recipients.back().answer}});
    }
  }
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(EntryType::kOutcome);
  draft.cls = claim.cls;
  // With the mails, not apart: so that both share a write of the disk.
  draft.stream = mffs::Stream::kTransit;
  draft.meta = entry.Encode();
  const base::Result<replog::Committed> committed = co_await state_->log->Propose(claim.id.partition, std::move(draft));
  if (!committed.has_value()) {
    EndClaim(claim, now + state_->options.retry.delay_min);
    co_return base::Error(committed.error());
  }
  EndClaim(claim);
  co_return base::Result<>();
}

void MailQueue::GiveBack(const Claim& claim) {
  EndClaim(claim);
}

void MailQueue::EndClaim(const Claim& claim, base::WallTime earliest) {
  state_->recipients_claimed -= claim.recipients.size();
  const MailState* mail = state_->FindMail(claim.id);
  // With the mail went its items.
  if (mail == nullptr) return;
  const ItemId item = mail->recipients()[claim.recipients.front()].item;
  // Asked anew: an operator may have held the recipients meanwhile.
  const std::optional<base::WallTime> due = State::DueOf(*mail, item);
  state_->scheduler.SetDue(item, due.has_value() ? std::optional(std::max(*due, earliest)) : std::nullopt);
  state_->scheduler.EndClaim(item);
  state_->Poke();
}

SettledMail MailQueue::Settled(replog::PartitionId id, std::size_t except_max) const {
  const QueuePartition* partition = state_->Find(id);
  CHECK(partition != nullptr);
  SettledMail settled{.below = partition->reached().Next(), .except = {}};
  replog::Index at;
  while (const MailState* mail = partition->mails().Next(at)) {
    at = mail->index();
    if (settled.except.size() == except_max) {
      settled.below = at;
      break;
    }
    settled.except.push_back(at);
  }
  return settled;
}

replog::Index MailQueue::LastApplied(replog::PartitionId id) const {
  const QueuePartition* partition = state_->Find(id);
  CHECK(partition != nullptr);
  return partition->reached();
}

async::Task<base::Result<std::string>> MailQueue::ReadBody(Claim claim, std::uint64_t offset, std::uint64_t size) {
  // Cleaning may have moved the mail since it was claimed.
  const MailState* mail = state_->FindMail(claim.id);
  if (mail == nullptr) co_return NoSuchMail(claim.id);
  co_return co_await state_->log->ReadBody(state_->Find(claim.id.partition)->mails().BodyOf(*mail), offset, size,
                                           replog::Prefetch::kNeighbours);
}

async::Task<base::Result<std::string>> MailQueue::ReadBody(QueueId id, std::uint64_t offset, std::uint64_t size) {
  const MailState* mail = state_->FindMail(id);
  if (mail == nullptr) co_return NoSuchMail(id);
  co_return co_await state_->log->ReadBody(state_->Find(id.partition)->mails().BodyOf(*mail), offset, size);
}

std::vector<QueuedMail> MailQueue::List(QueueId after, std::uint32_t limit) const {
  std::vector<QueuedMail> mails;
  for (std::uint32_t n = 0; n < state_->partition_count(); ++n) {
    const replog::PartitionId id = state_->log->QueuePartition(n);
    if (id < after.partition) continue;
    replog::Index at = id == after.partition ? after.index : replog::Index(0);
    while (mails.size() < limit) {
      const MailState* mail = state_->Find(id)->mails().Next(at);
      if (mail == nullptr) break;
      at = mail->index();
      mails.push_back(Describe({id, at}, *mail, state_->strings, state_->scheduler));
    }
  }
  return mails;
}

std::optional<QueuedMail> MailQueue::Show(QueueId id) const {
  const MailState* mail = state_->FindMail(id);
  if (mail == nullptr) return std::nullopt;
  return Describe(id, *mail, state_->strings, state_->scheduler);
}

QueueStatus MailQueue::Status() const {
  QueueStatus status = state_->totals;
  status.recipients_claimed = std::min(state_->recipients_claimed, status.recipients_waiting);
  status.recipients_waiting -= status.recipients_claimed;
  return status;
}

async::Task<base::Result<>> MailQueue::Hold(QueueId id) {
  return Control(id, Operation::kHold, mail::Class::kNormal);
}
async::Task<base::Result<>> MailQueue::Release(QueueId id) {
  return Control(id, Operation::kRelease, mail::Class::kNormal);
}
async::Task<base::Result<>> MailQueue::Requeue(QueueId id) {
  return Control(id, Operation::kRequeue, mail::Class::kNormal);
}
async::Task<base::Result<>> MailQueue::Reclass(QueueId id, mail::Class cls) {
  return Control(id, Operation::kReclass, cls);
}

async::Task<base::Result<>> MailQueue::Remove(QueueId id, std::string by) {
  const std::optional<QueuedMail> mail = Show(id);
  CO_RETURN_IF_ERROR(co_await Control(id, Operation::kRemove, mail::Class::kNormal));
  if (mail.has_value()) {
    base::LogWarning(
        "mail_removed",
        {{"id", id.ToString()}, {"from", mail->envelope.sender}, {"bytes", mail->size_bytes}, {"by", by}});
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> MailQueue::Control(QueueId id, Operation operation, mail::Class cls) {
  if (state_->FindMail(id) == nullptr) co_return NoSuchMail(id);
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(EntryType::kControl);
  draft.stream = mffs::Stream::kTransit;
  draft.meta =
      ControlEntry{.mail = id.index, .operation = operation, .cls = cls, .now = state_->clock->WallNow()}.Encode();
  CO_RETURN_IF_ERROR(co_await state_->log->Propose(id.partition, std::move(draft)));
  co_return base::Result<>();
}

}  // namespace queue
