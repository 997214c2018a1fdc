// UringDevice: a block device through io_uring, driven from the shard's own io_context.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <liburing.h>

#include "async/asio.h"
#include "mffs/block_device.h"
#include "mffs/device_file.h"
#include "mffs/device_request.h"
#include "mffs/linked_write.h"

namespace mffs {

// Thread: one shard, that of the executor; no other thread is woken. Destroyed with nothing in flight (CHECKed: the
// kernel still writes into the buffers of what is). A durable write is one request with RWF_DSYNC where the disk has
// FUA or no volatile cache, else a write and an fdatasync linked to it (docs/decisions/0008-durable-writes.md). At most
// `depth` requests are with the kernel; more wait here, in order (their callers' buffers are what limits them).
class UringDevice final : public BlockDevice {
 public:
  enum class DurableBy : std::uint8_t { kAuto, kDsync, kFlush };
  struct Options {
    std::uint32_t depth = 64;
    DurableBy durable_by = DurableBy::kAuto;  // By what the kernel says of the disk below the file.
  };
  // Errors: kUnsupported (the kernel, a container or a limit refuses io_uring; says why). `file` is taken only on
  // success.
  static base::Result<std::unique_ptr<UringDevice>> Create(async::Executor executor, DeviceFile&& file,
                                                           Options options);
  ~UringDevice() override;
  UringDevice(const UringDevice&) = delete;
  UringDevice& operator=(const UringDevice&) = delete;

  std::uint64_t size_bytes() const override { return file_.size_bytes(); }
  const std::string& name() const override { return file_.path(); }
  void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) override;
  void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) override;
  void Flush(IoDone done) override;
  void Submit() override;
  // Pins the memory. When the kernel refuses (RLIMIT_MEMLOCK) a warning is logged and requests map it each time.
  void RegisterBuffers(base::MutableByteSpan memory) override;

 private:
  // Owns the kernel's ring.
  struct Ring {
    Ring() = default;
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    // `has_links`: requests that others wait for in the kernel.
    int Open(std::uint32_t entries, bool has_links);
    io_uring uring{};
    bool is_open = false;
  };

  // A request in the ring.
  struct Slot {
    DeviceRequest request;
    LinkedWrite linked{};  // When it is one (IsLinked()).
  };
  // Entries that a request may need.
  static constexpr std::uint32_t kEntriesMax = 2;

  UringDevice(async::Executor executor, DeviceFile file, std::unique_ptr<Ring> ring, std::uint32_t depth,
              bool durable_by_dsync);
  void Start(DeviceRequest request);
  void Prepare(DeviceRequest request);
  void PrepareFlush(std::uint32_t slot);
  void PrepareTransfer(std::uint32_t slot);
  void Address(io_uring_sqe* entry, std::uint64_t user_data) const;
  int RegisteredIndex(const DeviceRequest& request) const;
  bool IsLinked(const DeviceRequest& request) const;
  void EnterKernel();
  void NotePartedLink();
  void AwaitCompletions();
  void Reap();
  void OnAnswer(std::uint64_t user_data, std::int64_t answer);
  void End(std::uint32_t slot, std::int64_t answer);

  async::Executor executor_;
  DeviceFile file_;
  std::unique_ptr<Ring> ring_;
  // The ring's own descriptor is readable when a completion waits: cheaper than an eventfd, which has to be read each
  // time.
  asio::posix::basic_stream_descriptor<async::Executor> readable_;
  bool durable_by_dsync_;
  std::vector<Slot> slots_;  // The kernel's user_data is twice the index, and one more for a linked flush.
  std::vector<std::uint32_t> free_slots_;
  std::deque<DeviceRequest> overflow_;
  base::MutableByteSpan registered_;
  bool fixed_file_ = false;
  bool awaiting_ = false;
  bool reaping_ = false;
  std::shared_ptr<bool> alive_;  // Owners: this, and a Reap() under way, whose callbacks may destroy the device.
};

}  // namespace mffs
