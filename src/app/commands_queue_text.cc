#include "app/commands_queue_text.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string_view>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/commands_pages.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;

namespace {

constexpr std::size_t kKeyColumnsMax = 32;
constexpr std::string_view kCut = "\xe2\x80\xa6";  // U+2026, an ellipsis.

std::string Seconds(std::uint64_t seconds) {
  return ReadableDuration(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

std::string AgeOf(const json::object& mail) {
  return Seconds(NumberOf(mail, "age_seconds"));
}

std::string SenderOf(const json::object& mail) {
  return "<" + TextOf(mail, "sender") + ">";
}

// "in 12 min", or "now"; empty when no attempt is planned. A past one is read as 0.
std::string DueOf(const json::object& object) {
  if (!object.contains("due_in_seconds")) return "";
  const std::uint64_t seconds = NumberOf(object, "due_in_seconds");
  return seconds == 0 ? "now" : "in " + Seconds(seconds);
}

std::string Cut(std::string_view text, std::size_t columns) {
  std::size_t seen = 0;
  std::size_t fits = 0;  // Where the text is cut if it is too long: room is left for the ellipsis.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) == 0x80) continue;
    seen += 1;
    if (seen == columns) fits = i;
    if (seen > columns) return std::string(text.substr(0, fits)) + std::string(kCut);
  }
  return std::string(text);
}

// "tried 3 times, again in 12 min: 450 4.2.0 later"
std::string FateOf(const json::object& recipient) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  const std::uint64_t attempts = NumberOf(recipient, "attempts");
  if (attempts > 0) add(fmt::format("tried {}", attempts == 1 ? "once" : fmt::format("{} times", attempts)));
  if (const std::string due = DueOf(recipient); !due.empty()) add((attempts > 0 ? "again " : "due ") + due);
  const std::string answer = TextOf(recipient, "last_answer");
  if (!answer.empty()) text += (text.empty() ? "" : ": ") + answer;
  return text;
}

// "3 waiting, 1 held": the states that some recipient is in.
std::string StatesOf(const json::object& mail) {
  std::string out;
  for (const std::string_view state : {"waiting", "claimed", "held", "delivered", "bounced"}) {
    const std::uint64_t count = NumberOf(mail, state);
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, state);
  }
  return out;
}

std::vector<std::string> TallyRow(const std::string& key, const json::object& group) {
  std::vector<std::string> cells{Cut(key, kKeyColumnsMax), std::to_string(NumberOf(group, "mails"))};
  const json::value* const ages = group.if_contains("mails_by_age");
  if (ages != nullptr && ages->is_array()) {
    for (const json::value& count : ages->get_array()) {
      const auto number = count.is_number() ? count.to_number<std::uint64_t>() : 0;
      cells.push_back(number == 0 ? "." : std::to_string(number));
    }
  }
  cells.push_back(Seconds(NumberOf(group, "oldest_seconds")));
  const bool is_held = NumberOf(group, "waiting") + NumberOf(group, "claimed") == 0;
  std::string due = DueOf(group);
  if (due.empty()) due = is_held ? "held" : "claimed";
  const bool is_paused = group.contains("paused_seconds");
  if (is_paused) due = "paused " + Seconds(NumberOf(group, "paused_seconds"));
  cells.push_back(std::move(due));
  cells.push_back(TextOf(group, is_paused ? "pause_reason" : "last_answer"));
  return cells;
}

}  // namespace

std::size_t TerminalColumns(const std::ostream& out) {
  winsize size{};
  if (&out != &std::cout || ::isatty(STDOUT_FILENO) == 0) return 0;
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string CutLines(const std::string& text, std::size_t columns) {
  if (columns == 0) return text;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += Cut(std::string_view(text).substr(at, end - at), columns) + "\n";
    at = end + 1;
  }
  return out;
}

std::string QueueListHead() {
  return fmt::format("{:<13} {:>7} {:>10}  {:<8}  {}\n", "ID", "AGE", "SIZE", "CLASS", "SENDER");
}

