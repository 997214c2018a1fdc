#include "mffs/open_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
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

TEST(OpenDevice, CutsTheSizeToWholeSectors) {
  asio::io_context context;
  const TempFile file(3 * kSectorBytes + 100);
  auto device = OpenDevice(context.get_executor(), file.path(), {});
  ASSERT_TRUE(device.has_value());
  EXPECT_EQ((*device)->size_bytes(), 3 * kSectorBytes);
}

}  // namespace
}  // namespace mffs
