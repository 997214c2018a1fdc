#include "mffs/uring_device.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/uio.h>

#include "base/check.h"
#include "base/log.h"

namespace mffs {
namespace {

constexpr std::size_t kRegisteredBytesMax = 1u << 30;  // The kernel's limit of one registered buffer.

}  // namespace

UringDevice::Ring::~Ring() {
  if (!is_open) return;
  // The kernel ends a ring some time after its close; until then it would hold the file, and a block device's exclusive
  // use.
  io_uring_unregister_files(&uring);
  io_uring_queue_exit(&uring);
}

int UringDevice::Ring::Open(std::uint32_t entries, bool has_links) {
  // Completions are noticed when the shard enters the kernel, not by interrupting it: not with links, since what is
  // linked would wait until then. Linux before 5.19 does not know this.
  io_uring_params params{};
  params.flags = IORING_SETUP_CLAMP | (has_links ? 0 : IORING_SETUP_COOP_TASKRUN);
  int answer = io_uring_queue_init_params(entries, &uring, &params);
  if (answer == -EINVAL) {
    params = {};
    params.flags = IORING_SETUP_CLAMP;
    answer = io_uring_queue_init_params(entries, &uring, &params);
  }
  is_open = answer == 0;
  return answer;
}

base::Result<std::unique_ptr<UringDevice>> UringDevice::Create(async::Executor executor, DeviceFile&& file,
                                                               Options options) {
  CHECK(options.depth > 0);
  const bool by_dsync =
      options.durable_by == DurableBy::kDsync || (options.durable_by == DurableBy::kAuto && file.HasCheapDsync());
  auto ring = std::make_unique<Ring>();
  if (const int answer = ring->Open(options.depth * kEntriesMax, !by_dsync); answer < 0) {
    return base::Error(base::Errc::kUnsupported, std::string("io_uring_setup: ") + std::strerror(-answer));
  }
  const std::uint32_t depth = std::min(options.depth, ring->uring.sq.ring_entries / kEntriesMax);
  return std::unique_ptr<UringDevice>(new UringDevice(executor, std::move(file), std::move(ring), depth, by_dsync));
}

UringDevice::UringDevice(async::Executor executor, DeviceFile file, std::unique_ptr<Ring> ring, std::uint32_t depth,
                         bool durable_by_dsync)
    : executor_(executor),
      file_(std::move(file)),
      ring_(std::move(ring)),
      readable_(executor, ring_->uring.ring_fd),
      durable_by_dsync_(durable_by_dsync),
      slots_(depth),
      alive_(std::make_shared<bool>(true)) {
  for (std::uint32_t slot = depth; slot > 0; --slot) free_slots_.push_back(slot - 1);
  const int fd = file_.fd();
  fixed_file_ = io_uring_register_files(&ring_->uring, &fd, 1) == 0;
}

UringDevice::~UringDevice() {
  CHECK(free_slots_.size() == slots_.size() && overflow_.empty());
  *alive_ = false;
  // The descriptor is the ring's to close.
  readable_.release();
}

void UringDevice::Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) {
  Start(DeviceRequest::Write(offset, data, sync, std::move(done)));
}

void UringDevice::Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) {
  Start(DeviceRequest::Read(offset, into, std::move(done)));
}

void UringDevice::Flush(IoDone done) {
  Start(DeviceRequest::Flush(std::move(done)));
}

void UringDevice::Submit() {
  EnterKernel();
  // What a completion submits may complete before Reap() is done, and then nothing is left to wait for.
  if (!reaping_) AwaitCompletions();
}

void UringDevice::RegisterBuffers(base::MutableByteSpan memory) {
  CHECK(registered_.empty());
  CheckAligned(0, memory);
  std::vector<iovec> pieces;
  for (std::size_t at = 0; at < memory.size(); at += kRegisteredBytesMax) {
    pieces.push_back({memory.data() + at, std::min(kRegisteredBytesMax, memory.size() - at)});
  }
  const int answer = io_uring_register_buffers(&ring_->uring, pieces.data(), static_cast<unsigned>(pieces.size()));
  if (answer == 0) {
    registered_ = memory;
    return;
  }
  base::LogWarning("io_uring_buffers_not_registered",
                   {{"device", name()},
                    {"why", std::strerror(-answer)},
                    {"bytes", memory.size()},
                    {"now", "the kernel maps the buffers anew for each write, which is slower"},
                    {"do", "set LimitMEMLOCK=64M in the unit (systemctl edit posthorn), or ulimit -l, and restart"}});
}

void UringDevice::Start(DeviceRequest request) {
  if (auto within = CheckWithin(*this, request.offset, request.size); !within) {
    asio::post(executor_,
               [done = std::move(request.done), result = std::move(within)]() mutable { done(std::move(result)); });
    return;
  }
  if (free_slots_.empty() || !overflow_.empty()) {
    overflow_.push_back(std::move(request));
  } else {
    Prepare(std::move(request));
  }
}

void UringDevice::Prepare(DeviceRequest request) {
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  const LinkedWrite linked(request.size);
  slots_[slot] = {.request = std::move(request), .linked = linked};
  if (slots_[slot].request.kind != RequestKind::kFlush) PrepareTransfer(slot);
  if (slots_[slot].request.kind == RequestKind::kFlush || IsLinked(slots_[slot].request)) PrepareFlush(slot);
}

