// TestNode: a node without protocols, for tests: log and store on a simulated disk and a temporary folder, in one
// io_context.
//
//   store::TestNode node;
//   const auto account = node.AddAccount("alice@example.test");
//   node.Deliver("alice@example.test", "Subject: hi\r\n\r\nhello\r\n");
//   node.Restart(store::TestIndex::kDeleted);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "async/asio.h"
#include "async/testing.h"
#include "async/worker_pool.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "mffs/buffer_pool.h"
#include "mffs/sim_device.h"
#include "mffs/volume.h"
#include "replog/local_coordinator.h"
#include "replog/log.h"
#include "store/keys.h"
#include "store/mail_store.h"
#include "store/rows.h"
#include "store/snapshot.h"

namespace store {

// A new empty folder, removed with what is in it. Thread: any.
class TestFolder {
 public:
  TestFolder() : path_(std::filesystem::temp_directory_path() / ("posthorn-store-" + base::RandomHex(8))) {
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A number for the state of a partition: give it to WriteSnapshot. Equal states have equal digests on every node and
// after every restart: where bodies lie and when a snapshot was taken is left out.
class StateDigest final : public replog::SnapshotWriter {
 public:
  explicit StateDigest(std::uint32_t seed = 0) : value_(seed) {}
  void Keep(std::size_t) override { CHECK(false); }  // The store writes its pieces anew.
  async::Task<base::Result<>> Write(std::string piece) override {
    Add(piece);
    co_return base::Result<>();
  }
  void Add(std::string_view piece) {
    CHECK(piece.size() <= kSnapshotPieceBytes);
    base::Decoder in(piece);
    Mix(std::string(1, static_cast<char>(in.U8())));
    while (in.remaining() > 0) {
      const std::string_view key = in.Text();
      std::string value(in.Text());
      CHECK(in.ok() && !key.empty());
      if (key[0] == static_cast<char>(RowKind::kBody)) value = WithoutPlaces(value);
      if (key[0] == static_cast<char>(RowKind::kPartition)) value = WithoutMark(value);
      Mix(key);
      Mix(value);
    }
  }
  std::uint32_t value() const { return value_; }

 private:
  static std::string WithoutPlaces(std::string_view value) {
    BodyRow row;
    CHECK(row.DecodeFrom(value));
    row.body.extents.assign(row.body.extents.size(), {});
    std::string text;
    row.EncodeTo(text);
    return text;
  }
  static std::string WithoutMark(std::string_view value) {
    PartitionRow row;
    CHECK(row.DecodeFrom(value));
    row.snapshot_index = 0;
    std::string text;
    row.EncodeTo(text);
    return text;
  }
  void Mix(std::string_view text) {
    value_ = base::Crc32c(base::AsBytes(text), value_ + static_cast<std::uint32_t>(text.size()));
  }
  std::uint32_t value_;
};

// The mailbox partitions' state machine is tested here; the queue partitions have none unless the test brings one.
class NoQueue final : public replog::StateMachine {
 public:
  void Apply(const replog::EntryView&, std::function<void(base::Result<std::string>)> done) override {
    done(std::string());
  }
  void BodiesMoved(replog::PartitionId, std::vector<BodyMove>) override {}
  async::Task<base::Result<replog::Index>> WriteSnapshot(replog::PartitionId, replog::SnapshotWriter*) override {
    co_return base::Error(base::Errc::kUnsupported, "no queue in this test");
  }
  bool BeginSnapshot(replog::PartitionId, replog::Index) override { return false; }
  base::Result<> LoadSnapshotPiece(replog::PartitionId, std::string_view) override { return {}; }
  async::Task<base::Result<>> EndSnapshot(replog::PartitionId) override { co_return base::Result<>(); }
  async::Task<base::Result<>> Recovered() override { co_return base::Result<>(); }
};

// What becomes of the RocksDB folder at a restart or crash. kFlushed: at a crash, RocksDB has written all it was given
// to its files, so that it is ahead of the volume's last checkpoint.
enum class TestIndex { kKept, kDeleted, kFlushed };

struct TestNodeOptions {
  std::uint64_t device_bytes = 64u << 20;
  std::uint64_t seed = 1;
  std::uint32_t mailbox_partitions = 4;
  mffs::VolumeOptions volume{};
  mffs::BufferPool::Options pool{.budget_bytes = 32u << 20};
  replog::LogOptions log{};
  MailStoreOptions store{.index_memory_bytes = 8u << 20, .special_mailboxes = false};
  // The state machine of the queue partitions, made anew at each start; NoQueue without it.
  std::function<std::unique_ptr<replog::StateMachine>(async::Executor, replog::Log*, const base::Clock*)> make_queue{};
};

// Thread: the test's; Run() turns the context. A failed CHECK names what did not work.
class TestNode {
 public:
  explicit TestNode(TestNodeOptions options = {}) : options_(std::move(options)) {
    device_ = std::make_unique<mffs::SimDevice>(executor(), options_.device_bytes);
    Must(Run(mffs::Volume::Format(device_.get(), mffs::FormatOptions{.segment_bytes = 1u << 20})));
    Start();
  }
  ~TestNode() {
    if (store_ != nullptr) Shut();
  }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  async::Executor executor() { return context_.get_executor(); }
  asio::io_context& context() { return context_; }
  base::SimClock& clock() { return clock_; }
  mffs::SimDevice& device() { return *device_; }
  mffs::BufferPool& pool() { return *pool_; }
  replog::Log& log() { return *log_; }
  MailStore& store() { return *store_; }
  mffs::Volume& volume() { return *volume_; }
  std::filesystem::path index_folder() const { return folder_ / "index"; }

  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(context_, std::move(task));
  }
  // The same for calls that must succeed.
  template <class T>
  T Do(async::Task<base::Result<T>> task) {
    auto result = Run(std::move(task));
    Must(result);
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  // For the next start.
  TestNodeOptions& options() { return options_; }

  // Stops properly and starts again.
  void Restart(TestIndex index = TestIndex::kKept) {
    Shut();
    // A volume registers its buffers with a device once: the next one gets a device of its own with the same bytes.
    device_ = std::make_unique<mffs::SimDevice>(executor(), mffs::SimImage(device_->Snapshot()));
    if (index == TestIndex::kDeleted) std::filesystem::remove_all(index_folder());
    Start();
  }

  // Cuts the power: the disk keeps what `seed` decides of what was not durable, RocksDB the files that it had written.
  void Crash(std::uint64_t seed, TestIndex index = TestIndex::kKept) {
    device_->CutPowerNow();
    const std::filesystem::path copy = folder_ / "index-at-crash";
    CopyIndex(copy);
    mffs::SimImage image = device_->ImageAfter(seed);
    device_->FailWhatWasCut();
    Shut();
    device_ = std::make_unique<mffs::SimDevice>(executor(), std::move(image));
    if (index != TestIndex::kFlushed) std::filesystem::remove_all(index_folder());
    if (index == TestIndex::kKept) std::filesystem::rename(copy, index_folder());
    std::filesystem::remove_all(copy);
    Start();
  }

  // Another, empty volume in the place of this one; the index stays.
  void ReplaceVolume() {
    Shut();
    device_ = std::make_unique<mffs::SimDevice>(executor(), options_.device_bytes);
    Must(Run(mffs::Volume::Format(device_.get(), mffs::FormatOptions{.segment_bytes = 1u << 20})));
    Start();
  }

  // Stops, and starts on another image of the volume; the index is kept as it is at a proper stop, or deleted.
  void RestartOn(mffs::SimImage image, TestIndex index = TestIndex::kDeleted) {
    Shut();
    device_ = std::make_unique<mffs::SimDevice>(executor(), std::move(image));
    if (index == TestIndex::kDeleted) std::filesystem::remove_all(index_folder());
    Start();
  }

  // ---- Short cuts ----
  Account AddAccount(std::string address, std::string password_hash = "*") {
    return Do(store_->CreateAccount(std::move(address), {.password_hash = std::move(password_hash)}));
  }
  replog::Body MakeBody(std::string text) { return Do(WriteBody(store_.get(), std::move(text))); }
  // Into the INBOX, with a random delivery id.
  void Deliver(std::string address, std::string text) {
    Delivery delivery;
    delivery.internal_date = clock_.WallNow();
    DeliveryTarget target;
    target.delivery_id = RandomDeliveryId();
    target.prefix = "Return-Path: <sender@example.test>\r\nDelivered-To: " + address + "\r\n";
    target.address = std::move(address);
    delivery.targets.push_back(std::move(target));
    delivery.body = MakeBody(std::move(text));
    Do(store_->Deliver(std::move(delivery)));
  }
  mail::DeliveryId RandomDeliveryId() {
    mail::DeliveryId id;
    for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(random_.Next());
    return id;
  }

 private:
  static async::Task<base::Result<replog::Body>> WriteBody(MailStore* store, std::string text) {
    replog::BodyWriter writer = store->NewBody();
    CO_RETURN_IF_ERROR(co_await writer.Write(text));
    co_return co_await writer.Finish();
  }
  template <class T>
  static void Must(const base::Result<T>& result) {
    if (!result.has_value()) std::fprintf(stderr, "TestNode: %s\n", result.error().message().c_str());
    CHECK(result.has_value());
  }

  // RocksDB may drop files meanwhile: until a copy was whole.
  void CopyIndex(const std::filesystem::path& to) {
    std::error_code failed;
    do {
      std::filesystem::remove_all(to);
      failed.clear();
      std::filesystem::copy(index_folder(), to, std::filesystem::copy_options::recursive, failed);
    } while (failed == std::errc::no_such_file_or_directory);
    CHECK(!failed);
  }

  void Start() {
    pool_ = std::make_unique<mffs::BufferPool>(executor(), options_.pool);
    auto volume = Run(mffs::Volume::Open(device_.get(), &clock_, options_.volume));
    Must(volume);
    volume_ = *std::move(volume);
    coordinator_ = std::make_unique<replog::LocalCoordinator>(executor(), &files_, (folder_ / "epochs").string());
    Must(Run(coordinator_->Load()));
    replog::LogOptions log_options = options_.log;
    log_options.mailbox_partitions = options_.mailbox_partitions;
    log_ = std::make_unique<replog::Log>(executor(), volume_.get(), pool_.get(), coordinator_.get(), log_options);
    MailStoreOptions store_options = options_.store;
    store_options.index_folder = index_folder().string();
    auto store = MailStore::Open(executor(), log_.get(), &clock_, store_options);
    Must(store);
    store_ = *std::move(store);
    queue_ = options_.make_queue ? options_.make_queue(executor(), log_.get(), &clock_) : std::make_unique<NoQueue>();
    Must(Run(log_->Recover(store_.get(), queue_.get())));
  }
  void Shut() {
    store_->HoldWorkers(false);
    Run(store_->Stop());
    Run(log_->Stop());
    base::Ignore(Run(volume_->Close()));  // After a power cut it fails, as it should.
    queue_.reset();
    store_.reset();
    log_.reset();
    coordinator_.reset();
    volume_.reset();
    pool_.reset();
  }

  TestNodeOptions options_;
  TestFolder folder_;
  asio::io_context context_{1};
  base::SimClock clock_;
  base::Random random_{options_.seed};
  async::WorkerPool files_{{.name = "test-files"}};
  std::unique_ptr<mffs::SimDevice> device_;
  std::unique_ptr<mffs::BufferPool> pool_;
  std::unique_ptr<mffs::Volume> volume_;
  std::unique_ptr<replog::LocalCoordinator> coordinator_;
  std::unique_ptr<replog::Log> log_;
  std::unique_ptr<MailStore> store_;
  std::unique_ptr<replog::StateMachine> queue_;
};

}  // namespace store
