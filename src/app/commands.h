// The command line of the program `posthorn`. docs/cli.md
#pragma once

#include <istream>
#include <ostream>

namespace app {

// Where a command reads and writes: the standard streams, or a test's.
struct Terminal {
  std::istream* in;
  std::ostream* out;
  std::ostream* err;
};

// Exit codes. 75 is EX_TEMPFAIL of sysexits.h: try again when the node runs.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoNode = 75;

// Runs one command and returns the exit code. Each error is one sentence on the error stream.
int RunCommandLine(int argc, const char* const* argv, Terminal terminal);

}  // namespace app