void UringDevice::PrepareFlush(std::uint32_t slot) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_->uring);
  CHECK(entry != nullptr);  // There are kEntriesMax for each slot.
  io_uring_prep_fsync(entry, 0, IORING_FSYNC_DATASYNC);
  Address(entry, std::uint64_t{slot} * kEntriesMax + 1);
}

void UringDevice::PrepareTransfer(std::uint32_t slot) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_->uring);
  CHECK(entry != nullptr);
  const DeviceRequest& request = slots_[slot].request;
  const auto size = static_cast<unsigned>(request.size);
  const int index = RegisteredIndex(request);
  const bool is_read = request.kind == RequestKind::kRead;
  if (is_read && index >= 0) {
    io_uring_prep_read_fixed(entry, 0, request.memory, size, request.offset, index);
  } else if (is_read) {
    io_uring_prep_read(entry, 0, request.memory, size, request.offset);
  } else if (index >= 0) {
    io_uring_prep_write_fixed(entry, 0, request.memory, size, request.offset, index);
  } else {
    io_uring_prep_write(entry, 0, request.memory, size, request.offset);
  }
  if (request.sync == Sync::kYes && durable_by_dsync_) entry->rw_flags = RWF_DSYNC;
  Address(entry, std::uint64_t{slot} * kEntriesMax);
  if (IsLinked(request)) entry->flags |= IOSQE_IO_LINK;
}

void UringDevice::Address(io_uring_sqe* entry, std::uint64_t user_data) const {
  entry->user_data = user_data;
  entry->fd = fixed_file_ ? 0 : file_.fd();
  if (fixed_file_) entry->flags |= IOSQE_FIXED_FILE;
}

bool UringDevice::IsLinked(const DeviceRequest& request) const {
  return request.kind == RequestKind::kWrite && request.sync == Sync::kYes && !durable_by_dsync_;
}

int UringDevice::RegisteredIndex(const DeviceRequest& request) const {
  const std::byte* begin = registered_.data();
  if (registered_.empty() || request.memory < begin || request.memory >= begin + registered_.size()) return -1;
  const auto at = static_cast<std::size_t>(request.memory - begin);
  if (request.size > registered_.size() - at) return -1;
  const std::size_t index = at / kRegisteredBytesMax;
  return (at + request.size - 1) / kRegisteredBytesMax == index ? static_cast<int>(index) : -1;
}

void UringDevice::EnterKernel() {
  if (io_uring_sq_ready(&ring_->uring) == 0) return;
  const int answer = io_uring_submit(&ring_->uring);
  const unsigned left = io_uring_sq_ready(&ring_->uring);
  if (left == 0) return;
  // The kernel is out of memory or busy for the moment. Entries stay in the ring: the next completion takes them along,
  // and when none is under way the shard comes back to them.
  CHECK(answer >= 0 || answer == -EAGAIN || answer == -EBUSY || answer == -EINTR || answer == -ENOMEM);
  NotePartedLink();
  if (slots_.size() - free_slots_.size() > left) return;
  asio::post(executor_, [this, alive = alive_] {
    if (*alive) Submit();
  });
}

// A chain of links ends where the kernel stopped taking entries.
void UringDevice::NotePartedLink() {
  const io_uring_sq& queue = ring_->uring.sq;
  const std::uint64_t first_left = queue.sqes[*queue.khead & queue.ring_mask].user_data;
  if (first_left % kEntriesMax == 0) return;
  Slot& slot = slots_[first_left / kEntriesMax];
  if (IsLinked(slot.request)) slot.linked.FlushWasParted();
}

void UringDevice::AwaitCompletions() {
  // Armed only while something is in flight, so that an idle device does not keep the io_context running.
  if (awaiting_ || free_slots_.size() == slots_.size()) return;
  awaiting_ = true;
  readable_.async_wait(asio::posix::descriptor_base::wait_read, [this, alive = alive_](boost::system::error_code ec) {
    if (!*alive) return;
    CHECK(!ec);
    awaiting_ = false;
    Reap();
  });
}

void UringDevice::Reap() {
  const std::shared_ptr<bool> alive = alive_;
  reaping_ = true;
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_->uring, &completion) == 0) {
    const std::uint64_t user_data = completion->user_data;
    const std::int64_t answer = completion->res;
    io_uring_cqe_seen(&ring_->uring, completion);
    OnAnswer(user_data, answer);
    if (!*alive) return;
  }
  reaping_ = false;
  Submit();
}

void UringDevice::OnAnswer(std::uint64_t user_data, std::int64_t answer) {
  const auto index = static_cast<std::uint32_t>(user_data / kEntriesMax);
  Slot& slot = slots_[index];
  if (!IsLinked(slot.request)) return End(index, answer);
  const bool is_flush = user_data % kEntriesMax != 0;
  switch (is_flush ? slot.linked.FlushAnswered(answer) : slot.linked.WriteAnswered(answer)) {
    case LinkedWrite::Next::kWait:
      return;
    case LinkedWrite::Next::kFlush:
      return PrepareFlush(index);
    case LinkedWrite::Next::kEnd:
      return End(index, slot.linked.answer());
  }
}

void UringDevice::End(std::uint32_t slot, std::int64_t answer) {
  Slot ended = std::move(slots_[slot]);
  free_slots_.push_back(slot);
  if (!overflow_.empty()) {
    Prepare(std::move(overflow_.front()));
    overflow_.pop_front();
  }
  ended.request.done(RequestResult(name(), ended.request, answer));
}

}  // namespace mffs
