#include "node/node_rig.h"

#include <cstdlib>

#include <crypt.h>
#include <unistd.h>

#include "app/listeners.h"
#include "async/testing.h"
#include "base/check.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/random.h"

namespace node {
namespace {

namespace fs = std::filesystem;

app::NodeConfig ConfigFor(const fs::path& folder) {
  app::NodeConfig config;
  config.dev = true;
  config.hostname = "mx.example.test";
  config.data_folder = (folder / "data").string();
  config.control_socket = (folder / "control.sock").string();
  config.buffer_bytes = 32u << 20;
  config.index_bytes = 8u << 20;
  config.domains = {"example.test"};
  config.smtp_listen = config.pop3_listen = config.imap_listen = config.http_listen = {"127.0.0.1:0"};
  config.plaintext_auth_on_loopback = true;
  return config;
}

// Thousands of runs would bury what a test says: POSTHORN_NODE_LOG=1 shows the node's log.
void QuietLog() {
  if (std::getenv("POSTHORN_NODE_LOG") == nullptr) base::SetLogSink([](std::string_view) {});
}

struct KeptLines {
  std::string word;
  std::vector<std::string> lines;
};

base::Guarded<KeptLines>& Kept() {
  static base::Guarded<KeptLines> kept;
  return kept;
}

void KeepLine(std::string_view line) {
  Kept().With([&](KeptLines& kept) {
    if (line.starts_with(kept.word)) kept.lines.emplace_back(line);
  });
}

// In memory where there is such a place: RocksDB's and the epochs' own flushes are not what is tested here, and cost
// most of the time.
fs::path TemporaryFolder() {
  const fs::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK | X_OK) == 0 ? memory : fs::temp_directory_path();
}

template <class T>
void Must(const base::Result<T>& result) {
  if (!result.has_value()) std::fprintf(stderr, "NodeRig: %s\n", result.error().message().c_str());
  CHECK(result.has_value());
}

}  // namespace

LogLines::LogLines(std::string word) {
  Kept().With([&](KeptLines& kept) { kept = {.word = std::move(word), .lines = {}}; });
  base::SetLogSink(KeepLine);
}

LogLines::~LogLines() {
  base::SetLogSink([](std::string_view) {});
}

std::vector<std::string> LogLines::all() const {
  return Kept().With([](const KeptLines& kept) { return kept.lines; });
}

Folder::Folder() : path_(TemporaryFolder() / ("posthorn-node-" + base::RandomHex(6))) {
  fs::create_directories(path_);
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

mffs::SimImage FormattedImage(std::uint64_t size_bytes) {
  asio::io_context context;
  mffs::SimDevice device(context.get_executor(), size_bytes);
  Must(async::RunTask(context, mffs::Volume::Format(&device, {.segment_bytes = 1u << 20})));
  return device.Snapshot();
}

NodeRig::NodeRig(RigOptions options) : folder_(std::move(options.folder)) {
  QuietLog();
  shard_.Start();
  mffs::SimDevice::Options device_options;
  device_options.reorder_seed = options.reorder_seed;
  device_options.on_power_cut = [this] { OnPowerCut(); };
  auto device =
      std::make_unique<mffs::SimDevice>(shard_.executor(), std::move(options.image), std::move(device_options));
  device_ = device.get();
  app::NodeWorld world;
  world.shard = &shard_;
  world.clock = &clock_;
  world.device = std::move(device);
  world.volume_options = options.volume;
  world.judge = std::move(options.judge);
  app::NodeConfig config = ConfigFor(folder_);
  config.dns_servers = std::move(options.dns_servers);
  auto started = Run(app::Node::Start(std::move(config), std::move(world)));
  if (started.has_value()) {
    node_ = *std::move(started);
  } else {
    start_error_ = started.error().message();
    stopped_ = true;
  }
}

NodeRig::~NodeRig() {
  base::Ignore(Stop());  // A test that wants to know has called it.
  OnShard([this] { node_.reset(); });
  shard_.Abort();
  shard_.Join();
}

std::uint16_t NodeRig::port(std::string_view protocol) const {
  for (const auto& [name, address] : node_->listeners().addresses()) {
    if (name == protocol) return address.port;
  }
  CHECK(false);
}

std::uint64_t NodeRig::QueuedMails() {
  return OnShard([this] { return node_->parts().queue->Status().mails; });
}

void NodeRig::AddAccount(std::string address) {
  crypt_data scratch{};
  const char* const hash = ::crypt_r(std::string(kPassword).c_str(), "$5$rounds=1000$posthorn", &scratch);
  CHECK(hash != nullptr && hash[0] == '$');
  AddAccountWithHash(std::move(address), hash);
}

void NodeRig::AddAccountWithHash(std::string address, std::string hash) {
  Must(Run(store().CreateAccount(std::move(address), {.password_hash = std::move(hash)})));
}

base::Result<> NodeRig::Stop() {
  if (std::exchange(stopped_, true)) return {};
  return Run(node_->Stop());
}

void NodeRig::OnPowerCut() {
  // What RocksDB has in memory only is lost; its files are as they are now.
  const fs::path copy = data() / "index-at-cut";
  fs::copy(data() / "index", copy, fs::copy_options::recursive);
  device_->FailWhatWasCut();
}

Wreck NodeRig::TakeWreck(std::uint64_t seed, IndexFate index, Unflushed unflushed) {
  base::Ignore(Stop());  // Fails after a cut, as it should.
  Wreck wreck = OnShard([this, seed, unflushed] {
    const bool was_cut = device_->PowerWasCut();
    device_->CutPowerNow();
    const bool all_lost = unflushed == Unflushed::kLost;
    return Wreck{.image = all_lost ? device_->ImageAfter({}, seed) : device_->ImageAfter(seed), .was_cut = was_cut};
  });
  OnShard([this] { node_.reset(); });
  fs::remove_all(data() / "index");
  if (index == IndexFate::kKept) {
    fs::rename(data() / "index-at-cut", data() / "index");
  } else {
    fs::remove_all(data() / "index-at-cut");
  }
  return wreck;
}

}  // namespace node
