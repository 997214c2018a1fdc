// Real writes that the kernel takes only in part or not at all: the file may not grow past RLIMIT_FSIZE (setrlimit(2)).
#include <csignal>
#include <memory>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "async/asio.h"
#include "mffs/device_testing.h"
#include "mffs/open_device.h"

namespace mffs {
namespace {

constexpr std::size_t kSectors = 64;
constexpr std::size_t kAllowedSectors = 32;

// Lowers the limit while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit lower{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &lower), 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::ignore = std::signal(SIGXFSZ, signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t signal_;
};

struct Device {
  std::string label;
  DeviceOptions options;
};

class RefusedWrite : public testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    auto device = OpenDevice(context_.get_executor(), file_.path(), GetParam().options);
    if (!device) GTEST_SKIP() << device.error().message();
    device_ = *std::move(device);
  }

  // The error's message, or "ok".
  std::string Write(std::size_t sector, std::size_t count) {
    AlignedMemory memory(count);
    memory.Fill('w');
    std::string outcome;
    device_->Write(sector * kSectorBytes, memory.span(), Sync::kYes,
                   [&](base::Result<> result) { outcome = result ? "ok" : result.error().message(); });
    device_->Submit();
    context_.restart();
    context_.run();
    return outcome;
  }

  asio::io_context context_{1};
  TempFile file_{kSectors * kSectorBytes};
  std::unique_ptr<BlockDevice> device_;
};

TEST_P(RefusedWrite, IsNeverTakenForADurableOne) {
  const FileSizeLimit limit(kAllowedSectors * kSectorBytes);
  EXPECT_EQ(Write(kAllowedSectors - 4, 4), "ok");
  EXPECT_THAT(Write(kAllowedSectors - 2, 4), testing::HasSubstr("was short: 8192 bytes"));
  EXPECT_THAT(Write(kAllowedSectors, 1), testing::HasSubstr("File too large"));
  EXPECT_EQ(Write(0, 4), "ok");
}

INSTANTIATE_TEST_SUITE_P(
    Devices, RefusedWrite,
    testing::Values(
        Device{"UringDsync", {.choice = DeviceChoice::kUring, .uring = {.durable_by = UringDevice::DurableBy::kDsync}}},
        Device{"UringFlush", {.choice = DeviceChoice::kUring, .uring = {.durable_by = UringDevice::DurableBy::kFlush}}},
        Device{"ThreadPool", {.choice = DeviceChoice::kThreadPool}}),
    [](const testing::TestParamInfo<Device>& device) { return device.param.label; });

}  // namespace
}  // namespace mffs
