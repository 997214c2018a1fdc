// How `posthorn trace` prints a mail for people.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace app {

// A block: what it is, a line an event in local time, and where it is now.
std::string TracedMailText(const boost::json::object& mail);

}  // namespace app
