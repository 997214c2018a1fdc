#include "transfer/mbox.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "transfer/uid_list.h"

namespace transfer {

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::pair<char, std::string_view> kStatus[] = {{'R', "\\Seen"}};
constexpr std::pair<char, std::string_view> kXStatus[] = {
    {'A', "\\Answered"}, {'F', "\\Flagged"}, {'T', "\\Draft"}, {'D', "\\Deleted"}};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

std::optional<std::uint32_t> Number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <std::size_t N>
std::optional<unsigned> PositionIn(const std::array<std::string_view, N>& names, std::string_view word) {
  const auto found = std::ranges::find(names, word);
  if (found == names.end()) return std::nullopt;
  return static_cast<unsigned>(found - names.begin());
}

// "22:13:20" or "22:13".
std::optional<std::chrono::seconds> ParseClock(std::string_view word) {
  unsigned parts[3] = {0, 0, 0};
  for (unsigned& part : parts) {
    const std::size_t colon = word.find(':');
    const auto number = Number(word.substr(0, colon));
    if (!number) return std::nullopt;
    part = *number;
    word.remove_prefix(colon == std::string_view::npos ? word.size() : colon + 1);
    if (word.empty()) break;
  }
  if (!word.empty() || parts[0] > 23 || parts[1] > 59 || parts[2] > 60) return std::nullopt;
  return std::chrono::hours(parts[0]) + std::chrono::minutes(parts[1]) + std::chrono::seconds(parts[2]);
}

// "+0130"; names of zones count as UTC.
std::chrono::minutes OffsetOf(std::string_view word) {
  if (word.size() != 5 || (word[0] != '+' && word[0] != '-')) return {};
  const auto digits = Number(word.substr(1));
  if (!digits) return {};
  const std::chrono::minutes offset(*digits / 100 * 60 + *digits % 100);
  return word[0] == '-' ? -offset : offset;
}

// Day, clock, and behind them in any order a zone and the year.
std::optional<std::int64_t> ParseDate(unsigned month, const std::vector<std::string_view>& words, std::size_t at) {
  const auto day = at < words.size() ? Number(words[at]) : std::nullopt;
  const auto clock = at + 1 < words.size() ? ParseClock(words[at + 1]) : std::nullopt;
  if (!day || !clock) return std::nullopt;
  std::optional<std::uint32_t> year;
  std::chrono::minutes offset{};
  for (std::size_t i = at + 2; i < words.size() && i < at + 5; ++i) {
    const auto number = words[i].size() == 4 ? Number(words[i]) : std::nullopt;
    if (number) year = number;
    if (!number) offset = OffsetOf(words[i]);
  }
  if (!year) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(month + 1),
                                         std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  const auto time = std::chrono::sys_days(date) + *clock - offset;
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// Takes a line with its end off the front.
std::string_view TakeLine(std::string_view& rest) {
  const std::size_t at = rest.find('\n');
  const std::string_view line = rest.substr(0, at == std::string_view::npos ? rest.size() : at + 1);
  rest.remove_prefix(line.size());
  return line;
}

bool IsBlank(std::string_view line) {
  return line == "\n" || line == "\r\n";
}

bool NameIs(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  return std::ranges::equal(line.substr(0, name.size()), name, [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
  });
}

template <std::size_t N>
void AddFlags(const std::pair<char, std::string_view> (&letters)[N], std::string_view value, MboxMail* mail) {
  for (const auto& [letter, flag] : letters) {
    if (value.contains(letter)) mail->flags.emplace_back(flag);
  }
}

// True: the field belongs to the mbox and not to the mail.
bool TakeField(std::string_view field, MboxMail* mail) {
  const std::string_view value = field.substr(std::min(field.size(), field.find(':') + 1));
  const std::vector<std::string_view> words = Words(value);
  if (NameIs(field, "Status")) {
    AddFlags(kStatus, value, mail);
  } else if (NameIs(field, "X-Status")) {
    AddFlags(kXStatus, value, mail);
  } else if (NameIs(field, "X-Keywords")) {
    for (const std::string_view word : words) mail->flags.emplace_back(word);
  } else if (NameIs(field, "X-UID")) {
    mail->uid = words.empty() ? 0 : Number(words[0]).value_or(0);
  } else if (NameIs(field, "X-UIDL")) {
    if (words.size() == 1 && IsUidl(words[0])) mail->uidl = words[0];
  } else if (NameIs(field, "X-IMAPbase") || NameIs(field, "X-IMAP")) {
    mail->is_pseudo = mail->is_pseudo || NameIs(field, "X-IMAP");
    mail->uid_validity = words.empty() ? 0 : Number(words[0]).value_or(0);
    mail->uid_last = words.size() < 2 ? 0 : Number(words[1]).value_or(0);
  } else {
    return false;
  }
  return true;
}

bool IsQuotedFrom(std::string_view line) {
  const std::size_t quotes = std::min(line.find_first_not_of('>'), line.size());
  return line.substr(quotes).starts_with("From ");
}

std::string JoinFlags(const MboxFields& fields) {
  std::string out;
  const auto has = [&](std::string_view flag) { return std::ranges::find(fields.flags, flag) != fields.flags.end(); };
  out += has("\\Seen") ? "Status: RO\n" : "Status: O\n";
  std::string letters;
  for (const auto& [letter, flag] : kXStatus) {
    if (has(flag)) letters.push_back(letter);
  }
  if (!letters.empty()) out += fmt::format("X-Status: {}\n", letters);
  std::string keywords;
  for (const std::string& flag : fields.flags) {
    if (!flag.starts_with('\\')) keywords += " " + flag;
  }
  if (!keywords.empty()) out += fmt::format("X-Keywords:{}\n", keywords);
  return out;
}

}  // namespace

// ---- MboxScanner ----

void MboxScanner::Add(std::string_view piece) {
  while (!piece.empty()) {
    const std::string_view part = TakeLine(piece);
    if (line_.size() < kLineKept) line_.append(part.substr(0, kLineKept - line_.size()));
    line_bytes_ += part.size();
    if (part.ends_with('\n')) EndLine();
  }
}

void MboxScanner::EndLine() {
  const bool may_begin = is_first_ || blank_bytes_ > 0;
  const auto date = may_begin ? DateOfFromLine(line_) : std::nullopt;
  if (date.has_value()) {
    EndMail(offset_ - blank_bytes_);
    open_ = MboxPlace{.offset = offset_ + line_bytes_, .size_bytes = 0, .line = line_count_, .date_us = *date};
  } else if (!open_.has_value() && !IsBlank(line_)) {
    has_rubbish_ = true;
  }
  blank_bytes_ = IsBlank(line_) && line_bytes_ <= 2 && !date.has_value() ? line_bytes_ : 0;
  // Only an empty line inside the mail can belong to the next From line.
  is_first_ = is_first_ && IsBlank(line_);
  offset_ += line_bytes_;
  line_bytes_ = 0;
  line_count_ += 1;
  line_.clear();
}

void MboxScanner::EndMail(std::uint64_t at) {
  if (!open_.has_value()) return;
  open_->size_bytes = at - std::min(at, open_->offset);
  found_.push_back(*open_);
  open_.reset();
}

void MboxScanner::Finish() {
  if (line_bytes_ > 0) EndLine();
  EndMail(offset_ - blank_bytes_);
}

std::vector<MboxPlace> MboxScanner::Take() {
  return std::exchange(found_, {});
}

// ---- From lines ----

std::optional<std::int64_t> DateOfFromLine(std::string_view line) {
  if (!line.starts_with("From ")) return std::nullopt;
  const std::vector<std::string_view> words = Words(line.substr(5));
  for (std::size_t i = 0; i + 3 < words.size(); ++i) {
    const auto month = PositionIn(kMonths, words[i + 1]);
    if (!PositionIn(kDays, words[i]).has_value() || !month.has_value()) continue;
    if (const auto date = ParseDate(*month, words, i + 2); date.has_value()) return date;
  }
  return std::nullopt;
}

std::string FormatFromLine(std::int64_t date_us) {
  const auto time = std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(std::max<std::int64_t>(date_us, 0))));
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  return fmt::format("From MAILER-DAEMON {} {} {:2} {:02}:{:02}:{:02} {:04}\n",
                     kDays[std::chrono::weekday(days).c_encoding()], kMonths[unsigned(date.month()) - 1],
                     unsigned(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     std::min(9999, int(date.year())));
}

