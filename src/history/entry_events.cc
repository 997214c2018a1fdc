#include "history/entry_events.h"

#include <utility>

#include "queue/entry.h"
#include "store/entries.h"

namespace history {
namespace {

// The value of a field that DeliveryPrefix has made: one line, nothing encoded.
std::string_view FieldIn(std::string_view prefix, std::string_view name) {
  const std::size_t at = prefix.find(name);
  if (at == std::string_view::npos) return {};
  prefix.remove_prefix(at + name.size());
  return prefix.substr(0, prefix.find("\r\n"));
}

// "<alice@example.test>" without the brackets.
std::string_view WithoutBrackets(std::string_view path) {
  if (path.starts_with('<')) path.remove_prefix(1);
  if (path.ends_with('>')) path.remove_suffix(1);
  return path;
}

Event EventAt(const replog::EntryView& entry, base::WallTime time) {
  return {.partition = entry.partition, .index = entry.index, .time = time, .what = {}};
}

Event OutcomeAt(const replog::EntryView& entry, queue::OutcomeEntry&& outcome) {
  Event event = EventAt(entry, outcome.attempted_at);
  auto& what = event.what.emplace<Outcome>();
  what.mail = outcome.mail;
  for (queue::OutcomeEntry::Recipient& recipient : outcome.recipients) {
    if (recipient.told) what.notice = entry.index;
    what.recipients.push_back({.recipient = recipient.recipient,
                               .state = recipient.state,
                               .told = recipient.told,
                               .next_attempt = recipient.next_attempt,
                               .relay = std::move(recipient.relay),
                               .cipher = std::move(recipient.cipher),
                               .answer = std::move(recipient.answer)});
  }
  return event;
}

Event ArrivalAt(const replog::EntryView& entry, queue::EnqueueEntry&& enqueue, replog::Index about) {
  Event event = EventAt(entry, enqueue.queued_at);
  mail::Envelope& envelope = enqueue.envelope;
  auto& arrival = event.what.emplace<Arrival>(Arrival{.queued = true,
                                                      .cls = entry.cls,
                                                      .size_bytes = entry.body.size_bytes,
                                                      .mail_id = std::move(envelope.id),
                                                      .sender = std::move(envelope.sender),
                                                      .client_ip = std::move(envelope.client_ip),
                                                      .helo = std::move(envelope.helo),
                                                      .auth_account = std::move(envelope.auth_account),
                                                      .protocol = std::move(envelope.protocol),
                                                      .about = about,
                                                      .recipients = {}});
  for (mail::Recipient& recipient : envelope.recipients) {
    arrival.recipients.push_back({std::move(recipient.address), std::move(recipient.original)});
  }
  return event;
}

}  // namespace

std::optional<Event> EventOfMailboxEntry(const replog::EntryView& entry) {
  if (static_cast<store::EntryType>(entry.type) != store::EntryType::kDeliverDirect) return std::nullopt;
  store::DeliverDirectEntry direct;
  if (!store::DecodeEntry(entry.meta, direct) || direct.delivery.targets.empty()) return std::nullopt;
  Event event = EventAt(entry, base::WallTime(std::chrono::microseconds(direct.delivery.date_us)));
  auto& arrival = event.what.emplace<Arrival>(
      Arrival{.queued = false,
              .cls = entry.cls,
              .size_bytes = entry.body.size_bytes,
              .mail_id = std::string(direct.mail_id),
              .sender = std::string(WithoutBrackets(FieldIn(direct.delivery.targets.front().prefix, "Return-Path: "))),
              .client_ip = std::string(direct.client_ip),
              .helo = std::string(direct.helo),
              .auth_account = std::string(direct.auth_account),
              .protocol = std::string(direct.protocol),
              .about = {},
              .recipients = {}});
  for (const store::DeliverEntry::Target& target : direct.delivery.targets) {
    arrival.recipients.push_back({std::string(WithoutBrackets(FieldIn(target.prefix, "Delivered-To: "))), {}});
  }
  return event;
}

std::optional<Event> EventOfQueueEntry(const replog::EntryView& entry) {
  switch (static_cast<queue::EntryType>(entry.type)) {
    case queue::EntryType::kEnqueue:
      return ArrivalOfQueueEntry(entry);
    case queue::EntryType::kOutcome: {
      auto outcome = queue::OutcomeEntry::Decode(entry.meta);
      if (!outcome.has_value()) return std::nullopt;
      return OutcomeAt(entry, *std::move(outcome));
    }
    case queue::EntryType::kOutcomeWithNotice: {
      auto both = queue::OutcomeWithNoticeEntry::Decode(entry.meta);
      if (!both.has_value()) return std::nullopt;
      return OutcomeAt(entry, std::move(both->outcome));
    }
    case queue::EntryType::kControl: {
      const auto control = queue::ControlEntry::Decode(entry.meta);
      if (!control.has_value()) return std::nullopt;
      Event event = EventAt(entry, control->now);
      event.what = Control{.mail = control->mail, .operation = control->operation, .cls = control->cls};
      return event;
    }
  }
  return std::nullopt;
}

std::optional<Event> ArrivalOfQueueEntry(const replog::EntryView& entry) {
  if (static_cast<queue::EntryType>(entry.type) == queue::EntryType::kEnqueue) {
    auto enqueue = queue::EnqueueEntry::Decode(entry.meta);
    if (!enqueue.has_value()) return std::nullopt;
    return ArrivalAt(entry, *std::move(enqueue), {});
  }
  if (static_cast<queue::EntryType>(entry.type) != queue::EntryType::kOutcomeWithNotice) return std::nullopt;
  auto both = queue::OutcomeWithNoticeEntry::Decode(entry.meta);
  if (!both.has_value()) return std::nullopt;
  return ArrivalAt(entry, std::move(both->notice), both->outcome.mail);
}

}  // namespace history
