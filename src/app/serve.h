// `posthorn serve`: runs a node in the foreground until SIGINT or SIGTERM; SIGHUP reloads.
#pragma once

#include <string>

namespace app {

// Returns the exit code: 0 after a clean stop, 1 when the node could not start (one sentence is on standard error
// then).
int Serve(const std::string& config_path);

}  // namespace app
