#include "app/serve.h"

#include <cstdio>

#include <boost/asio/signal_set.hpp>

#include "app/config.h"
#include "app/node.h"
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

// Runs a node from its start to the signal that ends it; leaves the exit code.
async::Task<void> RunNode(NodeConfig config, async::Shard* shard, const base::Clock* clock, int* exit_code) {
  Signals signals(shard->executor(), SIGINT, SIGTERM);
  auto node = co_await Node::Start(std::move(config), {.shard = shard, .clock = clock, .device = nullptr});
  if (!node) {
    std::fprintf(stderr, "posthorn: %s\n", node.error().message().c_str());
    *exit_code = 1;
    shard->Abort();
    co_return;
  }
  std::fputs((*node)->Welcome().c_str(), stdout);
  std::fflush(stdout);
  const auto [error, signal] = co_await signals.async_wait(async::as_result);
  base::LogInfo("stopping", {{"signal", signal}});
  const auto stopped = co_await (*node)->Stop();
  if (!stopped) {
    std::fprintf(stderr, "posthorn: stopped, but %s\n", stopped.error().message().c_str());
    *exit_code = 1;
  }
  node->reset();
  shard->Abort();
}

}  // namespace

int Serve(const std::string& config_path) {
  auto config = LoadConfig(config_path);
  if (!config) {
    std::fprintf(stderr, "posthorn: %s\n", config.error().message().c_str());
    return 1;
  }
  base::SetLogLevel(LevelOf(config->log_level));
  const base::SystemClock clock;
  async::Shard shard("core");
  int exit_code = 0;
  asio::co_spawn(shard.context(), RunNode(*std::move(config), &shard, &clock, &exit_code),
                 [](const std::exception_ptr& error) {
                   if (error) std::rethrow_exception(error);
                 });
  shard.RunHere();
  return exit_code;
}

}  // namespace app
