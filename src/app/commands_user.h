// posthorn user add|passwd|remove|quota|list
#pragma once

#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"
#include "base/result.h"

namespace app {

// Holds what the options of these commands are parsed into. Borrows root and invocation, which outlive it.
class UserSubcommands {
 public:
  UserSubcommands(CLI::App* root, Invocation* invocation);
  UserSubcommands(const UserSubcommands&) = delete;
  UserSubcommands& operator=(const UserSubcommands&) = delete;

 private:
  CLI::App* AddCommand(CLI::App* group, const char* name, const char* description, const char* footer);
  int Add();
  int SetPassword();
  int Remove();
  int Quota();
  int List();

  base::Result<std::string> Password() const;
  base::Result<boost::json::object> CallWithPassword(const char* command) const;

  Invocation* invocation_;
  std::string address_;
  std::string bytes_max_;
  std::string mails_max_;
  bool password_stdin_ = false;
  bool yes_ = false;
};

}  // namespace app
