// DeviceFile: a volume's file or raw block device, opened for direct and exclusive use.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace mffs {

// Owns a descriptor opened with O_DIRECT and the lock that keeps other processes out (flock on a file, O_EXCL on a
// block device); both end with the object or with the process. Movable.
class DeviceFile {
 public:
  // Errors, each a sentence that says what to do: kNotFound, kDenied, kBusy (another process uses it), kUnsupported (no
  // O_DIRECT there: tmpfs and the like), kInvalid (empty, or neither file nor block device), kIo. Blocks: for start-up.
  static base::Result<DeviceFile> Open(const std::string& path);
  // For tools that never write: the lock is shared with other readers, and refused while somebody may write. Where
  // O_DIRECT is not to be had, as on a copy of an image in a tmpfs, reads go through the page cache.
  static base::Result<DeviceFile> OpenReadOnly(const std::string& path);

  DeviceFile(DeviceFile&& other) noexcept;
  DeviceFile& operator=(DeviceFile&& other) noexcept;
  ~DeviceFile();

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  // Whole sectors.
  std::uint64_t size_bytes() const { return size_bytes_; }

  // Whether the disk makes a single write durable by itself (FUA, or no volatile cache), as far as the kernel tells.
  bool HasCheapDsync() const;

 private:
  DeviceFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  // `operation`: LOCK_EX or LOCK_SH of flock(2).
  base::Result<> Lock(bool is_block_device, int operation) const;
  base::Result<> CheckDirect(bool is_block_device) const;
  base::Result<> FindSize(bool is_block_device);

  int fd_ = -1;
  std::string path_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace mffs
