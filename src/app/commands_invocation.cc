#include "app/commands_invocation.h"

#include <cstdlib>
#include <filesystem>

#include <boost/json/serialize.hpp>

#include "app/config.h"

namespace app {

void Invocation::AddOptions(CLI::App* root) {
  root->add_option("--config", config_path_, std::string("Configuration file (default ") + kDefaultConfig + ")")
      ->type_name("FILE");
  root->add_option(
          "--socket", socket_path_,
          "Control socket of the node (default: the one in --config, else $POSTHORN_SOCKET, else the one in the "
          "default configuration)")
      ->type_name("PATH");
  root->add_flag("--json", is_json_, "Print JSON: one object, or one object a line for lists");
}

void Invocation::SetAction(CLI::App* command, std::function<int()> action) {
  command->callback([this, action = std::move(action)] { action_ = action; });
}

base::Result<std::string> Invocation::SocketPath() const {
  if (!socket_path_.empty()) return socket_path_;
  if (config_path_.empty()) {
    const char* const from_environment = std::getenv("POSTHORN_SOCKET");
    if (from_environment != nullptr && *from_environment != '\0') return std::string(from_environment);
    if (!std::filesystem::exists(kDefaultConfig)) return NodeConfig().ControlSocketPath();
  }
  ASSIGN_OR_RETURN(const NodeConfig config, LoadConfig(ConfigPath()));
  return config.ControlSocketPath();
}

base::Result<admin::ControlClient> Invocation::ConnectToNode() const {
  ASSIGN_OR_RETURN(const std::string path, SocketPath());
  return admin::ControlClient::Connect(path);
}

int Invocation::Fail(const base::Error& error) const {
  *terminal_.err << "posthorn: " << error.message() << '\n';
  return error.code() == base::Errc::kClosed ? kExitNoNode : kExitFailed;
}

int Invocation::PrintJson(const boost::json::object& object) const {
  out() << boost::json::serialize(object) << '\n';
  return kExitOk;
}

}  // namespace app
