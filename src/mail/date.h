// Date and time as mail headers carry them (RFC 5322 §3.3, obsolete forms of §4.3 read too). Pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace mail {

// "Tue, 14 Nov 2023 22:13:20 +0000". Times outside the years 0 to 9999 are moved to the nearest of these.
std::string FormatDate(base::WallTime time, std::chrono::minutes zone = std::chrono::minutes(0));

struct HeaderDate {
  base::WallTime time{};
  std::chrono::minutes zone{0};  // East of UTC is positive; 0 too where the zone is unknown.

  // The date as the sender's calendar showed it: what IMAP's SENTON compares (RFC 3501 §6.4.4).
  std::chrono::year_month_day LocalDay() const {
    return std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(time + zone));
  }
};

// Reads a date-time: day name, seconds and zone may be missing, years may have two or three digits, comments may stand
// anywhere, zones may be names or military letters. Nothing when no date can be made of it.
std::optional<HeaderDate> ParseDate(std::string_view text);

}  // namespace mail
