// Invocation: one run of the program: the options that all commands share, and what the chosen command will do.
#pragma once

#include <functional>
#include <string>

#include <CLI/App.hpp>
#include <boost/json/object.hpp>

#include "admin/control_client.h"
#include "app/commands.h"
#include "base/result.h"

namespace app {

inline constexpr const char* kDefaultConfig = "/etc/posthorn/posthorn.toml";

// Owned by RunCommandLine; the subcommands borrow it.
class Invocation {
 public:
  explicit Invocation(Terminal terminal) : terminal_(terminal) {}
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  // Adds --config, --socket and --json.
  void AddOptions(CLI::App* root);
  // Makes `command` run `action` when it is chosen.
  void SetAction(CLI::App* command, std::function<int()> action);
  // Runs what was chosen; called after parsing.
  int Run() { return action_(); }

  bool is_json() const { return is_json_; }
  // The configuration file: --config, or the default one.
  std::string ConfigPath() const { return config_path_.empty() ? kDefaultConfig : config_path_; }
  // As --config.
  void SetConfigPath(std::string path) { config_path_ = std::move(path); }
  const Terminal& terminal() const { return terminal_; }
  std::ostream& out() const { return *terminal_.out; }

  // A connection to the node. Its socket: --socket, else the one in --config, else $POSTHORN_SOCKET, else the one in
  // the default configuration, else the default one.
  base::Result<admin::ControlClient> ConnectToNode() const;

  // Prints the error's sentence and returns the exit code that goes with it.
  int Fail(const base::Error& error) const;
  // Prints `object` on one line.
  int PrintJson(const boost::json::object& object) const;

 private:
  base::Result<std::string> SocketPath() const;

  Terminal terminal_;
  std::string config_path_;
  std::string socket_path_;
  bool is_json_ = false;
  std::function<int()> action_;
};

}  // namespace app
