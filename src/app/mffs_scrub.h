// posthorn mffs scrub: asks a running node to verify all sectors of its volume now. docs/cli.md, "posthorn mffs scrub"
#pragma once

#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

struct MffsScrubOptions {
  std::string rate = "32MiB";  // A second.
  bool only_status = false;
  bool only_stop = false;
  bool only_watch = false;  // What was begun before.
  bool detach = false;      // Begin, and do not wait.
};

// Returns the exit code: that of a check for what is known to be bad.
int MffsScrub(const Invocation& invocation, const MffsScrubOptions& options);

// Parses into `options`, which outlives the group.
void AddMffsScrub(CLI::App* group, Invocation* invocation, MffsScrubOptions* options);

}  // namespace app
