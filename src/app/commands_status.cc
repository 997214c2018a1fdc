#include "app/commands_status.h"

#include <chrono>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;

namespace {

std::string VolumeLine(const json::object& volume) {
  const std::uint64_t capacity = NumberOf(volume, "capacity_bytes");
  const std::uint64_t live = NumberOf(volume, "live_bytes");
  const double percent = capacity == 0 ? 0 : 100.0 * static_cast<double>(live) / static_cast<double>(capacity);
  std::string line =
      fmt::format("{} of {} used ({:.1f} %), {} of {} segments free", ReadableBytes(live), ReadableBytes(capacity),
                  percent, NumberOf(volume, "free_segments"), NumberOf(volume, "segments"));
  if (TextOf(volume, "space_level") == "parked_refused") line += "; SUSPECT MAIL IS REFUSED";
  if (TextOf(volume, "space_level") == "new_refused") line += "; NEW MAIL IS REFUSED: remove mail";
  if (FlagOf(volume, "read_only")) line += "; READ-ONLY: " + TextOf(volume, "read_only_reason");
  return line;
}

std::string WrittenLine(const json::object& volume) {
  return fmt::format("{} records in {} writes, {} in all, {} segments cleaned, {} damaged blocks found",
                     NumberOf(volume, "records"), NumberOf(volume, "commits"),
                     ReadableBytes(NumberOf(volume, "bytes_written")), NumberOf(volume, "segments_cleaned"),
                     NumberOf(volume, "corrupt_blocks"));
}

std::string RecoveryLine(const json::object& recovery) {
  std::string line = fmt::format("took {} ms, {} records in {} blocks", NumberOf(recovery, "took_milliseconds"),
                                 NumberOf(recovery, "records_found"), NumberOf(recovery, "blocks_scanned"));
  if (FlagOf(recovery, "torn_tail"))
    line += "; the last unacknowledged write was incomplete (normal after a power cut)";
  if (FlagOf(recovery, "ambiguous_tail")) line += "; THE LAST BLOCK IS DAMAGED";
  return line;
}

std::string LogLine(const json::object& log) {
  std::string line =
      fmt::format("{} entries committed, {} pending, {} snapshots written", NumberOf(log, "entries_committed"),
                  NumberOf(log, "proposals_pending"), NumberOf(log, "snapshots_written"));
  const std::uint64_t damaged = NumberOf(log, "damaged_entries");
  if (damaged > 0) line += fmt::format("; {} DAMAGED ENTRIES LEFT OUT: see the log's log_entries_damaged", damaged);
  return line;
}

std::string SessionsLine(const json::object& sessions) {
  std::string line;
  for (const auto& session : sessions) {
    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", std::string_view(session.key()),
                        NumberOf(sessions, session.key()));
  }
  return line.empty() ? "none" : line;
}

void PrintCorruptions(const Invocation& invocation, const json::object& recovery) {
  const std::uint64_t count = NumberOf(recovery, "corruption_count");
  if (count == 0) return;
  invocation.out() << fmt::format("\n{} places of acknowledged mail are damaged:\n", count);
  const json::value* const corruptions = recovery.if_contains("corruptions");
  if (corruptions == nullptr || !corruptions->is_array()) return;
  for (const json::value& sentence : corruptions->get_array()) {
    if (sentence.is_string()) invocation.out() << "  " << Printable(sentence.get_string()) << '\n';
  }
}

void PrintStatus(const Invocation& invocation, const json::object& status) {
  const json::object volume = ObjectOf(status, "volume");
  const json::object log = ObjectOf(status, "log");
  const json::object queue = ObjectOf(status, "queue");
  const auto uptime = std::chrono::seconds(static_cast<std::int64_t>(NumberOf(status, "uptime_seconds")));
  const std::pair<const char*, std::string> lines[] = {
      {"node", fmt::format("{}, version {}, up for {}", TextOf(status, "hostname"), TextOf(status, "version"),
                           ReadableDuration(uptime))},
      {"sessions", SessionsLine(ObjectOf(status, "sessions"))},
      {"volume", VolumeLine(volume)},
      {"written", WrittenLine(volume)},
      {"recovery", RecoveryLine(ObjectOf(status, "recovery"))},
      {"log", LogLine(log)},
      {"queue", fmt::format("{} mails ({}); recipients: {} waiting, {} claimed, {} held", NumberOf(queue, "mails"),
                            ReadableBytes(NumberOf(queue, "bytes")), NumberOf(queue, "recipients_waiting"),
                            NumberOf(queue, "recipients_claimed"), NumberOf(queue, "recipients_held"))},
  };
  for (const auto& [name, value] : lines) invocation.out() << fmt::format("{:<10}{}\n", name, Printable(value));
  PrintCorruptions(invocation, ObjectOf(status, "recovery"));
}

int Status(const Invocation& invocation) {
  auto node = invocation.ConnectToNode();
  if (!node) return invocation.Fail(node.error());
  const auto status = node->Call("status", {});
  if (!status) return invocation.Fail(status.error());
  if (invocation.is_json()) return invocation.PrintJson(*status);
  PrintStatus(invocation, *status);
  return kExitOk;
}

}  // namespace

void AddStatusSubcommand(CLI::App* root, Invocation* invocation) {
  CLI::App* const status =
      root->add_subcommand("status", "Show how a running node does: space, sessions, queue, recovery");
  status->footer(
      "Examples:\n  posthorn status\n  posthorn status --json\n"
      "Exit code 75: the node is not running.");
  invocation->SetAction(status, [invocation] { return Status(*invocation); });
}

}  // namespace app
