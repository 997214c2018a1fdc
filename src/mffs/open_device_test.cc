#include "mffs/open_device.h"

#include <optional>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "async/asio.h"
#include "mffs/device_testing.h"

namespace mffs {
namespace {

using testing::HasSubstr;

base::Error OpenFails(asio::io_context& context, const std::string& path) {
  auto device = OpenDevice(context.get_executor(), path, {});
  EXPECT_FALSE(device.has_value()) << path;
  return device ? base::Error(base::Errc::kInvalid, "opened") : device.error();
}

TEST(OpenDevice, RefusesAFileThatAnotherOpenerHolds) {
  asio::io_context context;
  const TempFile file(kSectorBytes);
  auto first = OpenDevice(context.get_executor(), file.path(), {});
  ASSERT_TRUE(first.has_value()) << first.error().message();
  const base::Error error = OpenFails(context, file.path());
  EXPECT_EQ(error.code(), base::Errc::kBusy);
  EXPECT_THAT(error.message(), HasSubstr("stop that one first"));
  first->reset();
  EXPECT_TRUE(OpenDevice(context.get_executor(), file.path(), {}).has_value());
}

TEST(OpenDevice, SaysWhatToDoAboutWhatItCannotOpen) {
  asio::io_context context;
  EXPECT_EQ(OpenFails(context, "/var/tmp/posthorn-no-such-volume").code(), base::Errc::kNotFound);
  const TempFile empty(0);
  EXPECT_THAT(OpenFails(context, empty.path()).message(), HasSubstr("posthorn mffs format"));
  EXPECT_THAT(OpenFails(context, "/var/tmp").message(), HasSubstr("neither a file nor a block device"));
  EXPECT_THAT(OpenFails(context, "/dev/null").message(), HasSubstr("neither a file nor a block device"));
}

TEST(OpenDevice, RefusesATmpfs) {
  struct statfs shm{};
  if (::statfs("/dev/shm", &shm) != 0 || shm.f_type != TMPFS_MAGIC) GTEST_SKIP() << "no tmpfs at /dev/shm here";
  const std::string path = "/dev/shm/posthorn-test-" + std::to_string(::getpid());
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(::ftruncate(::fileno(file), kSectorBytes), 0);
  std::fclose(file);
  asio::io_context context;
  const base::Error error = OpenFails(context, path);
  ::unlink(path.c_str());
  EXPECT_EQ(error.code(), base::Errc::kUnsupported);
  EXPECT_THAT(error.message(), HasSubstr("ext4, XFS or a block device"));
}

// A loop device over a file; ends with the object. Needs root and a kernel with loop devices.
class LoopDevice {
 public:
  static std::optional<LoopDevice> Make(const std::string& file) {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return std::nullopt;
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    ::close(control);
    const std::string path = "/dev/loop" + std::to_string(number);
    const int loop = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    const int backing = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(backing);
    config.block_size = 512;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    const bool made = number >= 0 && loop >= 0 && backing >= 0 && ::ioctl(loop, LOOP_CONFIGURE, &config) == 0;
    if (backing >= 0) ::close(backing);
    if (made) return LoopDevice(loop, path);
    if (loop >= 0) ::close(loop);
    return std::nullopt;
  }
  LoopDevice(LoopDevice&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  LoopDevice& operator=(LoopDevice&&) = delete;
  ~LoopDevice() {
    if (fd_ >= 0) ::close(fd_);
  }
  const std::string& path() const { return path_; }

 private:
  LoopDevice(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

TEST(OpenDevice, UsesARawBlockDeviceExclusively) {
  constexpr std::uint64_t kBytes = 256 * kSectorBytes;
  const TempFile file(kBytes);
  const std::optional<LoopDevice> loop = LoopDevice::Make(file.path());
  if (!loop) GTEST_SKIP() << "no loop device can be made here (root and CONFIG_BLK_DEV_LOOP are needed)";
  for (const DeviceChoice choice : {DeviceChoice::kAuto, DeviceChoice::kThreadPool}) {
    asio::io_context context;
    auto device = OpenDevice(context.get_executor(), loop->path(), {.choice = choice});
    ASSERT_TRUE(device.has_value()) << device.error().message();
    EXPECT_EQ((*device)->size_bytes(), kBytes);
    EXPECT_EQ(OpenFails(context, loop->path()).code(), base::Errc::kBusy);
    AlignedMemory memory(2);
    memory.Sectors(0, 1)[0] = std::byte{7};
    std::vector<bool> outcomes;
    const auto note = [&](const base::Result<>& result) { outcomes.push_back(result.has_value()); };
    (*device)->Write(255 * kSectorBytes, memory.Sectors(0, 1), Sync::kYes, note);
    (*device)->Submit();
    context.run();
    (*device)->Read(255 * kSectorBytes, memory.Sectors(1, 1), note);
    (*device)->Submit();
    context.restart();
    context.run();
    EXPECT_EQ(outcomes, std::vector<bool>(2, true));
    EXPECT_EQ(memory.Sectors(1, 1)[0], std::byte{7});
  }
}

TEST(OpenDevice, CutsTheSizeToWholeSectors) {
  asio::io_context context;
  const TempFile file(3 * kSectorBytes + 100);
  auto device = OpenDevice(context.get_executor(), file.path(), {});
  ASSERT_TRUE(device.has_value());
  EXPECT_EQ((*device)->size_bytes(), 3 * kSectorBytes);
}

}  // namespace
}  // namespace mffs
