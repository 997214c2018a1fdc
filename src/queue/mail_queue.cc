#include "queue/mail_queue.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "queue/decision.h"
#include "queue/mail_queue_state.h"

namespace queue {
namespace {

base::Error NoSuchMail(QueueId id) {
  return base::Error(base::Errc::kNotFound, "there is no mail " + id.ToString() + " in the queue");
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
    described.recipients.push_back(
        {.address = described.envelope.recipients[i].address,
         .state = claimed ? RecipientState::kClaimed : slot.state,
         .attempts = slot.attempts,
         .next_attempt = slot.next_attempt,
         .last_answer = strings.Text(slot.answer),
         .destination = slot.item == kNoItem ? std::string() : strings.Text(scheduler.DestinationOf(slot.item))});
  }
  return described;
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
    : state_(std::make_unique<State>(executor, log, clock, std::move(router), std::move(options))) {}
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

replog::BodyWriter MailQueue::NewNoticeBody() {
  return replog::BodyWriter(state_->log, mffs::Stream::kTransit, mffs::Need::kAccepted);
}

async::Task<Claim> MailQueue::NextClaim(Lane lane) {
  for (;;) {
    if (const std::optional<ItemId> item = state_->TakeDue(lane)) {
      Claim claim = MakeClaim(*item);
      state_->recipients_claimed += claim.recipients.size();
      // There may be more, and whoever was woken takes one only.
      state_->Poke();
      co_return claim;
    }
    co_await state_->workers[static_cast<std::size_t>(lane)].Wait();
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
  const bool is_pressing = state_->scheduler.IsPressing(item);
  const StringId destination = state_->scheduler.DestinationOf(item);
  if (is_pressing && state_->scheduler.IsPaused(destination)) {
    claim.is_paused = true;
    claim.pause_reason = state_->scheduler.StatusOf(destination).reason;
  }
  for (std::uint32_t i = 0; i < mail->recipients().size(); ++i) {
    const RecipientSlot& slot = mail->recipients()[i];
    if (slot.item != item || slot.state != RecipientState::kWaiting) continue;
    if (slot.next_attempt > now && !is_pressing) continue;
    claim.recipients.push_back(i);
    claim.attempts = std::max<std::uint32_t>(claim.attempts, slot.attempts);
  }
  CHECK(!claim.recipients.empty());
  return claim;
}

std::vector<Decision> MailQueue::Decide(const Claim& claim, const std::vector<RecipientOutcome>& outcomes) {
  const MailState* mail = state_->FindMail(claim.id);
  // Removed by an operator meanwhile.
  if (mail == nullptr) return {};
  const base::WallTime now = state_->clock->WallNow();
  // One draw for all: recipients that fail together are due together, and one claim takes them again.
  const base::Random draw(state_->random.Next());
  std::vector<Decision> decisions;
  for (const RecipientOutcome& outcome : outcomes) {
    CHECK(outcome.recipient < mail->recipients().size());
    const RecipientSlot& slot = mail->recipients()[outcome.recipient];
    const Trial trial{state_->options.retry, std::uint32_t{slot.attempts} + 1, mail->queued_at(), now};
    base::Random random = draw;
    decisions.push_back(queue::Decide(outcome, trial, &random));
    decisions.back().was_told_of_delay = slot.told_of_delay;
  }
  return decisions;
}

base::WallTime MailQueue::GivesUpAt(const Claim& claim) const {
  return claim.queued_at + state_->options.retry.give_up_after;
}

async::Task<base::Result<>> MailQueue::Record(Claim claim, std::vector<RecipientOutcome> outcomes) {
  std::vector<Decision> decisions = Decide(claim, outcomes);
  co_return co_await Record(std::move(claim), std::move(decisions), std::nullopt);
}

async::Task<base::Result<>> MailQueue::Record(Claim claim, std::vector<Decision> decisions,
                                              std::optional<Notice> notice) {
  // Where no entry says more, recipients are due again after this.
  const base::WallTime again = state_->clock->WallNow() + state_->options.retry.delay_min;
  const bool tells = std::ranges::any_of(decisions, &Decision::told);
  base::Result<> written = base::Error(base::Errc::kBusy, "the notice could not be made");
  if (!tells || notice.has_value()) written = co_await Write(&claim, &decisions, std::move(notice));
  const bool lacks_room = !written.has_value() && (written.error().code() == base::Errc::kNoSpace ||
                                                   written.error().code() == base::Errc::kBusy);
  if (tells && lacks_room) {
    // Nothing was written. What was delivered must not be delivered again because of it.
    base::LogWarning("notice_not_queued", {{"queue_id", claim.id.ToString()}, {"reason", written.error().message()}});
    for (Decision& decision : decisions) decision = WithoutNotice(std::move(decision), again);
    written = co_await Write(&claim, &decisions, std::nullopt);
  }
  EndClaim(claim, written.has_value() ? base::WallTime::min() : again);
  co_return written;
}

async::Task<base::Result<>> MailQueue::Write(const Claim* claim, const std::vector<Decision>* decisions,
                                             std::optional<Notice> notice) {
  // Removed by an operator meanwhile, or nothing to say.
  if (decisions->empty() || state_->FindMail(claim->id) == nullptr) co_return base::Result<>();
  OutcomeEntry outcome{.mail = claim->id.index, .attempted_at = state_->clock->WallNow(), .recipients = {}};
  for (const Decision& decision : *decisions) {
    if (decision.state == RecipientState::kHeld) {
      base::LogWarning("mail_held", {{"id", claim->id.ToString()},
                                     {"to", claim->envelope.recipients[decision.recipient].address},
                                     {"reason", decision.answer}});
    }
    outcome.recipients.push_back({decision.recipient, decision.state, decision.next_attempt, decision.answer,
                                  decision.told, decision.relay, decision.cipher});
  }
  replog::Draft draft;
  // With the mails, not apart: so that both share a write of the disk.
  draft.stream = mffs::Stream::kTransit;
  if (notice.has_value()) {
    draft.type = static_cast<std::uint8_t>(EntryType::kOutcomeWithNotice);
    draft.cls = notice->envelope.cls;
    draft.need = mffs::Need::kAccepted;
    OutcomeWithNoticeEntry both{.outcome = std::move(outcome),
                                .notice = {.queued_at = state_->clock->WallNow(), .envelope = notice->envelope}};
    draft.meta = both.Encode();
    draft.body = std::move(notice->body);
  } else {
    draft.type = static_cast<std::uint8_t>(EntryType::kOutcome);
    draft.cls = claim->cls;
    draft.meta = outcome.Encode();
  }
  ASSIGN_OR_CO_RETURN(const replog::Committed committed,
                      co_await state_->log->Propose(claim->id.partition, std::move(draft)));
  if (notice.has_value()) {
    base::LogInfo("notice_queued", {{"id", notice->envelope.id},
                                    {"queue_id", QueueId{claim->id.partition, committed.index}.ToString()},
                                    {"about", claim->envelope.id},
                                    {"to", notice->envelope.recipients.front().address}});
  }
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
  // Once, but for what is given up: that comes until it is recorded.
  state_->scheduler.SetPressing(item, state_->IsTooOld(*mail));
  state_->scheduler.EndClaim(item);
  state_->Poke();
}

void MailQueue::Report(const Claim& claim, Reach reach, const std::string& reason) {
  const MailState* mail = state_->FindMail(claim.id);
  // Removed by an operator meanwhile, and perhaps the destination with it.
  if (mail == nullptr) return;
  const StringId destination = state_->scheduler.DestinationOf(mail->recipients()[claim.recipients.front()].item);
  state_->scheduler.Report(destination, reach, Tidy(reason), state_->clock->WallNow());
  state_->Poke();
}

std::vector<DestinationStatus> MailQueue::Destinations() const {
  std::vector<DestinationStatus> destinations;
  for (const StringId id : state_->scheduler.Destinations()) {
    destinations.push_back(state_->scheduler.StatusOf(id));
    destinations.back().destination = state_->strings.Text(id);
  }
  std::ranges::sort(destinations, {}, &DestinationStatus::destination);
  return destinations;
}

std::optional<DestinationStatus> MailQueue::Destination(const std::string& destination) const {
  const std::optional<StringId> id = state_->strings.Find(destination);
  if (!id.has_value() || !state_->scheduler.HasDestination(*id)) return std::nullopt;
  DestinationStatus status = state_->scheduler.StatusOf(*id);
  status.destination = destination;
  return status;
}

bool MailQueue::EndPause(const std::string& destination) {
  const std::optional<StringId> id = state_->strings.Find(destination);
  if (!id.has_value() || !state_->scheduler.HasDestination(*id)) return false;
  state_->scheduler.EndPause(*id, state_->clock->WallNow());
  state_->Poke();
  return true;
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

bool MailQueue::Contains(QueueId id) const {
  return state_->FindMail(id) != nullptr;
}

bool MailQueue::TakesNotice(replog::PartitionId partition, const OutcomeEntry& outcome) const {
  return state_->Find(partition)->TakesNotice(outcome);
}

QueueStatus MailQueue::Status() const {
  QueueStatus status = state_->totals;
  status.recipients_claimed = std::min(state_->recipients_claimed, status.recipients_waiting);
  status.recipients_waiting -= status.recipients_claimed;
  status.destinations = state_->scheduler.destination_count();
  status.destinations_paused = state_->scheduler.paused_count();
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
    base::LogWarning("mail_removed",
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
