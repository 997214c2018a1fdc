// Deadlines and cancellation of awaited operations, and who owns their memory meanwhile (ASan looks).
#include "mffs/device_io.h"

#include <algorithm>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "mffs/sim_device.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

constexpr IoDeadline kFar = 1h;

enum class End { kNone, kUnwound, kTimeout, kOk, kOther };

End EndOf(const base::Result<>& result) {
  if (result.has_value()) return End::kOk;
  return result.error().code() == base::Errc::kTimeout ? End::kTimeout : End::kOther;
}

async::Task<base::Result<>> ReadOne(BlockDevice* device, IoDeadline deadline) {
  auto read = co_await ReadSectors(device, 0, 2 * kSectorBytes, deadline);
  if (!read.has_value()) co_return std::move(read).error();
  co_return base::Result<>();
}
async::Task<base::Result<>> ReadTwo(BlockDevice* device, IoDeadline deadline) {
  const IoMemory memory = co_await ReadMany(device, {0, 2 * kSectorBytes}, kSectorBytes, deadline);
  const bool is_zero = std::ranges::all_of(memory.span(), [](std::byte b) { return b == std::byte{0}; });
  if (is_zero) co_return base::Error(base::Errc::kTimeout, "nothing was read");
  co_return base::Result<>();
}
async::Task<base::Result<>> WriteOne(BlockDevice* device, IoDeadline deadline) {
  IoMemory memory(kSectorBytes);
  std::ranges::fill(memory.span(), std::byte{'w'});
  co_return co_await WriteDurably(device, 0, std::move(memory), deadline);
}

using Operation = async::Task<base::Result<>> (*)(BlockDevice*, IoDeadline);
struct Case {
  const char* name;
  Operation operation;
  SimOperation kind;
};
constexpr Case kCases[] = {
    {"read", ReadOne, SimOperation::kRead},
    {"read many", ReadTwo, SimOperation::kRead},
    {"write", WriteOne, SimOperation::kWrite},
    {"flush", FlushDevice, SimOperation::kFlush},
};

async::Task<void> Observe(async::Task<base::Result<>> operation, End* end) {
  try {
    const auto result = co_await std::move(operation);
    *end = EndOf(result);
  } catch (const boost::system::system_error& error) {
    *end = error.code() == asio::error::operation_aborted ? End::kUnwound : End::kOther;
    throw;
  }
}

class DeviceIo : public testing::Test {
 protected:
  DeviceIo() : device_(context_.get_executor(), 16 * kSectorBytes) {
    // Not zero, so that a late read changes its memory.
    AddSectors('a');
  }
  void AddSectors(char letter) {
    IoMemory memory(16 * kSectorBytes);
    std::ranges::fill(memory.span(), static_cast<std::byte>(letter));
    CHECK(async::RunTask(context_, WriteDurably(&device_, 0, std::move(memory), kFar)).has_value());
  }
  asio::io_context context_;
  SimDevice device_;
};

TEST_F(DeviceIo, ACancelledCallerUnwindsAndIsNoTimeOut) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    device_.Plant({.kind = PlantedFault::Kind::kHang, .on = c.kind, .times = PlantedFault::kAlways});
    async::TaskGroup group(context_.get_executor(), "test");
    End end = End::kNone;
    group.Spawn(Observe(c.operation(&device_, kFar), &end));
    context_.restart();
    while (device_.hanging() == 0) ASSERT_GT(context_.run_one(), 0u);
    EXPECT_EQ(end, End::kNone);
    async::RunTask(context_, group.Stop());
    EXPECT_EQ(end, End::kUnwound);
    // The device still has the memory, and uses it now.
    device_.Unhang();
    context_.restart();
    context_.poll();
    EXPECT_EQ(device_.hanging(), 0u);
  }
  std::array<std::byte, 1> first{};
  device_.Snapshot().Read(0, first);
  EXPECT_EQ(first[0], std::byte{'w'});  // A write is done whether its caller waits or not.
}

TEST_F(DeviceIo, AnOverdueOperationIsATimeOutAndItsLateEndHarmsNothing) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    device_.Plant({.kind = PlantedFault::Kind::kHang, .on = c.kind, .times = PlantedFault::kAlways});
    EXPECT_EQ(EndOf(async::RunTask(context_, c.operation(&device_, 1ms))), End::kTimeout);
    device_.Unhang();
    context_.restart();
    context_.poll();
    EXPECT_EQ(EndOf(async::RunTask(context_, c.operation(&device_, kFar))), End::kOk);
  }
}

TEST_F(DeviceIo, AFailureIsThatOfTheDevice) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    if (c.operation == ReadTwo) continue;  // It leaves out what cannot be read.
    device_.Plant({.kind = PlantedFault::Kind::kFail, .on = c.kind});
    EXPECT_EQ(EndOf(async::RunTask(context_, c.operation(&device_, kFar))), End::kOther);
  }
}

TEST_F(DeviceIo, ReadingManyPlacesLeavesOutWhatCannotBeRead) {
  device_.Plant({.kind = PlantedFault::Kind::kFail, .on = SimOperation::kRead, .to = kSectorBytes});
  const IoMemory memory = async::RunTask(context_, ReadMany(&device_, {0, 2 * kSectorBytes}, kSectorBytes, kFar));
  EXPECT_EQ(memory.data()[0], std::byte{0});
  EXPECT_EQ(memory.data()[kSectorBytes], std::byte{'a'});
}

}  // namespace
}  // namespace mffs
