#include "transfer/uid_list.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "transfer/maildir_names.h"

namespace transfer {

using base::Errc;
using base::Error;

namespace {

constexpr std::size_t kUidlBytesMax = 70;  // RFC 1939 §7.
constexpr std::size_t kKeywordLettersMax = 26;
constexpr std::size_t kSubscriptionsMax = 100'000;

std::optional<std::uint32_t> ParseNumber(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Takes what stands before the next `separator` off the front.
std::string_view Take(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view word = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return word;
}

// The next line that has an end; empty: there is none.
std::optional<std::string_view> TakeLine(std::string_view& rest) {
  const std::size_t at = rest.find('\n');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return line;
}

// "3 V1795358174 N4 G0123..." or "1 1795358174 4". The version; empty: neither.
std::optional<int> ParseHead(std::string_view line, UidList* list) {
  const std::string_view version = Take(line, ' ');
  if (version == "1") {
    const auto validity = ParseNumber(Take(line, ' '));
    const auto next = ParseNumber(Take(line, ' '));
    if (!validity || *validity == 0 || !next) return std::nullopt;
    list->uid_validity = *validity;
    list->uid_next = *next;
    return 1;
  }
  if (version != "3") return std::nullopt;
  while (!line.empty()) {
    const std::string_view field = Take(line, ' ');
    if (field.size() < 2) continue;
    const auto number = ParseNumber(field.substr(1));
    if (field[0] == 'V' && number) list->uid_validity = *number;
    if (field[0] == 'N' && number) list->uid_next = *number;
  }
  return list->uid_validity != 0 ? std::optional<int>(3) : std::nullopt;
}

// Returns what is wrong with it; empty: nothing.
std::string AddLine(int version, std::string_view line, UidList* list) {
  UidList::Entry entry;
  const auto uid = ParseNumber(Take(line, ' '));
  if (!uid || *uid == 0 || *uid == UINT32_MAX) return "does not begin with a UID";
  entry.uid = *uid;
  while (version == 3 && !line.empty() && line.front() != ':') {
    const std::string_view field = Take(line, ' ');
    if (!field.starts_with('P')) continue;
    if (!IsUidl(field.substr(1))) return "has a UIDL that POP3 cannot say";
    entry.uidl = field.substr(1);
  }
  if (version == 3 && line.starts_with(':')) line.remove_prefix(1);
  const std::string_view name = MaildirBaseName(line);
  if (name.empty()) return "names no file";
  if (!list->by_name.emplace(name, entry).second) return "names a file that an earlier line names";
  list->uid_next = std::max(list->uid_next, entry.uid + 1);
  return {};
}

std::string EscapedName(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+') {
      out += fmt::format("+{:02X}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

bool IsUidl(std::string_view text) {
  return !text.empty() && text.size() <= kUidlBytesMax &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e; });
}

base::Result<UidList> ParseUidList(std::string_view text) {
  UidList list;
  const auto head = TakeLine(text);
  const auto version = head ? ParseHead(*head, &list) : std::nullopt;
  if (!version) {
    return Error(Errc::kInvalid,
                 "line 1 is no head of a list of UIDs (\"3 V<uidvalidity> N<next>\" of Dovecot, "
                 "\"1 <uidvalidity> <next>\" of Courier)");
  }
  std::size_t number = 1;
  while (const auto line = TakeLine(text)) {
    number += 1;
    const std::string fault = AddLine(*version, *line, &list);
    if (!fault.empty() && list.faults.size() < kFaultsMax)
      list.faults.push_back(fmt::format("line {} {}", number, fault));
  }
  return list;
}

std::string FormatUidListHead(std::uint32_t uid_validity, std::uint32_t uid_next, std::string_view guid) {
  return fmt::format("3 V{} N{} G{}\n", uid_validity, uid_next, guid);
}

std::string FormatUidListLine(std::uint32_t uid, std::string_view uidl, std::string_view name) {
  if (uidl.empty()) return fmt::format("{} :{}\n", uid, name);
  return fmt::format("{} P{} :{}\n", uid, uidl, name);
}

std::unordered_map<std::string, std::string> ParseCourierUidls(std::string_view text) {
  std::unordered_map<std::string, std::string> uidls;
  const auto head = TakeLine(text);
  if (!head || !(head->starts_with("/2 ") || head->starts_with("/3 "))) return uidls;
  while (auto line = TakeLine(text)) {
    // "<name> <size> <number>:<uidvalidity>", since version 3 with one more number. The name may have spaces.
    const std::size_t last = line->rfind(' ');
    if (last == std::string_view::npos) continue;
    std::string_view numbers = line->substr(last + 1);
    const std::string_view name_and_size = line->substr(0, last);
    const std::size_t before_size = name_and_size.rfind(' ');
    const auto number = ParseNumber(Take(numbers, ':'));
    const auto validity = ParseNumber(Take(numbers, ':'));
    if (before_size == std::string_view::npos || !number || !validity) continue;
    const std::string_view name = MaildirBaseName(name_and_size.substr(0, before_size));
    std::string uidl = *number == 0     ? EscapedName(name)
                       : *validity == 0 ? fmt::format("UID{}", *number)
                                        : fmt::format("UID{}-{}", *number, *validity);
    if (!name.empty() && IsUidl(uidl)) uidls.emplace(name, std::move(uidl));
  }
  return uidls;
}

std::vector<std::string> ParseKeywordList(std::string_view text) {
  std::vector<std::string> keywords;
  while (auto line = TakeLine(text)) {
    const auto position = ParseNumber(Take(*line, ' '));
    if (!position || *position >= kKeywordLettersMax || line->empty()) continue;
    if (keywords.size() <= *position) keywords.resize(*position + 1);
    keywords[*position] = *line;
  }
  return keywords;
}

std::vector<std::string> ParseSubscriptions(std::string_view text, char separator) {
  std::vector<std::string> names;
  bool has_tabs = false;
  for (std::size_t number = 0; const auto line = TakeLine(text); ++number) {
    if (number == 0 && *line == "V\t2") {
      has_tabs = true;
      continue;
    }
    if (line->empty() || names.size() >= kSubscriptionsMax) continue;
    std::string name(*line);
    std::ranges::replace(name, has_tabs ? '\t' : separator, '/');
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace transfer
