// posthorn queue list|show|hold|release|requeue|remove
#pragma once

#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

// Holds what the options of these commands are parsed into. Borrows root and invocation, which outlive it.
class QueueSubcommands {
 public:
  QueueSubcommands(CLI::App* root, Invocation* invocation);
  QueueSubcommands(const QueueSubcommands&) = delete;
  QueueSubcommands& operator=(const QueueSubcommands&) = delete;

 private:
  // Hold, release, requeue, remove.
  struct Control {
    const char* name;
    const char* command;
    const char* description;
    const char* done;  // "held 80000001-2a".
  };
  CLI::App* AddCommand(CLI::App* group, const char* name, const char* description);
  CLI::App* AddControl(CLI::App* group, const Control& control);
  int List();
  int Show();
  int Change(const Control& control);

  Invocation* invocation_;
  std::string id_;
  bool yes_ = false;
};

}  // namespace app
