// Dates of the protocol: date-time of INTERNALDATE and APPEND, date of SEARCH (RFC 3501 §9).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace imap {

// "17-Jul-1996 02:44:25 -0700" without its quotes; the day may be " 7" or "07". Errors: kInvalid.
base::Result<std::chrono::sys_seconds> ParseDateTime(std::string_view text);

// "1-Feb-1994", without its quotes if it had any. Errors: kInvalid.
base::Result<std::chrono::sys_days> ParseDate(std::string_view text);

// "17-Jul-1996 09:44:25 +0000" with its quotes. Years outside 0 to 9999, which the format cannot say, become the
// nearest.
std::string FormatDateTime(std::chrono::sys_seconds time);

}  // namespace imap
