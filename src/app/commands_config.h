// `posthorn config`: what is wrong with a configuration and its tables, and where mail for an address goes by them.
#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"
#include "app/config.h"
#include "routing/problem.h"

namespace app {

// All problems of the file, and of the tables, addresses and certificate that it names. Reads only.
std::vector<routing::Problem> CheckConfigFile(const std::string& path);

// Needs no node. Owned by RunCommandLine.
class ConfigSubcommands {
 public:
  ConfigSubcommands(CLI::App* root, Invocation* invocation);

 private:
  int Check();
  int Resolve();

  Invocation* invocation_;
  std::string address_;
};

}  // namespace app
