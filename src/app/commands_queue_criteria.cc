#include "app/commands_queue_criteria.h"

#include <charconv>
#include <utility>

#include <CLI/CLI.hpp>

namespace app {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kSecondsMax = 100u * 366 * 86'400;  // A hundred years.

std::string CheckDuration(const std::string& text) {
  return ParseDuration(text).has_value() ? "" : "\"" + text + "\" is no duration; give one as 90s, 5m, 2h or 3d";
}

}  // namespace

std::optional<std::chrono::seconds> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, std::uint32_t> kUnits[] = {
      {"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3'600}, {"d", 86'400}, {"w", 7 * 86'400}};
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count == 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, seconds] : kUnits) {
    if (unit == name && count <= kSecondsMax / seconds) return std::chrono::seconds(std::uint64_t{count} * seconds);
  }
  return std::nullopt;
}

void QueueCriteria::AddTo(CLI::App* command) {
  const auto add = [command](const char* name, std::string* value, const char* type, const char* description) {
    return command->add_option(name, *value, description)->type_name(type)->group("Which mails (all must hold)");
  };
  add("--sender", &sender_, "ADDRESS", "Envelope sender; @x.test is a whole domain, * any text, <> the empty sender");
  add("--recipient", &recipient_, "ADDRESS", "A recipient that does not have it yet; @x.test and * as above");
  add("--destination", &destination_, "NAME", "Where it goes, as `queue list --by destination` shows it; * as above");
  add("--state", &state_, "STATE", "A recipient's: waiting, claimed (with a courier now) or held")
      ->check(CLI::IsMember({"waiting", "claimed", "held"}));
  add("--class", &class_, "CLASS", "known, normal, unjudged, bulk, suspect or held")
      ->check(CLI::IsMember({"known", "normal", "unjudged", "bulk", "suspect", "held"}));
  add("--older-than", &older_than_, "DURATION", "In the queue for longer than this: 90s, 5m, 2h, 3d")
      ->check(CheckDuration);
  add("--newer-than", &newer_than_, "DURATION", "In the queue for less than this")->check(CheckDuration);
}

json::object QueueCriteria::ToArguments() const {
  json::object arguments;
  const std::pair<const char*, const std::string*> texts[] = {{"sender", &sender_},
                                                              {"recipient", &recipient_},
                                                              {"destination", &destination_},
                                                              {"state", &state_},
                                                              {"class", &class_}};
  for (const auto& [name, value] : texts) {
    if (!value->empty()) arguments[name] = *value;
  }
  const std::pair<const char*, const std::string*> ages[] = {{"older_than_seconds", &older_than_},
                                                             {"newer_than_seconds", &newer_than_}};
  for (const auto& [name, value] : ages) {
    if (const auto age = ParseDuration(*value)) arguments[name] = age->count();
  }
  return arguments;
}

}  // namespace app
