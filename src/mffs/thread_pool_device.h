// ThreadPoolDevice: a block device through pwritev2 and preadv2 on a few threads, where io_uring is refused.
#pragma once

#include <memory>
#include <vector>

#include "async/asio.h"
#include "async/worker_pool.h"
#include "mffs/block_device.h"
#include "mffs/device_file.h"
#include "mffs/device_request.h"

namespace mffs {

// Thread: one shard, that of the executor; the workers touch only the descriptor and the requests' memory.
// Destroyed with nothing in flight (CHECKed). A durable write is one pwritev2 with RWF_DSYNC, as with io_uring.
class ThreadPoolDevice final : public BlockDevice {
 public:
  struct Options {
    std::size_t threads = 4;
  };
  ThreadPoolDevice(async::Executor executor, DeviceFile file, Options options);
  ~ThreadPoolDevice() override;

  std::uint64_t size_bytes() const override { return file_.size_bytes(); }
  const std::string& name() const override { return file_.path(); }
  void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) override;
  void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) override;
  void Flush(IoDone done) override;
  void Submit() override;
  // The kernel maps the memory each time here.
  void RegisterBuffers(base::MutableByteSpan memory) override;

 private:
  void Start(DeviceRequest request);
  void End(DeviceRequest request, std::int64_t answer);

  async::Executor executor_;
  DeviceFile file_;
  std::vector<DeviceRequest> started_;  // Not yet submitted.
  std::size_t in_flight_ = 0;
  async::WorkerPool workers_;  // Last: it is gone before what its threads use.
};

}  // namespace mffs
