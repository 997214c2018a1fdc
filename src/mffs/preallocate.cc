#include "mffs/preallocate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"

namespace mffs {
namespace {

constexpr int kWriteZeroes = 0x80;  // FALLOC_FL_WRITE_ZEROES; Debian 12's headers are older than it.
constexpr std::uint32_t kExtentsAtOnce = 32;

// Closes at the end of the block.
struct OwnedFd {
  int fd;
  ~OwnedFd() { ::close(fd); }
};

base::Result<bool> Reserve(int fd, const std::string& path, ByteRange added, PreallocateOptions options);
base::Error PreallocateError(const std::string& path, std::uint64_t bytes, int errno_value);
base::Result<> SyncFolderOf(const std::string& path);

// A request for extents and room for the answer, as FS_IOC_FIEMAP wants them: one after the other.
using ExtentQuery = std::array<std::byte, sizeof(fiemap) + kExtentsAtOnce * sizeof(fiemap_extent)>;

}  // namespace

base::Result<bool> PreallocateFile(const std::string& path, std::uint64_t bytes, PreallocateOptions options) {
  struct stat status{};
  const bool existed = ::stat(path.c_str(), &status) == 0;
  const OwnedFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (file.fd < 0) return PreallocateError(path, bytes, errno);
  const std::uint64_t old_bytes = existed ? static_cast<std::uint64_t>(status.st_size) : 0;
  if (old_bytes >= bytes) return false;
  auto written = Reserve(file.fd, path, {old_bytes, bytes - old_bytes}, options);
  if (!written) {
    if (!existed) ::unlink(path.c_str());
    return std::move(written).error();
  }
  RETURN_IF_ERROR(SyncFolderOf(path));
  return written;
}

base::Result<> NameFile(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return base::Error(base::Errc::kExists, to + " exists already");
    return base::ErrnoError("name the file " + to, errno);
  }
  return SyncFolderOf(to);
}

base::Result<std::vector<ByteRange>> UnwrittenRanges(int fd, std::uint64_t offset, std::uint64_t size) {
  std::vector<ByteRange> ranges;
  const std::uint64_t end = offset + size;
  const auto add = [&](std::uint64_t from, std::uint64_t to) {
    if (from >= to) return;
    if (!ranges.empty() && ranges.back().offset + ranges.back().size == from) {
      ranges.back().size += to - from;
    } else {
      ranges.push_back({from, to - from});
    }
  };
  std::uint64_t at = offset;  // Everything before it is accounted for.
  while (at < end) {
    alignas(fiemap) ExtentQuery query{};
    auto* head = reinterpret_cast<fiemap*>(query.data());
    head->fm_start = at;
    head->fm_length = end - at;
    head->fm_extent_count = kExtentsAtOnce;
    if (::ioctl(fd, FS_IOC_FIEMAP, head) != 0) {
      const bool unknown = errno == EOPNOTSUPP || errno == ENOTTY;
      if (unknown)
        return base::Error(base::Errc::kUnsupported, "the file system does not tell which extents are written");
      return base::ErrnoError("list the extents", errno);
    }
    const std::uint32_t count = head->fm_mapped_extents;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto extent = base::LoadLe<fiemap_extent>(query.data() + sizeof(fiemap) + i * sizeof(fiemap_extent));
      const std::uint64_t from = std::clamp<std::uint64_t>(extent.fe_logical, at, end);
      const std::uint64_t to = std::clamp<std::uint64_t>(extent.fe_logical + extent.fe_length, from, end);
      add(at, from);  // A hole.
      if ((extent.fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0) add(from, to);
      at = to;
    }
    if (count < kExtentsAtOnce) break;
  }
  add(at, end);
  return ranges;
}

namespace {

base::Result<bool> Reserve(int fd, const std::string& path, ByteRange added, PreallocateOptions options) {
  const auto offset = static_cast<off_t>(added.offset);
  const auto size = static_cast<off_t>(added.size);
  // Asked first, since a fallocate that fails has by then taken every free block, for seconds, from everybody else.
  struct statvfs space{};
  const bool known = ::fstatvfs(fd, &space) == 0;
  if (known && space.f_bavail * space.f_frsize < added.size) {
    return PreallocateError(path, added.offset + added.size, ENOSPC);
  }
  const bool written = options.use_write_zeroes && ::fallocate(fd, kWriteZeroes, offset, size) == 0;
  const bool reserved = written || ::fallocate(fd, 0, offset, size) == 0;
  if (!reserved || ::fsync(fd) != 0) return PreallocateError(path, added.offset + added.size, errno);
  return written;
}

base::Error PreallocateError(const std::string& path, std::uint64_t bytes, int errno_value) {
  const std::string doing = fmt::format("reserve {} MiB for {}", bytes >> 20, path);
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: {
      struct statvfs space{};
      const std::string folder = std::filesystem::path(path).parent_path().string();
      const bool known = ::statvfs(folder.empty() ? "." : folder.c_str(), &space) == 0;
      const std::uint64_t free_mib = known ? (space.f_bavail * space.f_frsize) >> 20 : 0;
      return base::Error(
          base::Errc::kNoSpace,
          fmt::format("{}: its file system has {} MiB free; choose a smaller volume or another disk", doing, free_mib));
    }
    case EACCES:
    case EPERM:
    case EROFS:
      return base::Error(base::Errc::kDenied, doing + ": this user may not write there");
    case ENOENT:
    case ENOTDIR:
      return base::Error(base::Errc::kNotFound, doing + ": the folder does not exist");
    case EOPNOTSUPP:
      return base::Error(
          base::Errc::kUnsupported,
          doing + ": the file system cannot reserve space; put the volume on ext4, XFS or a block device");
    default:
      return base::ErrnoError(doing, errno_value);
  }
}

base::Result<> SyncFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  const OwnedFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd.fd < 0 || ::fsync(fd.fd) != 0) return base::ErrnoError("sync the folder " + folder, errno);
  return {};
}

}  // namespace
}  // namespace mffs
