// How the commands on volumes show what they found.
#pragma once

#include <boost/json/object.hpp>

#include "app/commands_invocation.h"
#include "mffs/finding.h"

namespace app {

boost::json::object FindingsToJson(const mffs::Findings& findings);
// A line each, notes only if wanted.
void PrintFindings(const Invocation& invocation, const mffs::Findings& findings, bool with_notes);

}  // namespace app
