#include "deliver/notices.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "mail/address.h"

namespace deliver {
namespace {

constexpr std::string_view kDeliveryTimeExpired = "4.4.7";  // RFC 3463 §3.5.

std::string KeyOf(const std::string& address) {
  const auto parsed = mail::Address::Parse(address, {.utf8 = true, .bare_postmaster = true, .underscores = true});
  return parsed ? parsed->CanonicalKey() : address;
}

std::uint8_t NotifyOf(const queue::Claim& claim, std::uint32_t recipient) {
  return claim.envelope.recipients[recipient].notify;
}

// Its sender is most often somebody who never sent it: to answer would make us the spammer.
bool IsSenderDoubtful(const queue::Claim& claim) {
  return claim.cls == mail::Class::kSuspect || claim.cls == mail::Class::kHeld;
}

std::optional<mail::DsnAction> ActionOf(queue::Handover handover) {
  switch (handover) {
    case queue::Handover::kDelivered:
      return mail::DsnAction::kDelivered;
    case queue::Handover::kRelayed:
      return mail::DsnAction::kRelayed;
    case queue::Handover::kRelayedWithDsn:
      break;
  }
  return std::nullopt;
}

}  // namespace

Notices::Notices(queue::MailQueue* queue, const base::Clock* clock, NoticesOptions options)
    : queue_(queue), clock_(clock), options_(std::move(options)), postmaster_key_(KeyOf(options_.postmaster)) {}

async::Task<base::Result<>> Notices::Record(queue::Claim claim, std::vector<queue::RecipientOutcome> outcomes) {
  std::vector<queue::Decision> decisions = queue_->Decide(claim, outcomes);
  std::vector<mail::DsnRecipient> told;
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const std::optional<mail::DsnAction> action = Settle(claim, outcomes[i], &decisions[i]);
    if (!action.has_value()) continue;
    decisions[i].told = true;
    const mail::Recipient& recipient = claim.envelope.recipients[outcomes[i].recipient];
    told.push_back({.address = recipient.address,
                    .original = recipient.original,
                    .action = *action,
                    .status = decisions[i].gave_up ? std::string(kDeliveryTimeExpired) : std::move(outcomes[i].status),
                    .remote_mta = std::move(outcomes[i].remote_mta),
                    .answer = std::move(outcomes[i].answer)});
  }
  std::optional<queue::Notice> notice;
  if (!told.empty()) notice = co_await Write(&claim, std::move(told));
  co_return co_await queue_->Record(std::move(claim), std::move(decisions), std::move(notice));
}

std::optional<mail::DsnAction> Notices::Settle(const queue::Claim& claim, const queue::RecipientOutcome& outcome,
                                               queue::Decision* decision) const {
  if (IsSenderDoubtful(claim)) return std::nullopt;
  if (decision->state == queue::RecipientState::kHeld) return SettleFailure(claim, decision);
  if (claim.envelope.sender.empty()) return std::nullopt;
  const std::uint8_t notify = NotifyOf(claim, outcome.recipient);
  if (decision->state == queue::RecipientState::kDelivered) {
    return (notify & mail::kNotifySuccess) != 0 ? ActionOf(outcome.handover) : std::nullopt;
  }
  const bool is_late =
      options_.delay_notice_after.count() > 0 && clock_->WallNow() - claim.queued_at >= options_.delay_notice_after;
  // RFC 3461 §4.1 leaves it to us where nothing was asked. People who write here want to know; the world's mailing
  // programs do not.
  const bool is_wanted = (notify & mail::kNotifyDelay) != 0 || (notify == 0 && !claim.envelope.auth_account.empty());
  if (!is_late || !is_wanted || decision->was_told_of_delay) return std::nullopt;
  return mail::DsnAction::kDelayed;
}

std::optional<mail::DsnAction> Notices::SettleFailure(const queue::Claim& claim, queue::Decision* decision) const {
  const std::string& address = claim.envelope.recipients[decision->recipient].address;
  const std::uint8_t notify = NotifyOf(claim, decision->recipient);
  if (notify != 0 && (notify & mail::kNotifyFailure) == 0) {
    // RFC 3461 §4.1: the sender wants no word of it, and nobody else waits for it.
    decision->state = queue::RecipientState::kBounced;
    base::LogWarning("mail_dropped", {{"id", claim.envelope.id},
                                      {"queue_id", claim.id.ToString()},
                                      {"from", claim.envelope.sender},
                                      {"to", address},
                                      {"reason", decision->answer},
                                      {"why", "its sender asked for no notice of failures"}});
    return std::nullopt;
  }
  // RFC 5321 §6.1: nobody is told of a notice that fails, but the postmaster; and nobody of his.
  if (claim.envelope.sender.empty() && IsPostmaster(address)) return std::nullopt;
  decision->state = queue::RecipientState::kBounced;
  return mail::DsnAction::kFailed;
}

bool Notices::IsPostmaster(const std::string& address) const {
  return KeyOf(address) == postmaster_key_;
}

async::Task<std::optional<queue::Notice>> Notices::Write(const queue::Claim* claim,
                                                         std::vector<mail::DsnRecipient> recipients) {
  const bool to_postmaster = claim->envelope.sender.empty();
  // RFC 3461 §4.3: RET is for failures.
  const bool has_failure =
      std::ranges::any_of(recipients, [](const auto& one) { return one.action == mail::DsnAction::kFailed; });
  const bool whole = has_failure && claim->envelope.dsn_return == mail::DsnReturn::kFull &&
                     claim->envelope.body != mail::BodyType::kBinary &&
                     claim->body.size_bytes <= options_.whole_mail_bytes_max;
  const std::string original = co_await ReadOriginal(claim, whole);
  const base::WallTime now = clock_->WallNow();
  mail::DeliveryStatus status{.hostname = options_.hostname,
                              .to = to_postmaster ? options_.postmaster : claim->envelope.sender,
                              .id = base::RandomHex(8),
                              .now = now,
                              .arrival = claim->queued_at,
                              .retry_until = queue_->GivesUpAt(*claim),
                              .mail_id = claim->envelope.id,
                              .envelope_id = claim->envelope.envelope_id,
                              .to_postmaster = to_postmaster,
                              .recipients = std::move(recipients),
                              .original = original,
                              .is_whole = whole};
  const mail::DeliveryNotice composed = mail::ComposeNotice(status);
  queue::Notice notice;
  notice.envelope.id = std::move(status.id);
  notice.envelope.recipients.push_back({.address = std::move(status.to)});
  notice.envelope.smtputf8 = composed.smtputf8;
  notice.envelope.body = composed.body;
  notice.envelope.received = now;
  replog::BodyWriter writer = queue_->NewNoticeBody();
  const base::Result<> written = co_await writer.Write(composed.text);
  if (!written) co_return std::nullopt;
  auto body = co_await writer.Finish();
  if (!body) co_return std::nullopt;
  notice.body = std::move(*body);
  for (const mail::DsnRecipient& recipient : status.recipients) {
    base::Counter* const counter = options_.metrics.Of(recipient.action);
    if (counter != nullptr) counter->Add();
  }
  co_return notice;
}

async::Task<std::string> Notices::ReadOriginal(const queue::Claim* claim, bool whole) {
  const std::uint64_t size = whole ? claim->body.size_bytes : options_.header_bytes_max;
  auto read = co_await queue_->ReadBody(*claim, 0, size);
  if (read) co_return *std::move(read);
  base::LogError("notice_without_mail", {{"queue_id", claim->id.ToString()}, {"reason", read.error().message()}});
  co_return std::string();
}

}  // namespace deliver
