#include "mffs/device_io.h"

#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "base/check.h"
#include "mffs/io_pages.h"

namespace mffs {

// One operation under way. Owners: whoever waits for it and the device's callback, whichever lives longer: an overdue
// operation still uses the memory.
struct DeviceOperation {
  explicit DeviceOperation(async::Executor executor, IoDeadline deadline) : timer(executor, deadline) {}
  IoMemory memory;
  std::size_t parts_left = 1;
  std::optional<base::Result<>> result;
  async::SteadyTimer timer;  // Its expiry is the deadline; its cancellation, the end of the operation.
};

namespace {

IoDone EndOf(std::shared_ptr<DeviceOperation> operation) {
  return [operation = std::move(operation)](base::Result<> result) {
    if (--operation->parts_left > 0) return;
    operation->result.emplace(std::move(result));
    operation->timer.cancel();
  };
}

async::Task<base::Result<>> Await(std::shared_ptr<DeviceOperation> operation, std::string what) {
  // A cancellation of the timer before the wait would be missed.
  if (!operation->result.has_value()) co_await operation->timer.async_wait(async::as_result);
  // A caller that gave up unwinds: that says nothing of the device.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  if (!operation->result.has_value()) co_return base::Error(base::Errc::kTimeout, what + " did not end in time");
  if (!operation->result->has_value()) co_return std::move(operation->result->error()).In(what);
  co_return base::Result<>();
}

}  // namespace

IoMemory::IoMemory(std::size_t bytes, Content content) : bytes_(bytes) {
  CHECK(bytes > 0 && bytes % kSectorBytes == 0);
  memory_ = {TakePages(bytes), Free{bytes}};
  CHECK(memory_ != nullptr);
  if (content == Content::kZeroes) std::memset(memory_.get(), 0, bytes);
}

void IoMemory::Free::operator()(std::byte* memory) const {
  GiveBackPages(memory, bytes);
}

async::Task<PendingRead> PendingRead::Begin(BlockDevice* device, std::uint64_t offset, IoMemory memory,
                                            std::size_t skip, IoDeadline deadline) {
  PendingRead read;
  read.operation_ = std::make_shared<DeviceOperation>(co_await asio::this_coro::executor, deadline);
  read.operation_->memory = std::move(memory);
  const base::MutableByteSpan into = read.operation_->memory.span().subspan(skip);
  read.what_ = fmt::format("read {} bytes at {} of {}", into.size(), offset, device->name());
  device->Read(offset, into, EndOf(read.operation_));
  device->Submit();
  co_return read;
}

async::Task<base::Result<IoMemory>> PendingRead::Finish() {
  const auto operation = std::exchange(operation_, nullptr);
  CO_RETURN_IF_ERROR(co_await Await(operation, std::move(what_)));
  co_return std::move(operation->memory);
}

async::Task<base::Result<IoMemory>> ReadSectors(BlockDevice* device, std::uint64_t offset, std::uint64_t bytes,
                                                IoDeadline deadline) {
  PendingRead read = co_await PendingRead::Begin(device, offset, IoMemory(bytes, IoMemory::Content::kAny), 0, deadline);
  co_return co_await read.Finish();
}

async::Task<SectorsRead> ReadSectorsSingly(BlockDevice* device, std::uint64_t offset, std::uint32_t count,
                                           IoDeadline deadline) {
  SectorsRead read;
  read.is_read.assign(count, true);
  auto whole = co_await ReadSectors(device, offset, count * kSectorBytes, deadline);
  if (whole.has_value()) {
    read.memory = *std::move(whole);
    co_return read;
  }
  read.memory = IoMemory(count * kSectorBytes);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto sector = co_await ReadSectors(device, offset + i * kSectorBytes, kSectorBytes, deadline);
    read.is_read[i] = sector.has_value();
    if (sector.has_value()) std::memcpy(read.memory.data() + i * kSectorBytes, sector->data(), kSectorBytes);
  }
  co_return read;
}

async::Task<IoMemory> ReadMany(BlockDevice* device, std::vector<std::uint64_t> offsets, std::uint64_t bytes_each,
                               IoDeadline deadline) {
  auto operation = std::make_shared<DeviceOperation>(co_await asio::this_coro::executor, deadline);
  operation->memory = IoMemory(offsets.size() * bytes_each);
  operation->parts_left = offsets.size();
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    device->Read(offsets[i], operation->memory.span().subspan(i * bytes_each, bytes_each), EndOf(operation));
  }
  device->Submit();
  const auto ended = co_await Await(operation, "read many places");
  // An overdue read may still write into the memory, so that stays where it is.
  if (!ended.has_value() && ended.error().code() == base::Errc::kTimeout) {
    co_return IoMemory(offsets.size() * bytes_each);
  }
  co_return std::move(operation->memory);
}

async::Task<base::Result<>> WriteDurably(BlockDevice* device, std::uint64_t offset, IoMemory memory,
                                         IoDeadline deadline) {
  auto operation = std::make_shared<DeviceOperation>(co_await asio::this_coro::executor, deadline);
  operation->memory = std::move(memory);
  const std::string what = fmt::format("write {} bytes at {} of {}", operation->memory.size(), offset, device->name());
  device->Write(offset, operation->memory.span(), Sync::kYes, EndOf(operation));
  device->Submit();
  co_return co_await Await(std::move(operation), what);
}

async::Task<base::Result<>> FlushDevice(BlockDevice* device, IoDeadline deadline) {
  auto operation = std::make_shared<DeviceOperation>(co_await asio::this_coro::executor, deadline);
  device->Flush(EndOf(operation));
  device->Submit();
  co_return co_await Await(std::move(operation), "flush " + device->name());
}

}  // namespace mffs
