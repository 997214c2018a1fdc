#include "app/serve.h"

#include <cstdio>
#include <optional>

#include <boost/asio/signal_set.hpp>
#include <sys/stat.h>

#include "app/config.h"
#include "app/node.h"
#include "app/privileges.h"
#include "app/service_notifier.h"
#include "async/task_group.h"
#include "base/log.h"

namespace app {
namespace {

base::LogLevel LevelOf(const std::string& name) {
  if (name == "debug") return base::LogLevel::kDebug;
  if (name == "warning") return base::LogLevel::kWarning;
  if (name == "error") return base::LogLevel::kError;
  return base::LogLevel::kInfo;
}

using Signals = asio::basic_signal_set<async::Executor>;

// One run of the program as a node. Lives on the stack of Serve().
struct Run {
  std::string config_path;
  async::Shard* shard;
  const base::Clock* clock;
  ServiceNotifier notifier{ServiceNotifier::FromEnvironment()};
  int exit_code = 0;
};

void Fail(Run* run, const std::string& sentence) {
  std::fprintf(stderr, "posthorn: %s\n", sentence.c_str());
  run->exit_code = 1;
}

// Gives all that root made to the user, and becomes it.
base::Result<> GiveUpRoot(const std::string& data_folder, const std::string& volume_file, const RunAs& user) {
  RETURN_IF_ERROR(HandOver(data_folder, user));
  RETURN_IF_ERROR(HandOverFile(volume_file, user));
  RETURN_IF_ERROR(BecomeUser(user));
  base::LogInfo("became_user", {{"user", user.name}, {"uid", user.user_id}, {"gid", user.group_id}});
  return {};
}

async::Task<void> ReloadNode(Run* run, Node* node) {
  run->notifier.Reloading();
  base::Result<> reloaded;
  auto config = LoadConfig(run->config_path);
  if (config) {
    const base::LogLevel level = LevelOf(config->log_level);
    reloaded = co_await node->Reload(*std::move(config));
    if (reloaded) base::SetLogLevel(level);
  } else {
    reloaded = std::move(config).error();
  }
  if (!reloaded) {
    base::LogError("reload_failed",
                   {{"why", reloaded.error().message()},
                    {"do", "mend the file and reload again; the configuration in force has not changed"}});
  }
  run->notifier.Ready(reloaded ? "Serving" : "Serving with the old configuration: " + reloaded.error().message());
}

// Until a signal ends it.
async::Task<void> HandleSignals(Run* run, Node* node, Signals* signals) {
  for (;;) {
    const auto [error, signal] = co_await signals->async_wait(async::as_result);
    if (signal != SIGHUP) {
      base::LogInfo("stopping", {{"signal", signal}});
      co_return;
    }
    co_await ReloadNode(run, node);
  }
}

// Runs a node from its start to the signal that ends it; leaves the exit code.
async::Task<void> RunNode(Run* run, NodeConfig config, std::optional<RunAs> user) {
  Signals signals(run->shard->executor(), SIGINT, SIGTERM, SIGHUP);
  async::TaskGroup signs_of_life(run->shard->executor(), "watchdog");
  NodeWorld world{.shard = run->shard, .clock = run->clock, .device = nullptr};
  if (user) {
    world.on_opened = [folder = config.data_folder, user = *user](const std::string& volume_file) {
      return GiveUpRoot(folder, volume_file, user);
    };
  }
  world.on_progress = [run](const std::string& sentence) { run->notifier.Status(sentence); };
  run->notifier.Status("Starting");
  auto node = co_await Node::Start(std::move(config), std::move(world));
  if (!node) {
    Fail(run, node.error().message());
    run->shard->Abort();
    co_return;
  }
  std::fputs((*node)->Welcome().c_str(), stdout);
  std::fflush(stdout);
  run->notifier.Ready("Serving");
  signs_of_life.Spawn(run->notifier.KeepAlive());
  co_await HandleSignals(run, node->get(), &signals);
  run->notifier.Stopping();
  const auto stopped = co_await (*node)->Stop();
  if (!stopped) Fail(run, "stopped, but " + stopped.error().message());
  co_await signs_of_life.Stop();
  node->reset();
  run->shard->Abort();
}

}  // namespace

int Serve(const std::string& config_path) {
  const base::SystemClock clock;
  async::Shard shard("core");
  Run run{.config_path = config_path, .shard = &shard, .clock = &clock};
  auto config = LoadConfig(config_path);
  if (!config) {
    Fail(&run, config.error().message());
    return run.exit_code;
  }
  // Before the first thread and the first line of the log, which has one.
  ::umask(0077);
  auto user = WhomToBecome(*config);
  if (user && *user) {
    if (auto forbidden = ForbidNewPrivileges(); !forbidden) user = std::move(forbidden).error();
  }
  if (!user) {
    Fail(&run, user.error().message());
    return run.exit_code;
  }
  base::SetLogLevel(LevelOf(config->log_level));
  RaiseLimits();
  asio::co_spawn(shard.context(), RunNode(&run, *std::move(config), *std::move(user)),
                 [](const std::exception_ptr& error) {
                   if (error) std::rethrow_exception(error);
                 });
  shard.RunHere();
  return run.exit_code;
}

}  // namespace app
