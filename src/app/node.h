// Node: one running Posthorn: the object graph from the device up to the listeners.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/config.h"
#include "async/asio.h"
#include "async/shard.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/volume.h"
#include "net/resolver.h"
#include "smtp/server/judge.h"

namespace app {

class Listeners;

// What a test puts in the place of the world.
struct NodeWorld {
  async::Shard* shard = nullptr;  // Runs everything but the worker threads.
  const base::Clock* clock = nullptr;
  std::unique_ptr<mffs::BlockDevice> device;  // Null: the volume that the configuration names is opened, or made.
  mffs::VolumeOptions volume_options{};
  std::unique_ptr<net::Resolver> resolver;  // Null: libunbound, as the configuration says.
  std::unique_ptr<smtp::Judge> judge = std::make_unique<smtp::ImpartialJudge>();
  // Called once all addresses are taken and the volume's file or device is open, before it is read or written and
  // anything else is opened: the moment to give up root's rights. Gets the path that was opened. Null: nothing to do.
  std::function<base::Result<>(const std::string& volume_file)> on_opened = nullptr;
  // Called with a sentence every few seconds of a start that takes long. May be null.
  std::function<void(const std::string&)> on_progress = nullptr;
};

// Thread: the shard's. Life: Start(), then Stop() before destruction.
class Node {
 public:
  // Opens or makes the volume, recovers, makes missing accounts (dev), opens all sockets, serves.
  // Errors: one sentence that says what to do; nothing is left running.
  static async::Task<base::Result<std::unique_ptr<Node>>> Start(NodeConfig config, NodeWorld world);
  ~Node();

  // Puts in force what of `next` can be changed while the node runs, and reads certificates and tables again; open
  // connections stay. What needs a restart is logged, a line a key. Errors: a file is bad; then nothing has changed.
  async::Task<base::Result<>> Reload(NodeConfig next);

  // Ends sessions, takes a checkpoint, closes the volume.
  async::Task<base::Result<>> Stop();

  const Listeners& listeners() const;
  // What an operator sees at start: addresses and how to try it.
  std::string Welcome() const;

  struct Parts;  // app/node_parts.h
  // For tests, which look inside and stall what is there. On the shard.
  Parts& parts() { return *parts_; }

 private:
  explicit Node(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace app
