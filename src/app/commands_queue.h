// posthorn queue list|show|cat: what waits, and why. What changes it: app/commands_queue_change.h.
#pragma once

#include <cstdint>
#include <string>

#include <CLI/App.hpp>
#include <boost/json/object.hpp>

#include "app/commands_invocation.h"
#include "app/commands_queue_change.h"
#include "app/commands_queue_criteria.h"

namespace app {

// Holds what the options of these commands are parsed into. Borrows root and invocation, which outlive it.
class QueueSubcommands {
 public:
  QueueSubcommands(CLI::App* root, Invocation* invocation);
  QueueSubcommands(const QueueSubcommands&) = delete;
  QueueSubcommands& operator=(const QueueSubcommands&) = delete;

 private:
  void AddList(CLI::App* group);
  void AddShow(CLI::App* group);
  void AddCat(CLI::App* group);
  int List();
  int ListMails(admin::ControlClient* node);
  int Tally(admin::ControlClient* node);
  int Show();
  int Cat();

  Invocation* invocation_;
  QueueCriteria criteria_;
  std::unique_ptr<QueueChangeSubcommands> changes_;
  std::string id_;
  std::string by_;
  std::uint32_t limit_ = 0;
  bool header_only_ = false;
};

}  // namespace app
