// How the values of the node look in control answers.
#pragma once

#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

#include "base/clock.h"

namespace admin {

// Text of mail or of another server may be any bytes; JSON must be UTF-8: what is not becomes U+FFFD.
boost::json::string JsonText(std::string_view bytes);

// RFC 3339 in UTC, to the second: "2027-01-15T08:00:00Z".
boost::json::string JsonTime(base::WallTime time);

}  // namespace admin