std::string QueueListLines(const json::object& mail) {
  std::string lines =
      fmt::format("{:<13} {:>7} {:>10}  {:<8}  {}\n", TextOf(mail, "id"), AgeOf(mail),
                  ReadableBytes(NumberOf(mail, "bytes")), TextOf(mail, "class"), Printable(SenderOf(mail)));
  const auto recipients = RowsOf(mail, "first_recipients");
  for (const json::object& recipient : recipients) {
    const std::string fate = FateOf(recipient);
    lines += fmt::format("    {:<9} {}{}{}\n", TextOf(recipient, "state"), Printable(TextOf(recipient, "address")),
                         fate.empty() ? "" : "  ", Printable(fate));
  }
  const std::uint64_t count = NumberOf(mail, "recipients");
  if (count > recipients.size()) {
    lines += fmt::format("    of {} recipients: {}\n", count, StatesOf(mail));
  }
  return lines;
}

std::string QueueTallyText(const json::object& tally) {
  using Align = TextTable::Align;
  std::string by = TextOf(tally, "by");
  std::ranges::transform(by, by.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  std::vector<TextTable::Column> columns{{by}, {"MAILS", Align::kRight}};
  const json::value* const ages = tally.if_contains("ages");
  if (ages != nullptr && ages->is_array()) {
    for (const json::value& name : ages->get_array()) {
      columns.push_back({name.is_string() ? std::string(name.get_string()) : "", Align::kRight});
    }
  }
  const std::size_t cells = columns.size() + 3;
  columns.insert(columns.end(), {{"OLDEST", Align::kRight}, {"NEXT"}, {"LAST ANSWER"}});
  TextTable table(std::move(columns));
  // A row of another width is of a node of another version.
  const auto add = [&table, cells](std::vector<std::string> row) {
    if (row.size() == cells) table.AddRow(std::move(row));
  };
  add(TallyRow("all", ObjectOf(tally, "total")));
  const auto groups = RowsOf(tally, "groups");
  for (const json::object& group : groups) {
    const std::string key = TextOf(group, "key");
    add(TallyRow(by == "SENDER" ? "<" + key + ">" : key, group));
  }
  if (tally.contains("rest")) add(TallyRow("(others)", ObjectOf(tally, "rest")));
  std::string text = table.ToString();
  const std::uint64_t count = NumberOf(tally, "group_count");
  if (count > groups.size()) text += fmt::format("and {} more; --limit shows them\n", count - groups.size());
  return text;
}

std::string QueuedMailText(const json::object& mail) {
  const std::pair<const char*, std::string> facts[] = {
      {"id", TextOf(mail, "id")},
      {"mail id", TextOf(mail, "mail_id")},
      {"class", TextOf(mail, "class")},
      {"sender", SenderOf(mail)},
      {"queued", TextOf(mail, "queued_at") + " (" + AgeOf(mail) + " ago)"},
      {"size", ReadableBytes(NumberOf(mail, "bytes"))},
      {"received", fmt::format("{} from {} ({}) with {}", TextOf(mail, "received_at"), TextOf(mail, "client_ip"),
                               TextOf(mail, "helo"), TextOf(mail, "protocol"))},
      {"account", TextOf(mail, "account")},
  };
  std::string text;
  for (const auto& [name, value] : facts) {
    if (!value.empty()) text += fmt::format("{:<10}{}\n", name, Printable(value));
  }
  TextTable table(
      {{"RECIPIENT"}, {"STATE"}, {"ATTEMPTS", TextTable::Align::kRight}, {"NEXT ATTEMPT"}, {"LAST ANSWER"}});
  for (const json::object& recipient : RowsOf(mail, "recipients")) {
    const std::string due = DueOf(recipient);
    table.AddRow({TextOf(recipient, "address"), TextOf(recipient, "state"),
                  std::to_string(NumberOf(recipient, "attempts")), due, TextOf(recipient, "last_answer")});
  }
  return text + "\n" + table.ToString();
}

}  // namespace app
