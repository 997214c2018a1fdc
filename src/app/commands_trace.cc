#include "app/commands_trace.h"

#include <ctime>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_queue_criteria.h"
#include "app/commands_text.h"
#include "app/commands_trace_text.h"

namespace app {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kLimitMax = 1'000;

std::int64_t SecondsOf(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

base::Result<base::WallTime> ParseMoment(const std::string& text, base::WallTime now) {
  if (const auto ago = ParseDuration(text); ago.has_value()) return now - *ago;
  for (const char* const format :
       {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm local{};
    const char* const end = ::strptime(text.c_str(), format, &local);
    if (end == nullptr || *end != '\0') continue;
    local.tm_isdst = -1;  // The library finds out.
    const std::time_t seconds = std::mktime(&local);
    if (seconds >= 0) return base::WallTime(std::chrono::seconds(seconds));
  }
  return base::Error(base::Errc::kInvalid, fmt::format("\"{}\" is no time; give a duration as 90s, 5m, 2h or 3d, or a "
                                                       "day as 2026-11-20, or a time as 2026-11-20T08:30",
                                                       Printable(text)));
}

TraceSubcommand::TraceSubcommand(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const trace =
      root->add_subcommand("trace", "What became of a mail: accepted, each attempt, where it is now");
  trace
      ->add_option(
          "WHAT", what_,
          "The mail's id (of its Received field, the log, or `queue list`), or an address: its sender or a recipient")
      ->type_name("");
  trace->add_option("--from", from_, "Its envelope sender; x.test or @x.test is a whole domain, <> the empty sender")
      ->type_name("ADDRESS");
  trace->add_option("--to", to_, "A recipient; x.test or @x.test is a whole domain")->type_name("ADDRESS");
  trace->add_option("--since", since_, "Accepted since then: 2h (ago), 3d, 2026-11-20, 2026-11-20T08:30 (local time)")
      ->type_name("TIME");
  trace->add_option("--until", until_, "Accepted before then")->type_name("TIME");
  trace->add_option("--limit", limit_, "At most so many mails, the newest (default: 100)")
      ->type_name("COUNT")
      ->check(CLI::Range(std::uint32_t{1}, kLimitMax));
  trace->footer(
      "All that is given must hold. The newest mail comes first.\n"
      "Examples:\n"
      "  posthorn trace 4f2a9c01d3e8b765\n"
      "  posthorn trace alice@example.test --since 2h\n"
      "  posthorn trace --from @news.test --to bob@example.test --since 2026-11-20\n"
      "  posthorn trace 80000001-2a --json");
  invocation_->SetAction(trace, [this] { return Trace(); });
}

base::Result<json::object> TraceSubcommand::Arguments() const {
  json::object arguments;
  if (!what_.empty()) arguments[what_.contains('@') ? "address" : "id"] = what_;
  if (!from_.empty()) arguments["from"] = from_;
  if (!to_.empty()) arguments["to"] = to_;
  const base::WallTime now = base::SystemClock().WallNow();
  if (!since_.empty()) {
    ASSIGN_OR_RETURN(const base::WallTime since, ParseMoment(since_, now));
    arguments["since"] = SecondsOf(since);
  }
  if (!until_.empty()) {
    ASSIGN_OR_RETURN(const base::WallTime until, ParseMoment(until_, now));
    arguments["until"] = SecondsOf(until);
  }
  arguments["limit"] = limit_;
  return arguments;
}

int TraceSubcommand::Trace() {
  auto arguments = Arguments();
  if (!arguments) return invocation_->Fail(arguments.error());
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  const auto answer = node->Call("trace.find", *std::move(arguments));
  if (!answer) return invocation_->Fail(answer.error());
  Print(*answer);
  return kExitOk;
}

void TraceSubcommand::Print(const json::object& answer) const {
  std::size_t count = 0;
  const json::value* const mails = answer.if_contains("mails");
  if (mails != nullptr && mails->is_array()) {
    for (const json::value& mail : mails->get_array()) {
      if (!mail.is_object()) continue;
      count += 1;
      if (invocation_->is_json()) {
        invocation_->PrintJson(mail.get_object());
      } else {
        invocation_->out() << (count > 1 ? "\n" : "") << TracedMailText(mail.get_object());
      }
    }
  }
  const bool has_more = FlagOf(answer, "more");
  std::ostream& notes = invocation_->is_json() ? *invocation_->terminal().err : invocation_->out();
  if (count == 0 && !invocation_->is_json()) {
    notes << "the history has no such mail: it may be older than history.keep_days, or was never accepted\n";
  }
  if (has_more) {
    notes << fmt::format("\nthese are the newest {}, and there are more: give --limit, --until or a closer question\n",
                         count);
  }
}

}  // namespace app
