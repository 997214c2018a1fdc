// posthorn queue hold|release|requeue|flush|remove: of mails named by their ids, or of all that match.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <boost/json/object.hpp>

#include "admin/control_client.h"
#include "app/commands_invocation.h"
#include "app/commands_queue_criteria.h"

namespace app {

// Holds what the options of these commands are parsed into. Borrows all three, which outlive it.
class QueueChangeSubcommands {
 public:
  QueueChangeSubcommands(CLI::App* group, Invocation* invocation, QueueCriteria* criteria);
  QueueChangeSubcommands(const QueueChangeSubcommands&) = delete;
  QueueChangeSubcommands& operator=(const QueueChangeSubcommands&) = delete;

 private:
  struct Control {
    const char* name;
    const char* command;
    const char* description;
    const char* done;  // "held 80000001-2a".
    const char* example;
  };
  // Of all steps of a change of many.
  struct Changed {
    std::uint64_t mails = 0;
    std::uint64_t left = 0;
    std::uint64_t with_others = 0;
    std::uint64_t pauses_ended = 0;
  };

  void Add(CLI::App* group, const Control& control);
  int Change(const Control& control);
  int ChangeNamed(const Control& control, admin::ControlClient* node);
  int ChangeMatching(const Control& control, admin::ControlClient* node);
  base::Result<Changed> ChangeInSteps(const Control& control, admin::ControlClient* node, bool dry_run);
  base::Result<> Confirm(const Control& control, admin::ControlClient* node);
  void Report(const Control& control, const Changed& changed);

  Invocation* invocation_;
  QueueCriteria* criteria_;
  std::vector<std::string> ids_;
  bool all_ = false;
  bool dry_run_ = false;
  bool quiet_ = false;
  bool whole_mail_ = false;
  bool yes_ = false;
};

}  // namespace app
