// Reloader: changes what a running node can change without ending a connection: all of it, or nothing.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/config.h"
#include "async/asio.h"
#include "async/worker_pool.h"
#include "base/result.h"

namespace app {

// What a new configuration changes.
struct ConfigChanges {
  NodeConfig effective;                        // The one in force with the changed keys that a reload can change.
  std::vector<std::string_view> applied;       // Keys.
  std::vector<std::string_view> need_restart;  // Keys that changed too, but count from the next start on.
};
ConfigChanges CompareConfigs(const NodeConfig& in_force, const NodeConfig& next);

// Each part of a node that reads files or keeps values of the configuration adds itself. Run() first prepares all
// parts, on a worker (they read files, which may be long), and if all succeed applies them, on the shard, without a
// pause.
//
// Thread: the node's shard. Borrows the worker.
class Reloader {
 public:
  // Puts in force what was prepared; cannot fail. On the shard.
  using Apply = std::function<void()>;
  // Reads what `effective` names, and changes nothing yet. On the worker: touches nothing of the shard's. Errors: one
  // sentence that names the file.
  using Prepare = std::function<base::Result<Apply>(const NodeConfig& effective)>;

  explicit Reloader(async::WorkerPool* worker) : worker_(worker) {}

  // `name` stands in the log line of a failure: "certificate".
  void Add(std::string name, Prepare prepare) { parts_.push_back({std::move(name), std::move(prepare)}); }

  // Errors: those of the first part that fails; then nothing has changed. One call at a time.
  async::Task<base::Result<>> Run(NodeConfig effective);

 private:
  struct Part {
    std::string name;
    Prepare prepare;
  };
  base::Result<std::vector<Apply>> PrepareAll(const NodeConfig& effective) const;

  async::WorkerPool* worker_;
  std::vector<Part> parts_;
};

}  // namespace app
