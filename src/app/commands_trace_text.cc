#include "app/commands_trace_text.h"

#include <chrono>
#include <ctime>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;

namespace {

std::string LocalTime(const json::object& event) {
  const auto seconds = static_cast<std::time_t>(NumberOf(event, "time_us") / 1'000'000);
  std::tm local{};
  char text[32];
  if (::localtime_r(&seconds, &local) == nullptr) return TextOf(event, "time");
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return {text, size};
}

std::string Seconds(std::uint64_t seconds) {
  return ReadableDuration(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

std::string Line(const json::object& event, const std::string& text) {
  return fmt::format("  {}  {}\n", LocalTime(event), Printable(text));
}

std::string AcceptedText(const json::object& mail) {
  std::string text = "accepted";
  const std::string client = TextOf(mail, "client_ip");
  if (!client.empty()) text += fmt::format(" from {} ({})", client, TextOf(mail, "helo"));
  if (const std::string protocol = TextOf(mail, "protocol"); !protocol.empty()) text += " with " + protocol;
  if (const std::string account = TextOf(mail, "account"); !account.empty()) text += ", logged in as " + account;
  if (const std::string about = TextOf(mail, "notice_about"); !about.empty()) text = "written: a notice about " + about;
  text += fmt::format("; class {}, {}", TextOf(mail, "class"), ReadableBytes(NumberOf(mail, "bytes")));
  return text + (TextOf(mail, "path") == "direct" ? ", delivered at once" : ", queued");
}

std::string AttemptText(const json::object& recipient) {
  const std::string state = TextOf(recipient, "state");
  const std::string relay = TextOf(recipient, "relay");
  const std::string tls = TextOf(recipient, "tls");
  std::string text = fmt::format("{}: {}", TextOf(recipient, "address"), state == "waiting" ? "deferred" : state);
  if (!relay.empty()) text += (state == "delivered" ? " to " : " at ") + relay;
  if (!tls.empty()) text += fmt::format(" ({})", tls);
  if (const std::string answer = TextOf(recipient, "answer"); !answer.empty()) text += ": " + answer;
  if (state == "waiting") text += fmt::format("; next attempt in {}", Seconds(NumberOf(recipient, "next_in_seconds")));
  if (FlagOf(recipient, "sender_told")) text += "; its sender is told";
  return text;
}

std::string EventLines(const json::object& event) {
  const std::string what = TextOf(event, "event");
  if (what != "attempt") {
    const std::string cls = TextOf(event, "class");
    return Line(event, "operator: " + what + (cls.empty() ? "" : " to class " + cls));
  }
  std::string lines;
  for (const json::object& recipient : RowsOf(event, "recipients")) lines += Line(event, AttemptText(recipient));
  if (const std::string notice = TextOf(event, "notice"); !notice.empty()) {
    lines += Line(event, "notice " + notice + " queued");
  }
  return lines;
}

std::string WaitText(const json::object& recipient) {
  const std::uint64_t due = NumberOf(recipient, "next_in_seconds");
  std::string text = due == 0 ? "waits, due now" : fmt::format("waits, next attempt in {}", Seconds(due));
  const std::string destination = TextOf(recipient, "destination");
  if (!destination.empty()) text += " for " + destination;
  if (recipient.contains("paused_seconds")) {
    return text + fmt::format("; that is paused for {}: {}", Seconds(NumberOf(recipient, "paused_seconds")),
                              TextOf(recipient, "pause_reason"));
  }
  const std::string answer = TextOf(recipient, "answer");
  return answer.empty() ? text : text + ", because: " + answer;
}

std::string NowText(const json::object& recipient, bool is_direct) {
  const std::string now = TextOf(recipient, "now");
  const std::string answer = TextOf(recipient, "answer");
  const std::string because = answer.empty() ? "" : ": " + answer;
  if (now == "delivered") return is_direct ? "in the mailbox INBOX" : "delivered" + because;
  if (now == "waiting") return WaitText(recipient);
  if (now == "claimed") return "is being delivered now";
  if (now == "held") return "held, until an operator releases or removes it" + because;
  if (now == "bounced") return "bounced" + because;
  if (now == "removed") return "removed by an operator";
  return "not in the queue any more; how it ended is not in the history";
}

}  // namespace

std::string TracedMailText(const json::object& mail) {
  const std::string mail_id = TextOf(mail, "mail_id");
  const std::string queue_id = TextOf(mail, "queue_id");
  std::string text = fmt::format("{}{}{}{}", mail_id.empty() ? "mail" : mail_id, queue_id.empty() ? "" : " (queue id ",
                                 queue_id, queue_id.empty() ? "" : ")");
  const bool is_known = mail.contains("sender");
  if (is_known) text += fmt::format("  from <{}>", Printable(TextOf(mail, "sender")));
  text += "\n";
  text += is_known ? Line(mail, AcceptedText(mail)) : std::string("  it was accepted before what the history has\n");
  for (const json::object& event : RowsOf(mail, "events")) text += EventLines(event);
  if (FlagOf(mail, "more_events")) text += "  (and more)\n";
  for (const json::object& recipient : RowsOf(mail, "recipients")) {
    const std::string original = TextOf(recipient, "original");
    const std::string address = TextOf(recipient, "address");
    const std::string for_whom =
        original.empty() ? "" : fmt::format(" (for {})", original.substr(original.find(';') + 1));
    text += fmt::format("  now: {}{}: {}\n", Printable(address), Printable(for_whom),
                        Printable(NowText(recipient, TextOf(mail, "path") == "direct")));
  }
  return text;
}

}  // namespace app
