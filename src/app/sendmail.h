// posthorn sendmail, and the program under the names sendmail, mailq and newaliases. docs/cli.md, "sendmail"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

// `posthorn sendmail`: its arguments are sendmail's own and are not read as options of ours.
void AddSendmail(CLI::App* root, Invocation* invocation);

// The program by the name it was called by: "sendmail", "mailq" or "newaliases", with whatever arguments.
// Nothing: it was called by its own name.
std::optional<int> RunByName(std::string_view program, std::vector<std::string> arguments, Terminal terminal);

}  // namespace app
