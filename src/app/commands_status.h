// posthorn status
#pragma once

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

void AddStatusSubcommand(CLI::App* root, Invocation* invocation);

}  // namespace app
