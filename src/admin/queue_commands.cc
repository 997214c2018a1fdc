#include "admin/queue_commands.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "admin/mailbox_json.h"
#include "admin/queue_json.h"
#include "admin/queue_selection.h"
#include "admin/queue_tally.h"
#include "admin/queue_walk.h"
#include "base/base64.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;
using queue::QueuedMail;
using queue::QueueId;

namespace {

constexpr std::size_t kIdBytesMax = 64;
constexpr std::uint32_t kPageDefault = 50;
constexpr std::uint32_t kPageMax = 200;
constexpr std::uint32_t kGroupsDefault = 100;
constexpr std::uint32_t kGroupsMax = 10'000;
constexpr std::size_t kReadBytesMax = 256u << 10;

Result<QueueId> ParseId(const std::string& text) {
  const std::optional<QueueId> id = QueueId::Parse(text);
  if (!id) {
    return Error(Errc::kInvalid,
                 fmt::format("\"{}\" is no queue id; `posthorn queue list` shows the ids in its first column", text));
  }
  return *id;
}

std::vector<std::string_view> WithSelection(std::vector<std::string_view> names) {
  names.insert(names.end(), QueueSelection::kArguments.begin(), QueueSelection::kArguments.end());
  return names;
}

}  // namespace

Result<QueueId> QueueIdOf(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::string text, arguments.Text("id", kIdBytesMax));
  return ParseId(text);
}

Result<QueueId> PlaceIn(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::string text, arguments.OptionalText("after", kIdBytesMax));
  return text.empty() ? QueueId{} : ParseId(text);
}

Error NoSuchQueuedMail(QueueId id) {
  return Error(Errc::kNotFound,
               fmt::format("there is no mail {} in the queue; it may have been delivered meanwhile", id.ToString()));
}

void QueueCommands::AddTo(CommandTable* table) {
  table->Add("queue.list", {.effect = Effect::kReads,
                            .arguments = WithSelection({"after", "limit"}),
                            .handler = std::bind_front(&QueueCommands::List, this)});
  table->Add("queue.tally", {.effect = Effect::kReads,
                             .arguments = WithSelection({"by", "limit"}),
                             .handler = std::bind_front(&QueueCommands::Tally, this)});
  table->Add("queue.show",
             {.effect = Effect::kReads, .arguments = {"id"}, .handler = std::bind_front(&QueueCommands::Show, this)});
  table->Add(
      "queue.cat",
      {.effect = Effect::kReads, .arguments = {"id", "offset"}, .handler = std::bind_front(&QueueCommands::Cat, this)});
}

QueueCommands::Answer QueueCommands::List(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const QueueId after, PlaceIn(arguments));
  ASSIGN_OR_CO_RETURN(const std::uint32_t limit, arguments.Count("limit", kPageDefault, kPageMax));
  ASSIGN_OR_CO_RETURN(const QueueSelection selection, QueueSelection::Parse(arguments));
  const base::WallTime now = clock_->WallNow();
  QueueWalk walk(queue_, after);
  json::array rows;
  bool is_end = false;
  while (rows.size() < limit && walk.examined() < kExaminedMax && !is_end) {
    // No more than there is room for: what was looked at is not looked at again.
    const auto mails = co_await walk.Next(limit - rows.size());
    is_end = mails.empty();
    for (const QueuedMail& mail : mails) {
      if (selection.Matches(mail, now)) rows.push_back(QueuedMailSummary(mail, selection, now));
    }
  }
  json::object answer;
  answer["mails"] = std::move(rows);
  answer["examined"] = walk.examined();
  if (!is_end) answer["next"] = JsonText(walk.reached().ToString());
  co_return answer;
}

QueueCommands::Answer QueueCommands::Tally(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string by_text, arguments.OptionalText("by", kIdBytesMax));
  ASSIGN_OR_CO_RETURN(const std::uint32_t limit, arguments.Count("limit", kGroupsDefault, kGroupsMax));
  ASSIGN_OR_CO_RETURN(const QueueSelection selection, QueueSelection::Parse(arguments));
  const std::optional<TallyBy> by = by_text.empty() ? TallyBy::kDestination : ParseTallyBy(by_text);
  if (!by) co_return Error(Errc::kInvalid, "the queue is counted by destination, sender or class");
  QueueTally tally(*by, clock_->WallNow());
  QueueWalk walk(queue_, {});
  for (;;) {
    const auto mails = co_await walk.Next(kExaminedMax);
    if (mails.empty()) break;
    for (const QueuedMail& mail : mails) tally.Add(mail, selection);
  }
  co_return ToJson(tally, limit, *queue_);
}

QueueCommands::Answer QueueCommands::Show(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const QueueId id, QueueIdOf(arguments));
  const std::optional<QueuedMail> mail = queue_->Show(id);
  if (!mail) co_return NoSuchQueuedMail(id);
  co_return QueuedMailDetails(*mail, clock_->WallNow());
}

QueueCommands::Answer QueueCommands::Cat(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const QueueId id, QueueIdOf(arguments));
  ASSIGN_OR_CO_RETURN(const std::uint64_t offset, NumberIn(arguments.members(), "offset", INT64_MAX));
  const auto bytes = co_await queue_->ReadBody(id, offset, kReadBytesMax);
  if (!bytes && bytes.error().code() == Errc::kNotFound) co_return NoSuchQueuedMail(id);
  CO_RETURN_IF_ERROR(bytes);
  json::object answer;
  answer["base64"] = base::EncodeBase64(*bytes);
  co_return answer;
}

}  // namespace admin
