// For tests of the command line: a run of the program within the test's process.
#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "app/commands.h"

namespace app {

struct Ran {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// `arguments` are those after the program's name.
inline Ran RunPosthorn(std::vector<const char*> arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  arguments.insert(arguments.begin(), "posthorn");
  const int exit_code =
      RunCommandLine(static_cast<int>(arguments.size()), arguments.data(), {.in = &in, .out = &out, .err = &err});
  return {.exit_code = exit_code, .out = std::move(out).str(), .err = std::move(err).str()};
}

}  // namespace app
