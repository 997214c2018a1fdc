#include "imap/proto/date_time.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "imap/proto/flags.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using namespace std::chrono_literals;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

Error BadDate(std::string_view text) {
  return Error(Errc::kInvalid, "not a date as in 17-Jul-1996: " + std::string(text.substr(0, 40)));
}

// A number of exactly all of `text`'s digits.
std::optional<int> Digits(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// dd-Mon-yyyy with its three fields cut out.
Result<std::chrono::sys_days> MakeDay(std::string_view day, std::string_view month, std::string_view year) {
  const auto day_number = Digits(day);
  const auto year_number = Digits(year);
  const auto name = std::ranges::find_if(kMonths, [&](std::string_view m) { return EqualsIgnoreCase(m, month); });
  if (!day_number || !year_number || year.size() != 4 || name == kMonths.end()) return BadDate(day);
  const std::chrono::year_month_day date(std::chrono::year(*year_number),
                                         std::chrono::month(static_cast<unsigned>(name - kMonths.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(*day_number)));
  if (!date.ok()) return Error(Errc::kInvalid, "there is no such day in the calendar");
  return std::chrono::sys_days(date);
}

// "hh:mm:ss"; a leap second is taken as the second before it.
std::optional<std::chrono::seconds> ParseTime(std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hour = Digits(text.substr(0, 2));
  const auto minute = Digits(text.substr(3, 2));
  const auto second = Digits(text.substr(6, 2));
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(std::min(*second, 59));
}

// "+hhmm" or "-hhmm": how far local time is ahead of UTC.
std::optional<std::chrono::minutes> ParseZone(std::string_view text) {
  if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const auto hour = Digits(text.substr(1, 2));
  const auto minute = Digits(text.substr(3, 2));
  if (!hour || !minute || *minute > 59) return std::nullopt;
  const std::chrono::minutes ahead = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  return text[0] == '-' ? -ahead : ahead;
}

}  // namespace

Result<std::chrono::sys_seconds> ParseDateTime(std::string_view text) {
  constexpr std::size_t kSize = 26;
  if (text.size() != kSize || text[2] != '-' || text[6] != '-' || text[11] != ' ' || text[20] != ' ') {
    return Error(Errc::kInvalid, "a date and time looks like \"17-Jul-1996 02:44:25 -0700\"");
  }
  std::string_view day = text.substr(0, 2);
  if (day[0] == ' ') day.remove_prefix(1);
  ASSIGN_OR_RETURN(const std::chrono::sys_days date, MakeDay(day, text.substr(3, 3), text.substr(7, 4)));
  const auto time = ParseTime(text.substr(12, 8));
  const auto zone = ParseZone(text.substr(21, 5));
  if (!time || !zone) return Error(Errc::kInvalid, "the time or the zone of the date is out of range");
  return date + *time - *zone;
}

Result<std::chrono::sys_days> ParseDate(std::string_view text) {
  const std::size_t first = text.find('-');
  const std::size_t second = first == std::string_view::npos ? first : text.find('-', first + 1);
  if (second == std::string_view::npos || first > 2) return BadDate(text);
  return MakeDay(text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1));
}

std::string FormatDateTime(std::chrono::sys_seconds time) {
  using std::chrono::sys_days;
  constexpr std::chrono::sys_seconds kFirst = sys_days(0y / 1 / 1);
  constexpr std::chrono::sys_seconds kLast = sys_days(9999y / 12 / 31) + 23h + 59min + 59s;
  time = std::clamp(time, kFirst, kLast);
  const sys_days day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("\"{:2}-{}-{:04} {:02}:{:02}:{:02} +0000\"", static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace imap
