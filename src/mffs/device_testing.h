// Test helpers: files for real devices, and aligned memory.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "mffs/block_device.h"

namespace mffs {

// A file of zeroes on a real file system (/tmp may be a tmpfs, which has no O_DIRECT), gone with the object.
// POSTHORN_TEST_FOLDER puts it elsewhere. POSTHORN_TEST_DEVICE names a block device to be used in its place, which must
// have the size that is asked for: what is on it is destroyed.
class TempFile {
 public:
  explicit TempFile(std::uint64_t size_bytes) {
    if (const char* const device = std::getenv("POSTHORN_TEST_DEVICE"); device != nullptr) {
      path_ = device;
      is_device_ = true;
      Zero(size_bytes);
      return;
    }
    if (const char* const folder = std::getenv("POSTHORN_TEST_FOLDER"); folder != nullptr) {
      path_ = std::string(folder) + "/posthorn-test-XXXXXX";
    }
    const int fd = ::mkstemp(path_.data());
    CHECK(fd >= 0);
    CHECK(::ftruncate(fd, static_cast<off_t>(size_bytes)) == 0);
    ::close(fd);
  }
  ~TempFile() {
    if (!is_device_) ::unlink(path_.c_str());
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  void Zero(std::uint64_t size_bytes) const {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    const std::string zeroes(size_bytes, '\0');
    CHECK(::write(fd, zeroes.data(), zeroes.size()) == static_cast<ssize_t>(size_bytes));
    CHECK(::fsync(fd) == 0);
    ::close(fd);
  }

  std::string path_ = "/var/tmp/posthorn-test-XXXXXX";
  bool is_device_ = false;
};

// Sectors of memory that a device accepts. Zeroed.
class AlignedMemory {
 public:
  explicit AlignedMemory(std::size_t sectors) : size_(sectors * kSectorBytes) {
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kSectorBytes, size_)));
    CHECK(memory_ != nullptr);
    Fill('\0');
  }
  base::MutableByteSpan span() { return {memory_.get(), size_}; }
  base::MutableByteSpan Sectors(std::size_t first, std::size_t count) {
    return span().subspan(first * kSectorBytes, count * kSectorBytes);
  }
  void Fill(char letter) { std::memset(memory_.get(), letter, size_); }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace mffs
