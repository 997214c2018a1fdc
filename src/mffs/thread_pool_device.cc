#include "mffs/thread_pool_device.h"

#include <cerrno>
#include <utility>

#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

namespace mffs {
namespace {

// On a worker: the whole request in one system call. Bytes moved, or -errno.
std::int64_t Perform(int fd, const DeviceRequest& request);

}  // namespace

ThreadPoolDevice::ThreadPoolDevice(async::Executor executor, DeviceFile file, Options options)
    : executor_(executor), file_(std::move(file)), workers_({.name = "disk", .threads = options.threads}) {}

ThreadPoolDevice::~ThreadPoolDevice() {
  CHECK(in_flight_ == 0 && started_.empty());
}

void ThreadPoolDevice::Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) {
  Start(DeviceRequest::Write(offset, data, sync, std::move(done)));
}

void ThreadPoolDevice::Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) {
  Start(DeviceRequest::Read(offset, into, std::move(done)));
}

void ThreadPoolDevice::Flush(IoDone done) {
  Start(DeviceRequest::Flush(std::move(done)));
}

void ThreadPoolDevice::Start(DeviceRequest request) {
  if (auto within = CheckWithin(*this, request.offset, request.size); !within) {
    asio::post(executor_,
               [done = std::move(request.done), result = std::move(within)]() mutable { done(std::move(result)); });
    return;
  }
  started_.push_back(std::move(request));
}

void ThreadPoolDevice::Submit() {
  for (DeviceRequest& request : started_) {
    ++in_flight_;
    // The guard keeps the io_context running until the completion has been posted to it.
    workers_.Post([this, request = std::move(request), work = asio::make_work_guard(executor_)]() mutable {
      const std::int64_t answer = Perform(file_.fd(), request);
      asio::post(executor_,
                 [this, request = std::move(request), answer]() mutable { End(std::move(request), answer); });
    });
  }
  started_.clear();
}

void ThreadPoolDevice::End(DeviceRequest request, std::int64_t answer) {
  --in_flight_;
  // Last: the callback may destroy the device.
  request.done(RequestResult(name(), request, answer));
}

void ThreadPoolDevice::RegisterBuffers(base::MutableByteSpan memory) {
  CheckAligned(0, memory);
}

namespace {

std::int64_t Perform(int fd, const DeviceRequest& request) {
  const iovec piece{request.memory, request.size};
  const auto offset = static_cast<off_t>(request.offset);
  for (;;) {
    ssize_t answer = 0;
    switch (request.kind) {
      case RequestKind::kWrite:
        answer = ::pwritev2(fd, &piece, 1, offset, request.sync == Sync::kYes ? RWF_DSYNC : 0);
        break;
      case RequestKind::kRead:
        answer = ::preadv2(fd, &piece, 1, offset, 0);
        break;
      case RequestKind::kFlush:
        answer = ::fdatasync(fd);
        break;
    }
    if (answer >= 0) return answer;
    // Interrupted before anything was moved; that is no failed operation yet.
    if (errno != EINTR) return -errno;
  }
}

}  // namespace
}  // namespace mffs
