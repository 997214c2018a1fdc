#include "admin/trace_command.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include <boost/json/array.hpp>

#include "admin/json_values.h"
#include "admin/mailbox_json.h"
#include "admin/trace_json.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kTextBytesMax = 320;
constexpr std::uint32_t kMailsDefault = 100;
constexpr std::uint32_t kMailsMax = 1'000;
// A mail may have a thousand recipients and as many attempts: an answer ends behind so many of both.
constexpr std::size_t kRowsMax = 50'000;
constexpr std::uint64_t kSecondsMax = 1ull << 40;

// "x.test" is "@x.test".
std::string AddressOrDomain(std::string text) {
  if (!text.empty() && text != "<>" && !text.contains('@')) text.insert(0, 1, '@');
  return text;
}

Result<std::optional<base::WallTime>> TimeIn(const Arguments& arguments, std::string_view name) {
  if (!arguments.members().contains(name)) return std::optional<base::WallTime>();
  ASSIGN_OR_RETURN(const std::uint64_t seconds, NumberIn(arguments.members(), name, kSecondsMax));
  return std::optional(base::WallTime(std::chrono::seconds(seconds)));
}

Result<history::Query> QueryOf(const Arguments& arguments) {
  history::Query query;
  ASSIGN_OR_RETURN(query.id, arguments.OptionalText("id", kTextBytesMax));
  ASSIGN_OR_RETURN(query.address, arguments.OptionalText("address", kTextBytesMax));
  ASSIGN_OR_RETURN(std::string from, arguments.OptionalText("from", kTextBytesMax));
  ASSIGN_OR_RETURN(std::string to, arguments.OptionalText("to", kTextBytesMax));
  query.from = AddressOrDomain(std::move(from));
  query.to = AddressOrDomain(std::move(to));
  ASSIGN_OR_RETURN(query.since, TimeIn(arguments, "since"));
  ASSIGN_OR_RETURN(query.until, TimeIn(arguments, "until"));
  ASSIGN_OR_RETURN(query.limit, arguments.Count("limit", kMailsDefault, kMailsMax));
  const bool says_nothing = query.id.empty() && query.address.empty() && query.from.empty() && query.to.empty() &&
                            !query.since.has_value() && !query.until.has_value();
  if (says_nothing) {
    return Error(Errc::kInvalid, "say which mails: an id, an address, --from, --to, --since or --until");
  }
  return query;
}

std::size_t RowsOf(const history::TracedMail& mail) {
  std::size_t rows = 1 + mail.events.size();
  if (mail.arrival.has_value()) rows += 2 * mail.arrival->arrival()->recipients.size();
  for (const history::Event& event : mail.events) {
    const auto* const outcome = std::get_if<history::Outcome>(&event.what);
    if (outcome != nullptr) rows += outcome->recipients.size();
  }
  return rows;
}

}  // namespace

void TraceCommand::AddTo(CommandTable* table) {
  table->Add("trace.find", {.effect = Effect::kReads,
                            .arguments = {"id", "address", "from", "to", "since", "until", "limit"},
                            .handler = std::bind_front(&TraceCommand::Find, this)});
}

async::Task<Result<json::object>> TraceCommand::Find(Arguments arguments) {
  if (history_ == nullptr || !history_->is_on()) {
    co_return Error(Errc::kUnsupported,
                    "no history is kept: set history.keep_days to more than 0 and restart the node");
  }
  ASSIGN_OR_CO_RETURN(history::Query query, QueryOf(arguments));
  ASSIGN_OR_CO_RETURN(const history::FoundMails found, co_await history_->Find(std::move(query)));
  json::array mails;
  std::size_t rows = 0;
  for (const history::TracedMail& mail : found.mails) {
    rows += RowsOf(mail);
    if (rows > kRowsMax && !mails.empty()) break;
    mails.push_back(ToJson(mail, *queue_, clock_->WallNow()));
  }
  json::object answer;
  answer["more"] = found.has_more || mails.size() < found.mails.size();
  answer["mails"] = std::move(mails);
  co_return answer;
}

}  // namespace admin
