// NodeRig: the complete node, sockets included, on a simulated disk: for tests that play the world's part.
//
//   NodeRig rig({.image = FormattedImage(48u << 20), .folder = folder});
//   Client client(rig.port("smtp"));
//   rig.OnShard([&rig] { rig.device().HoldSyncs(true); });
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/use_future.hpp>

#include "app/node.h"
#include "app/node_parts.h"
#include "async/shard.h"
#include "base/clock.h"
#include "mffs/sim_device.h"

namespace node {

inline constexpr std::string_view kPassword = "posthorn";

// A new empty folder, removed with what is in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A disk with an empty volume on it.
mffs::SimImage FormattedImage(std::uint64_t size_bytes);

// What is left when the power was cut: the disk, and in the folder the index as it was at that moment.
struct Wreck {
  mffs::SimImage image;
  bool was_cut = false;  // By CutPowerAfter; false: the node had ended before.
};

enum class IndexFate : std::uint8_t { kKept, kDeleted };
// What became of the writes that were not durable.
enum class Unflushed : std::uint8_t { kBySeed, kLost };

// Checkpoints come within a load of a few hundred kilobytes, so that cuts fall into them too.
inline mffs::VolumeOptions SmallVolume() {
  mffs::VolumeOptions options;
  options.checkpoint_bytes = 256u << 10;
  return options;
}

// The lines of the node's log whose event begins with a word, from here to the end of this object. Not two at once.
class LogLines {
 public:
  explicit LogLines(std::string word);
  ~LogLines();
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  std::vector<std::string> all() const;
};

struct RigOptions {
  mffs::SimImage image;
  // Keeps what the node keeps besides the volume; outlives the rig.
  std::filesystem::path folder{};
  mffs::VolumeOptions volume = SmallVolume();
  std::unique_ptr<smtp::Judge> judge = std::make_unique<smtp::ImpartialJudge>();
  std::vector<std::string> dns_servers{};       // As in dns.servers.
  std::optional<std::uint64_t> reorder_seed{};  // Operations in flight at the disk have their turns in a random order.
};

// Thread: the test's; the node runs on a shard of its own. A failed CHECK names what did not work.
class NodeRig {
 public:
  // Starts the node; start_error() says why it did not.
  explicit NodeRig(RigOptions options);
  ~NodeRig();
  NodeRig(const NodeRig&) = delete;
  NodeRig& operator=(const NodeRig&) = delete;

  // Empty when the node runs.
  const std::string& start_error() const { return start_error_; }
  std::uint16_t port(std::string_view protocol) const;

  // Runs `call` on the shard, and waits for it.
  template <class F>
  auto OnShard(F call) {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(call));
    auto result = task.get_future();
    asio::post(shard_.executor(), [&task] { task(); });
    return result.get();
  }
  // Runs a task on the shard to its end.
  template <class T>
  T Run(async::Task<T> task) {
    return asio::co_spawn(shard_.executor(), std::move(task), asio::use_future).get();
  }
  // Only on the shard, from here ...
  mffs::SimDevice& device() { return *device_; }
  mffs::Volume& volume() { return *node_->parts().volume; }
  store::MailStore& store() { return *node_->parts().store; }
  queue::MailQueue& queue() { return *node_->parts().queue; }
  app::Node::Parts& parts() { return node_->parts(); }
  // ... to here.
  // Mails that the queue holds now.
  std::uint64_t QueuedMails();

  // An account whose password is kPassword, with a hash that is quick to verify.
  void AddAccount(std::string address);
  void AddAccountWithHash(std::string address, std::string hash);

  // Ends the node: an error after a power cut or on a read-only volume.
  base::Result<> Stop();
  // Ends the node if it still runs, then says what a restart finds. The seed decides what became of each unflushed
  // write.
  Wreck TakeWreck(std::uint64_t seed, IndexFate index, Unflushed unflushed = Unflushed::kBySeed);

 private:
  void OnPowerCut();
  std::filesystem::path data() const { return folder_ / "data"; }

  std::filesystem::path folder_;
  base::SystemClock clock_;
  async::Shard shard_{"node"};
  mffs::SimDevice* device_ = nullptr;  // The node's.
  std::unique_ptr<app::Node> node_;
  std::string start_error_;
  bool stopped_ = false;
};

}  // namespace node
