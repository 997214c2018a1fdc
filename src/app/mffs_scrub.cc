#include "app/mffs_scrub.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>
#include <thread>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_text.h"
#include "app/config.h"
#include "app/mffs_tools.h"
#include "app/progress_bar.h"
#include "base/clock.h"

namespace app {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{500};
constexpr std::chrono::seconds kBetweenLines{5};

Result<std::uint32_t> ParseRate(const std::string& text) {
  const auto bytes = ParseBytes(text);
  if (bytes.has_value() && *bytes > 0 && *bytes <= std::numeric_limits<std::uint32_t>::max()) {
    return static_cast<std::uint32_t>(*bytes);
  }
  return Error(Errc::kInvalid, fmt::format("--rate \"{}\" must be bytes a second up to 4GiB, such as 32MiB", text));
}

int ExitCodeOf(const json::object& status) {
  if (NumberOf(status, "lost_records") > 0) return kExitDamage;
  return NumberOf(status, "bad_sectors") > 0 ? kExitWarnings : kExitOk;
}

std::string StateLine(const json::object& status) {
  if (!FlagOf(status, "on")) return "not under way; begin one with `posthorn mffs scrub`";
  const std::uint64_t done = NumberOf(status, "pass_bytes_done");
  const std::uint64_t total = NumberOf(status, "pass_bytes_total");
  return fmt::format("{}, {} of {} read since {}, at most {}/s",
                     FlagOf(status, "requested") ? "by request" : "in the background", ReadableBytes(done),
                     ReadableBytes(total), TextOf(status, "pass_began").empty() ? "now" : TextOf(status, "pass_began"),
                     ReadableBytes(NumberOf(status, "bytes_per_second")));
}

void PrintFindings(const Invocation& invocation, const json::object& status) {
  const json::value* const findings = status.if_contains("findings");
  if (findings == nullptr || !findings->is_array()) return;
  for (const json::value& finding : findings->get_array()) {
    if (!finding.is_object()) continue;
    invocation.out() << TextOf(finding.get_object(), "severity") << ": "
                     << Printable(TextOf(finding.get_object(), "sentence")) << '\n';
  }
}

int PrintStatus(const Invocation& invocation, const json::object& status) {
  const int exit_code = ExitCodeOf(status);
  if (invocation.is_json()) {
    invocation.PrintJson(status);
    return exit_code;
  }
  PrintFindings(invocation, status);
  const std::string ended = TextOf(status, "last_pass_ended");
  invocation.out() << fmt::format(
      "scrub   {}\nlast    {}\nread    {} since the node started, {} passes ended\nresult  {}\n", StateLine(status),
      ended.empty() ? "no pass has ended yet" : "a whole pass ended at " + ended,
      ReadableBytes(NumberOf(status, "bytes_read")), NumberOf(status, "passes_ended"),
      exit_code == kExitOk
          ? "no bad sector"
          : fmt::format("{} BAD SECTORS, {} records lost: move the volume to a good disk (docs/cli.md, \"When a disk "
                        "fails\")",
                        NumberOf(status, "bad_sectors"), NumberOf(status, "lost_records")));
  return exit_code;
}

// Until the scrub by request has ended, or was stopped by somebody.
Result<json::object> Watch(const Invocation& invocation, admin::ControlClient* node) {
  const base::SystemClock clock;
  ProgressBar bar(invocation.terminal().err, StyleFor(invocation.terminal().err, invocation.is_json()), &clock,
                  kBetweenLines);
  for (;;) {
    ASSIGN_OR_RETURN(json::object status, node->Call("scrub.status", {}));
    if (!FlagOf(status, "requested")) return status;
    bar.Update("scrub", ProgressUnit::kBytes, NumberOf(status, "pass_bytes_done"),
               NumberOf(status, "pass_bytes_total"));
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace

int MffsScrub(const Invocation& invocation, const MffsScrubOptions& options) {
  const auto rate = ParseRate(options.rate);
  if (!rate) {
    invocation.Fail(rate.error());
    return kExitUsage;
  }
  auto node = invocation.ConnectToNode();
  if (!node) return invocation.Fail(node.error());
  const bool begins = !options.only_status && !options.only_stop && !options.only_watch;
  Result<json::object> status = json::object();
  if (begins) {
    status = node->Call("scrub.start", {{"rate", *rate}});
  } else {
    status = node->Call(options.only_stop ? "scrub.stop" : "scrub.status", {});
  }
  if (status.has_value() && (options.only_watch || (begins && !options.detach))) status = Watch(invocation, &*node);
  if (!status) return invocation.Fail(status.error());
  return PrintStatus(invocation, *status);
}

void AddMffsScrub(CLI::App* group, Invocation* invocation, MffsScrubOptions* options) {
  CLI::App* const scrub = group->add_subcommand(
      "scrub", "Let the running node read and verify every sector in use now, throttled; waits and shows progress");
  scrub->add_option("--rate", options->rate, "Bytes a second to read at most")
      ->type_name("SIZE")
      ->capture_default_str();
  CLI::Option* const status = scrub->add_flag("--status", options->only_status, "Only say how far it is");
  CLI::Option* const stop =
      scrub->add_flag("--stop", options->only_stop, "Stop a scrub by request; the background one goes on");
  CLI::Option* const watch = scrub->add_flag("--watch", options->only_watch, "Watch one that was begun before");
  CLI::Option* const detach = scrub->add_flag("--detach", options->detach, "Begin, and do not wait for the end");
  for (CLI::Option* const option : {stop, watch, detach}) status->excludes(option);
  stop->excludes(watch)->excludes(detach);
  watch->excludes(detach);
  scrub->footer(
      "Ctrl-C ends the watching, not the scrub.\n"
      "Exit codes: 0 no bad sector is known, 1 mail is lost, or it failed, 3 bad sectors without a mail, 75 no node.\n"
      "Examples:\n  posthorn mffs scrub --rate 100MiB\n  posthorn mffs scrub --status --json");
  invocation->SetAction(scrub, [invocation, options] { return MffsScrub(*invocation, *options); });
}

}  // namespace app
