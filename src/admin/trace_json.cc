#include "admin/trace_json.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>

#include "admin/json_values.h"
#include "admin/queue_json.h"
#include "admin/queue_selection.h"

namespace admin {

namespace json = boost::json;
using history::Arrival;
using history::Control;
using history::Event;
using history::Outcome;
using history::TracedMail;
using queue::Operation;
using queue::RecipientState;

namespace {

// What the events say of one recipient.
struct Fate {
  RecipientState state = RecipientState::kWaiting;
  bool removed = false;
  std::uint32_t attempts = 0;
  std::string answer;
};

std::string_view NameOf(Operation operation) {
  switch (operation) {
    case Operation::kHold:
      return "hold";
    case Operation::kRelease:
      return "release";
    case Operation::kRequeue:
      return "requeue";
    case Operation::kReclass:
      return "reclass";
    case Operation::kRemove:
      break;
  }
  return "remove";
}

void Follow(const Control& control, std::vector<Fate>* fates) {
  const bool holds = control.operation == Operation::kHold ||
                     (control.operation == Operation::kReclass && control.cls == mail::Class::kHeld);
  for (Fate& fate : *fates) {
    if (queue::IsOver(fate.state)) continue;
    if (control.operation == Operation::kRemove) fate.removed = true;
    if (holds) fate.state = RecipientState::kHeld;
    if (control.operation == Operation::kRelease) fate.state = RecipientState::kWaiting;
  }
}

// As docs/format/queue.md, "Entries", has it.
void Follow(const Outcome& outcome, std::vector<Fate>* fates) {
  for (const Outcome::Recipient& recipient : outcome.recipients) {
    if (recipient.recipient >= fates->size()) continue;
    Fate& fate = (*fates)[recipient.recipient];
    if (queue::IsOver(fate.state)) continue;
    const bool is_final = recipient.state == RecipientState::kDelivered ||
                          (recipient.state == RecipientState::kBounced && recipient.told);
    if (fate.state != RecipientState::kHeld || is_final) fate.state = recipient.state;
    fate.attempts += 1;
    fate.answer = recipient.answer;
  }
}

std::vector<Fate> FatesOf(const TracedMail& mail, const Arrival& arrival) {
  Fate begin;
  if (!arrival.queued) begin.state = RecipientState::kDelivered;
  if (arrival.queued && arrival.cls == mail::Class::kHeld) begin.state = RecipientState::kHeld;
  std::vector<Fate> fates(arrival.recipients.size(), begin);
  for (const Event& event : mail.events) {
    if (const auto* const control = std::get_if<Control>(&event.what); control != nullptr) Follow(*control, &fates);
    if (const auto* const outcome = std::get_if<Outcome>(&event.what); outcome != nullptr) Follow(*outcome, &fates);
  }
  return fates;
}

void AddTime(base::WallTime time, json::object* out) {
  (*out)["time"] = JsonTime(time);
  (*out)["time_us"] = time.time_since_epoch().count();
}

void AddText(std::string_view name, std::string_view text, json::object* out) {
  if (!text.empty()) (*out)[name] = JsonText(text);
}

json::object ToJson(const Outcome::Recipient& recipient, const Arrival* arrival, base::WallTime at) {
  json::object out;
  const bool is_known = arrival != nullptr && recipient.recipient < arrival->recipients.size();
  out["address"] = is_known ? JsonText(arrival->recipients[recipient.recipient].address)
                            : JsonText("recipient " + std::to_string(recipient.recipient + 1));
  out["state"] = ToText(recipient.state);
  AddText("relay", recipient.relay, &out);
  AddText("tls", recipient.cipher, &out);
  AddText("answer", recipient.answer, &out);
  if (recipient.told) out["sender_told"] = true;
  if (recipient.state == RecipientState::kWaiting) {
    out["next_attempt"] = JsonTime(recipient.next_attempt);
    const auto wait = std::chrono::duration_cast<std::chrono::seconds>(recipient.next_attempt - at);
    out["next_in_seconds"] = wait.count();
  }
  return out;
}

json::object ToJson(const Event& event, const Arrival* arrival) {
  json::object out;
  AddTime(event.time, &out);
  if (const auto* const control = std::get_if<Control>(&event.what); control != nullptr) {
    out["event"] = NameOf(control->operation);
    if (control->operation == Operation::kReclass) out["class"] = ToString(control->cls);
    return out;
  }
  const auto& outcome = std::get<Outcome>(event.what);
  out["event"] = "attempt";
  json::array recipients;
  for (const Outcome::Recipient& recipient : outcome.recipients) {
    recipients.push_back(ToJson(recipient, arrival, event.time));
  }
  out["recipients"] = std::move(recipients);
  if (outcome.notice != replog::Index(0)) {
    out["notice"] = JsonText(queue::QueueId{event.partition, outcome.notice}.ToString());
  }
  return out;
}

// Of a recipient that the queue still has.
void AddWait(const queue::RecipientStatus& recipient, const queue::MailQueue& mail_queue, base::WallTime now,
             json::object* out) {
  (*out)["now"] = ToText(recipient.state);
  AddText("destination", recipient.destination, out);
  AddText("answer", recipient.last_answer, out);
  if (recipient.state != RecipientState::kWaiting) return;
  (*out)["next_attempt"] = JsonTime(recipient.next_attempt);
  const auto wait = std::chrono::duration_cast<std::chrono::seconds>(recipient.next_attempt - now);
  (*out)["next_in_seconds"] = std::max<std::int64_t>(wait.count(), 0);
  const auto destination = mail_queue.Destination(recipient.destination);
  if (!destination.has_value() || !IsPaused(*destination, now)) return;
  const auto pause = std::chrono::duration_cast<std::chrono::seconds>(*destination->paused_until - now);
  (*out)["paused_seconds"] = pause.count();
  AddText("pause_reason", destination->reason, out);
}

json::object ToJson(const Arrival::Recipient& recipient, const Fate& fate) {
  json::object out;
  out["address"] = JsonText(recipient.address);
  AddText("original", recipient.original, &out);
  out["attempts"] = fate.attempts;
  AddText("answer", fate.answer, &out);
  if (fate.removed) {
    out["now"] = "removed";
  } else {
    // It is not in the queue: its end was lost, or it was not kept.
    out["now"] = queue::IsOver(fate.state) ? ToText(fate.state) : std::string_view("unknown");
  }
  return out;
}

void AddArrival(const Event& event, const Arrival& arrival, json::object* out) {
  AddTime(event.time, out);
  (*out)["mail_id"] = JsonText(arrival.mail_id);
  (*out)["path"] = arrival.queued ? "queue" : "direct";
  (*out)["class"] = ToString(arrival.cls);
  (*out)["bytes"] = arrival.size_bytes;
  (*out)["sender"] = JsonText(arrival.sender);
  AddText("client_ip", arrival.client_ip, out);
  AddText("helo", arrival.helo, out);
  AddText("account", arrival.auth_account, out);
  AddText("protocol", arrival.protocol, out);
  if (arrival.about != replog::Index(0)) {
    (*out)["notice_about"] = JsonText(queue::QueueId{event.partition, arrival.about}.ToString());
  }
}

json::array Recipients(const TracedMail& mail, const std::optional<queue::QueuedMail>& queued,
                       const queue::MailQueue& mail_queue, base::WallTime now) {
  json::array out;
  const Arrival* const arrival = mail.arrival.has_value() ? mail.arrival->arrival() : nullptr;
  const std::vector<Fate> fates = arrival == nullptr ? std::vector<Fate>() : FatesOf(mail, *arrival);
  const std::size_t count = arrival != nullptr ? fates.size() : queued.has_value() ? queued->recipients.size() : 0;
  for (std::size_t i = 0; i < count; ++i) {
    json::object row;
    if (arrival != nullptr) {
      row = ToJson(arrival->recipients[i], fates[i]);
    } else {
      row["address"] = JsonText(queued->recipients[i].address);
      row["attempts"] = queued->recipients[i].attempts;
    }
    if (queued.has_value() && i < queued->recipients.size()) AddWait(queued->recipients[i], mail_queue, now, &row);
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

json::object ToJson(const TracedMail& mail, const queue::MailQueue& mail_queue, base::WallTime now) {
  json::object out;
  const Event& first = mail.arrival.has_value() ? *mail.arrival : mail.events.front();
  const Arrival* const arrival = first.arrival();
  const std::optional<queue::QueueId> id = first.QueueIdOf();
  const std::optional<queue::QueuedMail> queued = id.has_value() ? mail_queue.Show(*id) : std::nullopt;
  if (id.has_value()) out["queue_id"] = JsonText(id->ToString());
  if (arrival != nullptr) AddArrival(first, *arrival, &out);
  out["recipients"] = Recipients(mail, queued, mail_queue, now);
  json::array events;
  for (const Event& event : mail.events) events.push_back(ToJson(event, arrival));
  out["events"] = std::move(events);
  if (mail.has_more_events) out["more_events"] = true;
  return out;
}

}  // namespace admin
