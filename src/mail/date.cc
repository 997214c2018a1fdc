#include "mail/date.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "mail/ascii.h"
#include "mail/lexer.h"

namespace mail {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kDayNames = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonthNames = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct NamedZone {
  std::string_view name;
  int hours;
};
// RFC 5322 §4.3. Military letters were defined with the wrong sign in RFC 822, so they mean +0000 like any other name.
constexpr std::array<NamedZone, 8> kNamedZones = {
    {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6}, {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}}};

// At most `digits_max` digits; nothing when there is none, or more follow.
std::optional<int> ReadNumber(Lexer& lexer, std::size_t digits_max, std::size_t* digits = nullptr);
std::optional<std::chrono::month> ReadMonth(Lexer& lexer);
std::optional<std::chrono::year> ReadYear(Lexer& lexer);
std::optional<seconds> ReadTimeOfDay(Lexer& lexer);
std::optional<minutes> ReadZone(Lexer& lexer);

}  // namespace

std::string FormatDate(base::WallTime time, minutes zone) {
  using std::chrono::days;
  using std::chrono::sys_days;
  constexpr base::WallTime kFirst = sys_days(std::chrono::year(0) / 1 / 2);
  constexpr base::WallTime kLast = sys_days(std::chrono::year(9999) / 12 / 30);
  const base::WallTime local = std::clamp(time, kFirst, kLast) + std::clamp(zone, minutes(-1439), minutes(1439));
  const sys_days day = std::chrono::floor<days>(local);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(local - day));
  const auto zone_minutes = std::abs(zone.count()) % 1440;
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}",
                     kDayNames[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                     kMonthNames[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     zone.count() < 0 ? '-' : '+', zone_minutes / 60, zone_minutes % 60);
}

std::optional<HeaderDate> ParseDate(std::string_view text) {
  Lexer lexer(text);
  lexer.SkipSpace();
  if (IsAsciiAlpha(lexer.Peek())) {
    lexer.TakeWhile(IsAsciiAlpha);  // The day's name: often wrong or in another language, never needed.
    lexer.SkipSpace();
    lexer.Accept('.');
    lexer.Accept(',');
    lexer.SkipSpace();
  }
  const auto day = ReadNumber(lexer, 2);
  const auto month = ReadMonth(lexer);
  const auto year = ReadYear(lexer);
  if (!day || !month || !year) return std::nullopt;
  const std::chrono::year_month_day date(*year, *month, std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  const auto time_of_day = ReadTimeOfDay(lexer);
  if (!time_of_day) return std::nullopt;
  const minutes zone = ReadZone(lexer).value_or(minutes(0));
  return HeaderDate{.time = base::WallTime(std::chrono::sys_days(date)) + *time_of_day - zone, .zone = zone};
}

namespace {

std::optional<int> ReadNumber(Lexer& lexer, std::size_t digits_max, std::size_t* digits) {
  lexer.SkipSpace();
  const std::string_view text = lexer.TakeWhile(IsAsciiDigit);
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  if (digits != nullptr) *digits = text.size();
  return value;
}

std::optional<std::chrono::month> ReadMonth(Lexer& lexer) {
  lexer.SkipSpace();
  lexer.Accept('-');  // "14-Nov-2023" is in old mail.
  const std::string_view name = lexer.TakeWhile(IsAsciiAlpha);
  lexer.Accept('-');
  if (name.size() < 3) return std::nullopt;
  for (unsigned i = 0; i < kMonthNames.size(); ++i) {
    if (EqualsIgnoreCase(name.substr(0, 3), kMonthNames[i])) return std::chrono::month(i + 1);
  }
  return std::nullopt;
}

// RFC 5322 §4.3: two digits from 50 on and three digits count from 1900, lower two digits from 2000.
std::optional<std::chrono::year> ReadYear(Lexer& lexer) {
  std::size_t digits = 0;
  const auto number = ReadNumber(lexer, 4, &digits);
  if (!number || digits == 1) return std::nullopt;
  if (digits == 2) return std::chrono::year(*number + (*number < 50 ? 2000 : 1900));
  if (digits == 3) return std::chrono::year(*number + 1900);
  return std::chrono::year(*number);
}

std::optional<seconds> ReadTimeOfDay(Lexer& lexer) {
  const auto hour = ReadNumber(lexer, 2);
  lexer.SkipSpace();
  if (!hour || *hour > 23 || !lexer.Accept(':')) return std::nullopt;
  const auto minute = ReadNumber(lexer, 2);
  if (!minute || *minute > 59) return std::nullopt;
  lexer.SkipSpace();
  if (!lexer.Accept(':')) return std::chrono::hours(*hour) + minutes(*minute);
  const auto second = ReadNumber(lexer, 2);
  if (!second || *second > 60) return std::nullopt;  // 60 is a leap second.
  return std::chrono::hours(*hour) + minutes(*minute) + seconds(*second);
}

std::optional<minutes> ReadZone(Lexer& lexer) {
  lexer.SkipSpace();
  const char sign = lexer.Peek();
  if (sign == '+' || sign == '-') {
    lexer.Accept(sign);
    const std::string_view digits = lexer.TakeWhile(IsAsciiDigit);
    if (digits.size() != 4) return std::nullopt;
    const minutes zone((digits[0] - '0') * 600 + (digits[1] - '0') * 60 + (digits[2] - '0') * 10 + (digits[3] - '0'));
    return sign == '-' ? -zone : zone;
  }
  const std::string_view name = lexer.TakeWhile(IsAsciiAlpha);
  for (const NamedZone& zone : kNamedZones) {
    if (EqualsIgnoreCase(name, zone.name)) return std::chrono::hours(zone.hours);
  }
  return std::nullopt;
}

}  // namespace
}  // namespace mail
