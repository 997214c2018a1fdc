#include "routing/table_file.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace routing {
namespace {

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

base::Result<std::string> ReadTableFile(const std::string& path, std::uint64_t bytes_max) {
  // Non-blocking: a pipe without a writer is opened at once, and refused below.
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) return base::ErrnoError("it cannot be opened", errno);
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return base::ErrnoError("it cannot be looked at", errno);
  if (!S_ISREG(status.st_mode)) return base::Error(base::Errc::kInvalid, "it is no regular file");
  if (static_cast<std::uint64_t>(status.st_size) > bytes_max) {
    return base::Error(base::Errc::kInvalid, fmt::format("it is longer than {} bytes", bytes_max));
  }
  // It may shrink or grow meanwhile: what counts is what is read, up to the size it had.
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t bytes = ::read(file.fd(), text.data() + size, text.size() - size);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return base::ErrnoError("it cannot be read", errno);
    if (bytes == 0) break;
    size += static_cast<std::size_t>(bytes);
  }
  text.resize(size);
  return text;
}

}  // namespace routing
