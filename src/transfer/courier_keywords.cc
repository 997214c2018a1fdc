#include "transfer/courier_keywords.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "transfer/maildir_names.h"

namespace transfer {

namespace {

constexpr std::size_t kKeywordsMax = 10'000;  // Of a list; of a mail.

// Takes what stands before the next `separator` off the front.
std::string_view Take(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return part;
}

// The lines in front of the first empty one, which is taken too.
std::vector<std::string> TakeNames(std::string_view& text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::string_view line = Take(text, '\n');
    if (line.empty()) break;
    if (names.size() < kKeywordsMax) names.emplace_back(line);
  }
  return names;
}

std::vector<std::string> NamesBehind(std::string_view numbers, const std::vector<std::string>& names) {
  std::vector<std::string> chosen;
  while (!numbers.empty()) {
    const std::string_view word = Take(numbers, ' ');
    std::size_t number = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), number);
    const bool is_number = failed == std::errc() && end == word.data() + word.size();
    if (!is_number || number >= names.size()) continue;
    if (std::ranges::find(chosen, names[number]) == chosen.end()) chosen.push_back(names[number]);
  }
  return chosen;
}

// A change: of which mail, and how new. Mail empty: the file is something else.
struct Change {
  std::string mail;
  std::uint64_t number = UINT64_MAX;
};

Change ChangeOf(std::string_view name) {
  Change change;
  if (name.starts_with(':')) return change;
  if (name.starts_with('.')) {
    name.remove_prefix(1);
    const std::string_view word = Take(name, '.');
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), change.number);
    if (failed != std::errc() || end != word.data() + word.size()) return change;
  }
  change.mail = MaildirBaseName(name);
  return change;
}

}  // namespace

void CourierKeywords::AddList(std::string_view text) {
  const std::vector<std::string> names = TakeNames(text);
  while (!text.empty()) {
    std::string_view line = Take(text, '\n');
    const std::string_view mail = Take(line, ':');
    std::vector<std::string> keywords = NamesBehind(line, names);
    if (!keywords.empty()) listed_[std::string(mail)] = std::move(keywords);
  }
}

void CourierKeywords::AddChange(const std::string& mail, std::string_view text) {
  changed_[mail] = TakeNames(text);
}

const std::vector<std::string>& CourierKeywords::Of(const std::string& mail) const {
  static const std::vector<std::string> kNone;
  if (const auto changed = changed_.find(mail); changed != changed_.end()) return changed->second;
  const auto listed = listed_.find(mail);
  return listed != listed_.end() ? listed->second : kNone;
}

std::map<std::string, std::string> NewestKeywordChanges(const std::vector<std::string>& names) {
  std::map<std::string, std::pair<std::uint64_t, std::string>> newest;
  for (const std::string& name : names) {
    Change change = ChangeOf(name);
    if (change.mail.empty()) continue;
    const auto [found, is_first] = newest.try_emplace(std::move(change.mail), change.number, name);
    if (!is_first && found->second.first < change.number) found->second = {change.number, name};
  }
  std::map<std::string, std::string> files;
  for (auto& [mail, file] : newest) files.emplace(mail, std::move(file.second));
  return files;
}

}  // namespace transfer
