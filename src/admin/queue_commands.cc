#include "admin/queue_commands.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;
using queue::QueuedMail;
using queue::QueueId;
using queue::RecipientState;
using queue::RecipientStatus;

namespace {

constexpr std::size_t kIdBytesMax = 64;
constexpr std::uint32_t kPageDefault = 50;
constexpr std::uint32_t kPageMax = 200;  // Each mail is copied with all its recipients on the way.

Result<QueueId> ParseId(const std::string& text) {
  const std::optional<QueueId> id = QueueId::Parse(text);
  if (!id) {
    return Error(Errc::kInvalid,
                 fmt::format("\"{}\" is no queue id; `posthorn queue list` shows the ids in its first column", text));
  }
  return *id;
}

Error NoMail(QueueId id) {
  return Error(Errc::kNotFound,
               fmt::format("there is no mail {} in the queue; it may have been delivered meanwhile", id.ToString()));
}

std::string_view ToText(RecipientState state) {
  switch (state) {
    case RecipientState::kWaiting:
      return "waiting";
    case RecipientState::kClaimed:
      return "claimed";
    case RecipientState::kDelivered:
      return "delivered";
    case RecipientState::kHeld:
      return "held";
    case RecipientState::kBounced:
      return "bounced";
  }
  return "unknown";
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

json::object ToJson(const RecipientStatus& recipient) {
  json::object out;
  out["address"] = JsonText(recipient.address);
  out["state"] = ToText(recipient.state);
  out["attempts"] = recipient.attempts;
  if (recipient.state == RecipientState::kWaiting) out["next_attempt"] = JsonTime(recipient.next_attempt);
  out["last_answer"] = JsonText(recipient.last_answer);
  return out;
}

}  // namespace

void QueueCommands::AddTo(CommandTable* table) {
  table->Add("queue.list", {.effect = Effect::kReads,
                            .arguments = {"after", "limit"},
                            .handler = std::bind_front(&QueueCommands::List, this)});
  table->Add("queue.show",
             {.effect = Effect::kReads, .arguments = {"id"}, .handler = std::bind_front(&QueueCommands::Show, this)});
  const std::pair<std::string_view, Control> controls[] = {{"queue.hold", &queue::MailQueue::Hold},
                                                           {"queue.release", &queue::MailQueue::Release},
                                                           {"queue.requeue", &queue::MailQueue::Requeue},
                                                           {"queue.remove", &queue::MailQueue::Remove}};
  for (const auto& [name, control] : controls) {
    table->Add(name, {.effect = Effect::kChanges,
                      .arguments = {"id"},
                      .handler = std::bind_front(&QueueCommands::Change, this, control)});
  }
}

QueueCommands::Answer QueueCommands::List(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string after_text, arguments.OptionalText("after", kIdBytesMax));
  ASSIGN_OR_CO_RETURN(const std::uint32_t limit, arguments.Count("limit", kPageDefault, kPageMax));
  QueueId after{};
  if (!after_text.empty()) {
    ASSIGN_OR_CO_RETURN(after, ParseId(after_text));
  }
  const std::vector<QueuedMail> mails = queue_->List(after, limit);
  json::array rows;
  for (const QueuedMail& mail : mails) rows.push_back(QueuedMailSummary(mail, clock_->WallNow()));
  json::object answer;
  answer["mails"] = std::move(rows);
  if (mails.size() == limit) answer["next"] = JsonText(mails.back().id.ToString());
  co_return answer;
}

QueueCommands::Answer QueueCommands::Show(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string text, arguments.Text("id", kIdBytesMax));
  ASSIGN_OR_CO_RETURN(const QueueId id, ParseId(text));
  const std::optional<QueuedMail> mail = queue_->Show(id);
  if (!mail) co_return NoMail(id);
  co_return QueuedMailDetails(*mail, clock_->WallNow());
}

QueueCommands::Answer QueueCommands::Change(Control control, Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string text, arguments.Text("id", kIdBytesMax));
  ASSIGN_OR_CO_RETURN(const QueueId id, ParseId(text));
  auto changed = co_await (queue_->*control)(id);
  if (!changed && changed.error().code() == Errc::kNotFound) co_return NoMail(id);
  CO_RETURN_IF_ERROR(changed);
  json::object answer;
  answer["id"] = JsonText(id.ToString());
  co_return answer;
}

json::object QueuedMailSummary(const QueuedMail& mail, base::WallTime now) {
  json::object out;
  out["id"] = JsonText(mail.id.ToString());
  out["mail_id"] = JsonText(mail.envelope.id);
  out["class"] = ToString(mail.cls);
  out["queued_at"] = JsonTime(mail.queued_at);
  out["age_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(now - mail.queued_at).count();
  out["bytes"] = mail.size_bytes;
  out["sender"] = JsonText(mail.envelope.sender);
  out["recipients"] = mail.recipients.size();
  for (const auto state :
       {RecipientState::kWaiting, RecipientState::kClaimed, RecipientState::kDelivered, RecipientState::kHeld}) {
    out[ToText(state)] = CountOf(mail, state);
  }
  if (const RecipientStatus* const next = NextDue(mail)) {
    out["next_attempt"] = JsonTime(next->next_attempt);
  }
  const auto answered = std::ranges::find_if(mail.recipients, [](const RecipientStatus& r) {
    return r.state != RecipientState::kDelivered && !r.last_answer.empty();
  });
  if (answered != mail.recipients.end()) out["last_answer"] = JsonText(answered->last_answer);
  return out;
}

json::object QueuedMailDetails(const QueuedMail& mail, base::WallTime now) {
  json::object out = QueuedMailSummary(mail, now);
  out.erase("last_answer");  // Each recipient has its own below.
  out["received_at"] = JsonTime(mail.envelope.received);
  out["client_ip"] = JsonText(mail.envelope.client_ip);
  out["helo"] = JsonText(mail.envelope.helo);
  out["account"] = JsonText(mail.envelope.auth_account);
  out["protocol"] = JsonText(mail.envelope.protocol);
  json::array recipients;
  for (const RecipientStatus& recipient : mail.recipients) recipients.push_back(ToJson(recipient));
  out["recipients"] = std::move(recipients);
  return out;
}

}  // namespace admin
