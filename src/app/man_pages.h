// Manual pages, made from what `--help` and docs/configuration.md are made from, so that they cannot differ from them.
#pragma once

#include <map>
#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

// By file name: "posthorn.1", one page a command ("posthorn-queue.1"), and "posthorn.toml.5". In man(7).
std::map<std::string, std::string> ManPages(const CLI::App& root);

// `posthorn man FOLDER`, which `--help` does not show: it is for whoever makes a package (`make man`).
void AddManPages(CLI::App* root, Invocation* invocation);

}  // namespace app
