// How queued mail is printed for people: the list, the count by destination, one mail in full.
#pragma once

#include <ostream>
#include <string>

#include <boost/json/object.hpp>

namespace app {

// Columns of the terminal that `out` writes to; 0 when it is none: then nothing is cut.
std::size_t TerminalColumns(const std::ostream& out);

// `text` (lines) with each line cut to `columns` code points, the last of them "…"; 0: as it is.
std::string CutLines(const std::string& text, std::size_t columns);

// The head of a list, and the lines of a mail in it: one of its own, then one for each recipient that is told.
std::string QueueListHead();
std::string QueueListLines(const boost::json::object& mail);

// The answer of queue.tally as a table: what mail waits for, and for how long.
std::string QueueTallyText(const boost::json::object& tally);

// The answer of queue.show.
std::string QueuedMailText(const boost::json::object& mail);

}  // namespace app
