#include "admin/queue_json.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <boost/json/array.hpp>

#include "admin/json_values.h"

namespace admin {

namespace json = boost::json;
using queue::QueuedMail;
using queue::RecipientState;
using queue::RecipientStatus;

namespace {

constexpr std::size_t kFirstRecipients = 3;

std::int64_t SecondsBetween(base::WallTime from, base::WallTime to) {
  return std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
}

std::int64_t CountOf(const QueuedMail& mail, RecipientState state) {
  return std::ranges::count(mail.recipients, state, &RecipientStatus::state);
}

// The recipient whose turn is next; none when all are held, delivered or with a courier.
const RecipientStatus* NextDue(const QueuedMail& mail) {
  const RecipientStatus* next = nullptr;
  for (const RecipientStatus& recipient : mail.recipients) {
    if (recipient.state != RecipientState::kWaiting) continue;
    if (next == nullptr || recipient.next_attempt < next->next_attempt) next = &recipient;
  }
  return next;
}

json::object ToJson(const RecipientStatus& recipient, base::WallTime now) {
  json::object out;
  out["address"] = JsonText(recipient.address);
  out["destination"] = JsonText(recipient.destination);
  out["state"] = ToText(recipient.state);
  out["attempts"] = recipient.attempts;
  if (recipient.state == RecipientState::kWaiting) {
    out["next_attempt"] = JsonTime(recipient.next_attempt);
    out["due_in_seconds"] = SecondsBetween(now, recipient.next_attempt);
  }
  out["last_answer"] = JsonText(recipient.last_answer);
  return out;
}

void AddPause(const std::optional<queue::DestinationStatus>& destination, base::WallTime now, json::object* row) {
  if (!destination.has_value() || !IsPaused(*destination, now)) return;
  (*row)["paused_seconds"] = SecondsBetween(now, *destination->paused_until);
  (*row)["pause_reason"] = JsonText(destination->reason);
}

}  // namespace

bool IsPaused(const queue::DestinationStatus& destination, base::WallTime now) {
  return destination.paused_until.has_value() && *destination.paused_until > now;
}

json::object QueuedMailSummary(const QueuedMail& mail, const QueueSelection& selection, base::WallTime now) {
  json::object out;
  out["id"] = JsonText(mail.id.ToString());
  out["mail_id"] = JsonText(mail.envelope.id);
  out["class"] = ToString(mail.cls);
  out["queued_at"] = JsonTime(mail.queued_at);
  out["age_seconds"] = SecondsBetween(mail.queued_at, now);
  out["bytes"] = mail.size_bytes;
  out["sender"] = JsonText(mail.envelope.sender);
  out["recipients"] = mail.recipients.size();
  for (const RecipientState state : kRecipientStates) out[ToText(state)] = CountOf(mail, state);
  if (const RecipientStatus* const next = NextDue(mail)) {
    out["next_attempt"] = JsonTime(next->next_attempt);
    out["due_in_seconds"] = SecondsBetween(now, next->next_attempt);
  }
  json::array first;
  for (const RecipientStatus& recipient : mail.recipients) {
    if (first.size() == kFirstRecipients) break;
    if (selection.MatchesRecipient(recipient)) first.push_back(ToJson(recipient, now));
  }
  out["first_recipients"] = std::move(first);
  const auto answered = std::ranges::find_if(
      mail.recipients, [](const RecipientStatus& r) { return !IsOver(r.state) && !r.last_answer.empty(); });
  if (answered != mail.recipients.end()) out["last_answer"] = JsonText(answered->last_answer);
  return out;
}

json::object QueuedMailDetails(const QueuedMail& mail, base::WallTime now) {
  json::object out = QueuedMailSummary(mail, {}, now);
  // Each recipient stands below.
  out.erase("last_answer");
  out.erase("first_recipients");
  out["received_at"] = JsonTime(mail.envelope.received);
  out["client_ip"] = JsonText(mail.envelope.client_ip);
  out["helo"] = JsonText(mail.envelope.helo);
  out["account"] = JsonText(mail.envelope.auth_account);
  out["protocol"] = JsonText(mail.envelope.protocol);
  json::array recipients;
  for (const RecipientStatus& recipient : mail.recipients) recipients.push_back(ToJson(recipient, now));
  out["recipients"] = std::move(recipients);
  return out;
}

json::object ToJson(const TallyGroup& group, base::WallTime now) {
  json::object out;
  out["key"] = JsonText(group.key);
  out["mails"] = group.mails;
  out["bytes"] = group.bytes;
  out["waiting"] = group.waiting;
  out["claimed"] = group.claimed;
  out["held"] = group.held;
  json::array by_age;
  for (const std::uint64_t count : group.mails_by_age) by_age.push_back(count);
  out["mails_by_age"] = std::move(by_age);
  if (group.mails > 0) {
    out["oldest"] = JsonTime(group.oldest);
    out["oldest_seconds"] = SecondsBetween(group.oldest, now);
  }
  if (group.next_attempt.has_value()) {
    out["next_attempt"] = JsonTime(*group.next_attempt);
    out["due_in_seconds"] = SecondsBetween(now, *group.next_attempt);
  }
  out["last_answer"] = JsonText(group.last_answer);
  return out;
}

json::object ToJson(const QueueTally& tally, std::size_t limit, const queue::MailQueue& mail_queue) {
  json::object out;
  out["by"] = ToText(tally.by());
  json::array ages;
  for (const std::string_view name : kAgeNames) ages.push_back(json::string(name));
  out["ages"] = std::move(ages);
  out["total"] = ToJson(tally.total(), tally.taken_at());
  out["group_count"] = tally.group_count();
  json::array groups;
  for (const TallyGroup& group : tally.Groups(limit)) {
    json::object row = ToJson(group, tally.taken_at());
    if (tally.by() == TallyBy::kDestination) AddPause(mail_queue.Destination(group.key), tally.taken_at(), &row);
    groups.push_back(std::move(row));
  }
  out["groups"] = std::move(groups);
  if (tally.rest().mails > 0) out["rest"] = ToJson(tally.rest(), tally.taken_at());
  return out;
}

}  // namespace admin
