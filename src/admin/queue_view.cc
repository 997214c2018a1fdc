#include "admin/queue_view.h"

#include <algorithm>
#include <charconv>

#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>

#include "admin/arguments.h"
#include "admin/http_message.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kParametersMax = 20;
constexpr std::string_view kAgeParameters[] = {"older_than_seconds", "newer_than_seconds"};

Result<queue::QueueId> ParseId(std::string_view text) {
  const auto id = queue::QueueId::Parse(text);
  if (!id.has_value()) return Error(Errc::kInvalid, "this is no queue id");
  return *id;
}

// As the control socket would have it: numbers are numbers.
Result<json::object> ToArguments(const std::vector<std::pair<std::string, std::string>>& parameters) {
  json::object arguments;
  for (const auto& [name, value] : parameters) {
    if (value.empty() || std::ranges::find(QueueSelection::kArguments, name) == QueueSelection::kArguments.end()) {
      continue;
    }
    if (std::ranges::find(kAgeParameters, name) == std::end(kAgeParameters)) {
      arguments[name] = value;
      continue;
    }
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error != std::errc() || end != value.data() + value.size()) {
      return Error(Errc::kInvalid, fmt::format("{} must be a number of seconds", name));
    }
    arguments[name] = seconds;
  }
  return arguments;
}

}  // namespace

Result<QueueView> QueueView::Parse(std::string_view target) {
  const auto parameters = ParametersOf(target, kParametersMax);
  QueueView view;
  ASSIGN_OR_RETURN(json::object arguments, ToArguments(parameters));
  ASSIGN_OR_RETURN(view.selection, QueueSelection::Parse(Arguments(std::move(arguments))));
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (name == "by") {
      const auto by = ParseTallyBy(value);
      if (!by.has_value()) return Error(Errc::kInvalid, "the queue is counted by destination, sender or class");
      view.by = *by;
    } else if (name == "after") {
      ASSIGN_OR_RETURN(view.after, ParseId(value));
    } else if (name == "id") {
      ASSIGN_OR_RETURN(view.mail, ParseId(value));
    }
  }
  return view;
}

std::vector<std::pair<std::string, std::string>> QueueView::Parameters() const {
  std::vector<std::pair<std::string, std::string>> parameters;
  const auto add = [&parameters](std::string_view name, std::string_view value) {
    if (!value.empty()) parameters.emplace_back(name, value);
  };
  if (by != TallyBy::kDestination) add("by", ToText(by));
  add("sender", selection.sender);
  add("recipient", selection.recipient);
  add("destination", selection.destination);
  if (selection.state.has_value()) add("state", ToText(*selection.state));
  if (selection.cls.has_value()) add("class", ToString(*selection.cls));
  if (selection.older_than.has_value()) add("older_than_seconds", std::to_string(selection.older_than->count()));
  if (selection.newer_than.has_value()) add("newer_than_seconds", std::to_string(selection.newer_than->count()));
  if (after != queue::QueueId{}) add("after", after.ToString());
  return parameters;
}

std::string QueueView::Link(std::string_view name, std::string_view value) const {
  auto parameters = Parameters();
  std::erase_if(parameters, [name](const auto& p) { return p.first == name || p.first == "after"; });
  if (!value.empty()) parameters.emplace_back(name, value);
  std::string link = "/queue";
  char separator = '?';
  for (const auto& [key, text] : parameters) {
    link += fmt::format("{}{}={}", separator, key, EscapeParameter(text));
    separator = '&';
  }
  return link;
}

}  // namespace admin
