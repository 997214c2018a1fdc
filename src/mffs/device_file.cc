#include "mffs/device_file.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mffs/block_device.h"

namespace mffs {
namespace {

base::Error OpenError(const std::string& path, int errno_value);
base::Error NoDirectIo(const std::string& path);

// The kernel takes a killed process's io_uring down in the background, and the ring holds on to the file meanwhile: a
// node that is started right after a kill -9 finds its dead predecessor's lock, or its exclusive use of a block device,
// for some milliseconds.
constexpr std::chrono::milliseconds kLockWait{2000};
constexpr std::chrono::milliseconds kPause{10};

base::Error InUse(const std::string& path);
base::Result<bool> IsBlockDevice(const std::string& path);

// As open(2). A block device in exclusive use gives EBUSY, as a lock does: see kLockWait.
int OpenWhenFree(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags);
  for (auto left = kLockWait; fd < 0 && errno == EBUSY && left > std::chrono::milliseconds(0); left -= kPause) {
    std::this_thread::sleep_for(kPause);
    fd = ::open(path.c_str(), flags);
  }
  return fd;
}

}  // namespace

base::Result<DeviceFile> DeviceFile::Open(const std::string& path) {
  ASSIGN_OR_RETURN(const bool is_block_device, IsBlockDevice(path));
  const int fd = OpenWhenFree(path, O_RDWR | O_DIRECT | O_CLOEXEC | (is_block_device ? O_EXCL : 0));
  if (fd < 0) return OpenError(path, errno);
  DeviceFile file(fd, path);
  RETURN_IF_ERROR(file.Lock(is_block_device, LOCK_EX));
  RETURN_IF_ERROR(file.FindSize(is_block_device));
  RETURN_IF_ERROR(file.CheckDirect(is_block_device));
  return file;
}

base::Result<DeviceFile> DeviceFile::OpenReadOnly(const std::string& path) {
  ASSIGN_OR_RETURN(const bool is_block_device, IsBlockDevice(path));
  const int flags = O_RDONLY | O_CLOEXEC | (is_block_device ? O_EXCL : 0);
  int fd = OpenWhenFree(path, flags | O_DIRECT);
  if (fd < 0 && errno == EINVAL) fd = OpenWhenFree(path, flags);
  if (fd < 0 && (errno == EACCES || errno == EPERM)) {
    return base::Error(base::Errc::kDenied, path + " may not be read by this user: run the command as its owner");
  }
  if (fd < 0) return OpenError(path, errno);
  DeviceFile file(fd, path);
  RETURN_IF_ERROR(file.Lock(is_block_device, LOCK_SH));
  RETURN_IF_ERROR(file.FindSize(is_block_device));
  if (!file.CheckDirect(is_block_device)) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_DIRECT);
  return file;
}

DeviceFile::DeviceFile(DeviceFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), size_bytes_(other.size_bytes_) {}

DeviceFile& DeviceFile::operator=(DeviceFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

DeviceFile::~DeviceFile() {
  if (fd_ < 0) return;
  // Explicitly: close() alone keeps the lock for as long as the kernel still refers to the open file elsewhere.
  ::flock(fd_, LOCK_UN);
  ::close(fd_);
}

bool DeviceFile::HasCheapDsync() const {
  struct stat status{};
  if (::fstat(fd_, &status) != 0) return false;
  const dev_t device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
  const std::string folder = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  // A partition has no queue of its own; its disk is the folder above.
  for (const std::string& queue : {folder + "/queue/", folder + "/../queue/"}) {
    std::string cache;
    if (!std::getline(std::ifstream(queue + "write_cache"), cache)) continue;
    std::string fua;
    std::getline(std::ifstream(queue + "fua"), fua);
    return cache == "write through" || fua == "1";
  }
  return false;
}

base::Result<> DeviceFile::Lock(bool is_block_device, int operation) const {
  if (is_block_device) return {};  // O_EXCL did it.
  for (auto left = kLockWait; ::flock(fd_, operation | LOCK_NB) != 0; left -= kPause) {
    if (errno != EWOULDBLOCK) return base::ErrnoError("lock " + path_, errno);
    if (left <= std::chrono::milliseconds(0)) return InUse(path_);
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

base::Result<> DeviceFile::FindSize(bool is_block_device) {
  std::uint64_t bytes = 0;
  if (is_block_device) {
    if (::ioctl(fd_, BLKGETSIZE64, &bytes) != 0) return base::ErrnoError("get the size of " + path_, errno);
  } else {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return base::ErrnoError("get the size of " + path_, errno);
    bytes = static_cast<std::uint64_t>(status.st_size);
  }
  size_bytes_ = bytes / kSectorBytes * kSectorBytes;
  if (size_bytes_ > 0) return {};
  return base::Error(base::Errc::kInvalid, path_ + " is empty: prepare it with `posthorn mffs format`");
}

base::Result<> DeviceFile::CheckDirect(bool is_block_device) const {
  // Since Linux 6.6 tmpfs takes O_DIRECT and ignores it; a volume there would not outlive the machine.
  struct statfs file_system{};
  if (::fstatfs(fd_, &file_system) != 0) return base::ErrnoError("look at the file system of " + path_, errno);
  const bool in_memory = file_system.f_type == TMPFS_MAGIC || file_system.f_type == RAMFS_MAGIC;
  // The node of a block device lies in /dev, which is a tmpfs; the disk does not.
  if (in_memory && !is_block_device) return NoDirectIo(path_);
  // Some file systems take the flag at open() and refuse the first request, or want larger blocks than ours.
  alignas(kSectorBytes) std::array<std::byte, kSectorBytes> sector;
  if (::pread(fd_, sector.data(), sector.size(), 0) == static_cast<ssize_t>(sector.size())) return {};
  return errno == EINVAL ? NoDirectIo(path_) : base::ErrnoError("read the first sector of " + path_, errno);
}

namespace {

base::Result<bool> IsBlockDevice(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return OpenError(path, errno);
  if (S_ISBLK(status.st_mode)) return true;
  if (S_ISREG(status.st_mode)) return false;
  return base::Error(base::Errc::kInvalid, fmt::format("{} is neither a file nor a block device", path));
}

base::Error OpenError(const std::string& path, int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return base::Error(base::Errc::kNotFound, path + " does not exist: make it with `posthorn mffs format`");
    case EACCES:
    case EPERM:
    case EROFS:
      return base::Error(base::Errc::kDenied,
                         path + " may not be read and written by this user: give it to the user that runs posthorn");
    case EINVAL:
      return NoDirectIo(path);
    case EBUSY:
      return InUse(path);
    default:
      return base::ErrnoError("open " + path, errno_value);
  }
}

base::Error NoDirectIo(const std::string& path) {
  return base::Error(
      base::Errc::kUnsupported,
      path + " lies on a file system without direct I/O (tmpfs?): put the volume on ext4, XFS or a block device");
}

base::Error InUse(const std::string& path) {
  return base::Error(
      base::Errc::kBusy,
      fmt::format("{0} is in use by another process: stop that one first (`fuser -v {0}` names it)", path));
}

}  // namespace
}  // namespace mffs
