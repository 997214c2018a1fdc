#include "admin/queue_html.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "admin/http_message.h"
#include "admin/readable.h"

namespace admin {

namespace json = boost::json;

namespace {

constexpr std::size_t kBarSteps = 10;  // The heights that queue_page.css has.

// Members of the data, which is made here: none is missing where it is asked for.
std::string Text(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value == nullptr ? std::string() : EscapeHtml(value->as_string());
}
std::int64_t Number(const json::object& object, std::string_view name) {
  return object.at(name).to_number<std::int64_t>();
}

// What others wrote has its own direction: right-to-left marks in it do not turn what stands around it.
std::string Foreign(const std::string& escaped) {
  return escaped.empty() ? "" : "<bdi>" + escaped + "</bdi>";
}

std::string Duration(std::int64_t seconds) {
  return ReadableDuration(std::chrono::seconds(seconds));
}

// "in 12 min", "now" or nothing.
std::string Due(const json::object& object) {
  if (!object.contains("due_in_seconds")) return "";
  const std::int64_t seconds = Number(object, "due_in_seconds");
  return seconds <= 0 ? "now" : "in " + Duration(seconds);
}

std::string Fact(std::string_view name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

std::string StateChip(const std::string& state) {
  return fmt::format(R"(<span class="chip {0}">{0}</span>)", state);
}

std::string Summary(const json::object& data) {
  const json::object& status = data.at("status").as_object();
  const auto count = [&status](std::string_view name) { return fmt::format("{}", Number(status, name)); };
  return fmt::format(R"(<dl id="summary" class="facts">{}{}{}{}{}</dl>)", Fact("mails", count("mails")),
                     Fact("size", ReadableBytes(static_cast<std::uint64_t>(Number(status, "bytes")))),
                     Fact("recipients waiting", count("recipients_waiting")),
                     Fact("with a courier", count("recipients_claimed")), Fact("held", count("recipients_held")));
}

// A bar for each age, as high as its part of the highest, and the number below.
std::string Histogram(const json::array& counts, const json::array& names) {
  std::uint64_t most = 1;
  for (const json::value& count : counts) most = std::max(most, count.to_number<std::uint64_t>());
  std::string bars;
  for (std::size_t i = 0; i < counts.size() && i < names.size(); ++i) {
    const auto count = counts[i].to_number<std::uint64_t>();
    const std::uint64_t step = (count * kBarSteps + most - 1) / most;
    bars += fmt::format(R"(<li class="h{}" data-age="{}"><i></i><b>{}</b></li>)", step,
                        EscapeHtml(names[i].as_string()), count);
  }
  return fmt::format(R"(<ol class="ages">{}</ol>)", bars);
}

std::string GroupName(const json::object& group, const QueueView& view) {
  const json::value& key = group.at("key");
  const std::string shown =
      view.by == TallyBy::kSender ? "&lt;" + EscapeHtml(key.as_string()) + "&gt;" : EscapeHtml(key.as_string());
  const std::string value = key.as_string().empty() ? "<>" : std::string(key.as_string());
  return fmt::format(R"(<a href="{}">{}</a>)", EscapeHtml(view.Link(ToText(view.by), value)), Foreign(shown));
}

std::string GroupRow(const std::string& name, const json::object& group, const json::array& ages) {
  std::string due = Due(group);
  if (group.contains("paused_seconds")) {
    due = fmt::format(R"({} {})", StateChip("paused"), Duration(Number(group, "paused_seconds")));
  } else if (due.empty()) {
    due = StateChip(Number(group, "claimed") > 0 ? "claimed" : "held");
  }
  const std::string answer = Text(group, group.contains("pause_reason") ? "pause_reason" : "last_answer");
  const std::string oldest = group.contains("oldest_seconds") ? Duration(Number(group, "oldest_seconds")) : "";
  return fmt::format(
      R"(<tr><th scope="row">{}</th><td class="number" data-name="mails">{}</td><td class="histogram">{}</td>)"
      R"(<td class="number" data-name="oldest">{}</td><td data-name="next">{}</td><td class="answer">{}</td></tr>)",
      name, Number(group, "mails"), Histogram(group.at("mails_by_age").as_array(), ages), oldest, due, Foreign(answer));
}

std::string AgeNames(const json::array& names) {
  std::string items;
  for (const json::value& name : names) items += fmt::format("<li>{}</li>", EscapeHtml(name.as_string()));
  return fmt::format(R"(<ol class="ages names">{}</ol>)", items);
}

std::string Tally(const json::object& data, const QueueView& view) {
  const json::object& tally = data.at("tally").as_object();
  const json::array& ages = tally.at("ages").as_array();
  const json::array& groups = tally.at("groups").as_array();
  if (groups.empty()) return R"(<div id="tally"><p class="note">No mail waits.</p></div>)";
  std::string rows;
  for (const json::value& group : groups) {
    rows += GroupRow(GroupName(group.as_object(), view), group.as_object(), ages);
  }
  if (tally.contains("rest")) rows += GroupRow("all others", tally.at("rest").as_object(), ages);
  std::string notes;
  const std::int64_t more = Number(tally, "group_count") - static_cast<std::int64_t>(groups.size());
  if (more > 0) notes += fmt::format(R"(<p class="note">and {} more, with fewer mails each</p>)", more);
  const std::int64_t age = Number(data, "tally_age_seconds");
  if (age >= 5) notes += fmt::format(R"(<p class="note">counted {} ago</p>)", Duration(age));
  return fmt::format(
      R"(<div id="tally"><table class="tally"><thead><tr><th scope="col">{}</th><th scope="col" class="number">Mails</th>)"
      R"(<th scope="col" class="histogram"><span class="hidden">Mails by age, up to</span>{}</th>)"
      R"(<th scope="col" class="number">Oldest</th><th scope="col">Next attempt</th><th scope="col">Last answer</th></tr>)"
      R"(</thead><tbody>{}</tbody></table>{}</div>)",
      Text(tally, "by"), AgeNames(ages), rows, notes);
}

std::string Tabs(const QueueView& view) {
  std::string tabs;
  for (const TallyBy by : {TallyBy::kDestination, TallyBy::kSender, TallyBy::kClass}) {
    QueueView other = view;
    other.by = by;
    const std::string link = other.Link("after", "");
    tabs += fmt::format(R"(<a href="{}"{}>{}</a>)", EscapeHtml(link), by == view.by ? R"( aria-current="page")" : "",
                        ToText(by));
  }
  return fmt::format(R"(<nav class="tabs" aria-label="Count by">{}</nav>)", tabs);
}

std::string Fate(const json::object& recipient) {
  std::string text;
  const std::int64_t attempts = Number(recipient, "attempts");
  if (attempts > 0) text += attempts == 1 ? "tried once" : fmt::format("tried {} times", attempts);
  if (const std::string due = Due(recipient); !due.empty()) {
    text += (text.empty() ? "due " : ", again ") + due;
  }
  const std::string answer = Foreign(Text(recipient, "last_answer"));
  if (!answer.empty()) text += fmt::format(R"({}<span class="answer">{}</span>)", text.empty() ? "" : ": ", answer);
  return text;
}

std::string RecipientItem(const json::object& recipient) {
  return fmt::format(R"(<li>{} <span class="address">{}</span> <span class="fate">{}</span></li>)",
                     StateChip(Text(recipient, "state")), Foreign(Text(recipient, "address")), Fate(recipient));
}

std::string MailRow(const json::object& mail) {
  const std::string id = Text(mail, "id");
  const json::array& first = mail.at("first_recipients").as_array();
  std::string recipients;
  for (const json::value& recipient : first) recipients += RecipientItem(recipient.as_object());
  const std::int64_t more = Number(mail, "recipients") - static_cast<std::int64_t>(first.size());
  if (more > 0) recipients += fmt::format(R"(<li class="note">and {} more</li>)", more);
  return fmt::format(
      R"(<tr><th scope="row"><a href="/queue?id={0}">{0}</a></th><td class="number" data-name="age">{1}</td>)"
      R"(<td class="number" data-name="size">{2}</td><td data-name="class">{3}</td>)"
      R"(<td class="from" data-name="sender">{4}</td><td class="to"><ul class="recipients">{5}</ul></td></tr>)",
      id, Duration(Number(mail, "age_seconds")), ReadableBytes(static_cast<std::uint64_t>(Number(mail, "bytes"))),
      Text(mail, "class"), Foreign("&lt;" + Text(mail, "sender") + "&gt;"), recipients);
}

// What stands in the place of a list without mails.
std::string NoMails(const json::object& data) {
  if (data.contains("next")) {
    return fmt::format(R"(<p class="empty">None of {} mails matches so far.</p>)", Number(data, "examined"));
  }
  if (data.at("is_filtered").as_bool()) return R"(<p class="empty">No mail of the queue matches.</p>)";
  if (Number(data.at("status").as_object(), "mails") > 0) return R"(<p class="empty">The list ends here.</p>)";
  return R"(<p class="empty">The queue is empty: all accepted mail is where it belongs.</p>)";
}

std::string Mails(const json::object& data, const QueueView& view) {
  const json::array& mails = data.at("mails").as_array();
  std::string list = NoMails(data);
  if (!mails.empty()) {
    std::string rows;
    for (const json::value& mail : mails) rows += MailRow(mail.as_object());
    list = fmt::format(
        R"(<table class="mails"><thead><tr><th scope="col">Mail</th><th scope="col" class="number">Age</th>)"
        R"(<th scope="col" class="number">Size</th><th scope="col">Class</th><th scope="col">Sender</th>)"
        R"(<th scope="col">Recipients who wait</th></tr></thead><tbody>{}</tbody></table>)",
        rows);
  }
  std::string links;
  if (view.after != queue::QueueId{}) {
    links += fmt::format(R"(<a href="{}">from the beginning</a>)", EscapeHtml(view.Link("after", "")));
  }
  if (data.contains("next")) {
    const std::string next(data.at("next").as_string());
    links += fmt::format(R"(<a href="{}" rel="next">{}</a>)", EscapeHtml(view.Link("after", next)),
                         mails.empty() ? "look further" : "next mails");
  }
  if (!links.empty()) links = fmt::format(R"(<nav class="pages" aria-label="Pages">{}</nav>)", links);
  return fmt::format(R"(<div id="mails">{}{}</div>)", list, links);
}

std::string Input(std::string_view label, std::string_view name, const std::string& value) {
  return fmt::format(
      R"(<label>{}<input name="{}" value="{}" autocomplete="off" autocapitalize="off" spellcheck="false"></label>)",
      label, name, EscapeHtml(value));
}

using Choices = std::initializer_list<std::pair<std::string_view, std::string_view>>;  // Value and text.

std::string Select(std::string_view label, std::string_view name, Choices choices, std::string_view chosen) {
  std::string options;
  for (const auto& [value, text] : choices) {
    options += fmt::format(R"(<option value="{}"{}>{}</option>)", value, value == chosen ? " selected" : "", text);
  }
  return fmt::format(R"(<label>{}<select name="{}">{}</select></label>)", label, name, options);
}

std::string AgeOf(const std::optional<std::chrono::seconds>& age) {
  return age.has_value() ? std::to_string(age->count()) : "";
}

std::string Form(const QueueView& view) {
  const QueueSelection& selection = view.selection;
  const Choices states{{"", "any"}, {"waiting", "waiting"}, {"claimed", "with a courier"}, {"held", "held"}};
  const Choices classes{{"", "any"},      {"known", "known"},     {"normal", "normal"}, {"unjudged", "unjudged"},
                        {"bulk", "bulk"}, {"suspect", "suspect"}, {"held", "held"}};
  const Choices ages{{"", "any"},        {"300", "5 minutes"}, {"1200", "20 minutes"},
                     {"3600", "1 hour"}, {"14400", "4 hours"}, {"86400", "1 day"}};
  const std::string hidden = view.by == TallyBy::kDestination
                                 ? ""
                                 : fmt::format(R"(<input type="hidden" name="by" value="{}">)", ToText(view.by));
  const std::string clear =
      selection.IsEverything() ? "" : fmt::format(R"(<a href="/queue?by={}">all mails</a>)", ToText(view.by));
  return fmt::format(
      R"(<form action="/queue" method="get" class="filter">{}{}{}{}{}{}{}<div class="buttons"><button>Filter</button>{}</div></form>)",
      hidden, Input("Sender", "sender", selection.sender), Input("Recipient", "recipient", selection.recipient),
      Input("Destination", "destination", selection.destination),
      Select("State", "state", states, selection.state.has_value() ? ToText(*selection.state) : ""),
      Select("Class", "class", classes, selection.cls.has_value() ? ToString(*selection.cls) : ""),
      Select("Older than", "older_than_seconds", ages, AgeOf(selection.older_than)), clear);
}

std::string RecipientRow(const json::object& recipient) {
  return fmt::format(
      R"(<tr><th scope="row">{}</th><td data-name="state">{}</td><td data-name="destination">{}</td>)"
      R"(<td class="number" data-name="attempts">{}</td><td data-name="next">{}</td><td class="answer">{}</td></tr>)",
      Foreign(Text(recipient, "address")), StateChip(Text(recipient, "state")), Foreign(Text(recipient, "destination")),
      Number(recipient, "attempts"), Due(recipient), Foreign(Text(recipient, "last_answer")));
}

std::string Detail(const json::object& data) {
  if (!data.contains("mail")) {
    return R"(<div id="mail"><p class="empty">This mail is not in the queue (any more): )"
           R"(it may have been delivered, or removed.</p></div>)";
  }
  const json::object& mail = data.at("mail").as_object();
  std::string facts = Fact("sender", Foreign("&lt;" + Text(mail, "sender") + "&gt;"));
  facts += Fact("queued", fmt::format("{} ago, {}", Duration(Number(mail, "age_seconds")), Text(mail, "queued_at")));
  facts += Fact("size", ReadableBytes(static_cast<std::uint64_t>(Number(mail, "bytes"))));
  facts += Fact("class", Text(mail, "class"));
  facts += Fact("mail id", Text(mail, "mail_id"));
  const std::pair<const char*, const char*> origin[] = {
      {"came from", "client_ip"}, {"which called itself", "helo"}, {"protocol", "protocol"}, {"account", "account"}};
  for (const auto& [name, member] : origin) {
    const std::string value = Foreign(Text(mail, member));
    if (!value.empty()) facts += Fact(name, value);
  }
  std::string rows;
  for (const json::value& recipient : mail.at("recipients").as_array()) rows += RecipientRow(recipient.as_object());
  return fmt::format(
      R"(<div id="mail"><dl class="facts">{}</dl><table class="mail"><thead><tr><th scope="col">Recipient</th>)"
      R"(<th scope="col">State</th><th scope="col">Destination</th><th scope="col" class="number">Attempts</th>)"
      R"(<th scope="col">Next attempt</th><th scope="col">Last answer</th></tr></thead><tbody>{}</tbody></table></div>)",
      facts, rows);
}

std::string Main(const json::object& data, const QueueView& view) {
  if (view.mail.has_value()) {
    return fmt::format(
        R"(<main><p class="back"><a href="/queue">&larr; all mails</a></p><h2>Mail <span class="id">{}</span></h2>{}</main>)",
        Text(data, "id"), Detail(data));
  }
  return fmt::format(R"(<main>{}<section><div class="bar"><h2>Why mail waits</h2>{}</div>{}</section>)"
                     R"(<section><h2>Mails</h2>{}{}</section></main>)",
                     Summary(data), Tabs(view), Tally(data, view), Form(view), Mails(data, view));
}

}  // namespace

std::string QueueHtml(const json::object& data, const QueueView& view) {
  return fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Queue of {0}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/queue.css"><link rel="icon" href="data:,"><script src="/queue.js" defer></script></head>
<body><header><h1><a href="/queue">Queue</a></h1><p class="host">{0}</p><p id="live" role="status">as of {1}</p></header>
<p id="trouble" role="alert" hidden></p>
{2}
</body></html>
)",
      Text(data, "hostname"), Text(data, "now"), Main(data, view));
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out += "\xef\xbf\xbd";
        } else {
          out.push_back(c);
        }
    }
  }
  return out;
}

}  // namespace admin