// ---- Mails ----

MboxMail ParseMboxMail(std::string_view text, MboxQuoting quoting) {
  MboxMail mail;
  mail.bytes.reserve(text.size());
  bool drops = false;  // The field that the lines belong to.
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    const bool is_continued = line.starts_with(' ') || line.starts_with('\t');
    if (IsBlank(line)) {
      mail.bytes += line;
      break;
    }
    if (!is_continued) drops = TakeField(line, &mail);
    if (!drops) mail.bytes += line;
  }
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    const bool is_quoted = quoting == MboxQuoting::kMboxrd  ? line.starts_with('>') && IsQuotedFrom(line)
                           : quoting == MboxQuoting::kMboxo ? line.starts_with(">From ")
                                                            : false;
    if (is_quoted) line.remove_prefix(1);
    mail.bytes += line;
  }
  return mail;
}

std::string FormatMboxMail(std::string_view bytes, std::int64_t date_us, const MboxFields& fields) {
  std::string out = FormatFromLine(date_us);
  out.reserve(out.size() + bytes.size() + 256);
  std::string own;
  if (!fields.base.empty()) own += fmt::format("X-IMAPbase: {}\n", fields.base);
  own += fmt::format("X-UID: {}\n", fields.uid) + JoinFlags(fields);
  if (!fields.uidl.empty()) own += fmt::format("X-UIDL: {}\n", fields.uidl);
  bool in_header = true;
  while (!bytes.empty()) {
    const std::string_view line = TakeLine(bytes);
    if (in_header && IsBlank(line)) {
      out += own;
      in_header = false;
    }
    if (IsQuotedFrom(line)) out.push_back('>');
    out += line;
  }
  if (in_header) out += own;
  if (!out.ends_with('\n')) out.push_back('\n');
  out.push_back('\n');
  return out;
}

}  // namespace transfer
