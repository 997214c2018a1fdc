#include "transfer/files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace transfer {

using base::Errc;
using base::Error;
using base::Result;

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::string> ReadWhole(int folder, const std::string& name, std::uint64_t bytes_max) {
  // Not blocking: a FIFO would wait for its writer.
  const File file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) return base::ErrnoError("open " + name, errno);
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return base::ErrnoError("look at " + name, errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::kInvalid, name + " is no regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > bytes_max) {
    return Error(Errc::kInvalid,
                 fmt::format("{} has {} bytes, more than the {} that are taken", name, size, bytes_max));
  }
  auto bytes = ReadPart(file.fd(), 0, size);
  if (!bytes.has_value()) return std::move(bytes).error().In("read " + name);
  return bytes;
}

Result<std::string> ReadPart(int fd, std::uint64_t offset, std::uint64_t bytes) {
  std::string text(bytes, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::pread(fd, text.data() + have, text.size() - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoError("read", errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

base::Error WriteError(std::string_view doing, const std::string& path, int errno_value) {
  if (errno_value == ENOSPC || errno_value == EDQUOT) {
    return Error(Errc::kNoSpace,
                 fmt::format("there is no room left for {}: make room there, then run the same command again", path));
  }
  return base::ErrnoError(fmt::format("{} {}", doing, path), errno_value);
}

Result<std::string> ClaimFolder(const std::string& path, const std::string& account) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return WriteError("make", path, errno);
  std::error_code failed;
  std::string folder = std::filesystem::canonical(path, failed).string();
  if (failed) return base::ErrnoError("open " + path, failed.value());
  const std::string marker = folder + "/" + std::string(kExportMarker);
  const auto of = ReadWhole(AT_FDCWD, marker, 4096);
  if (!of.has_value() && !std::filesystem::is_empty(folder, failed)) {
    return Error(Errc::kExists,
                 fmt::format("{} is not empty: name an empty folder, or one that was exported to", path));
  }
  if (of.has_value() && *of != account + "\n") {
    return Error(Errc::kExists, fmt::format("{} holds the mail of another account: name an empty folder", path));
  }
  RETURN_IF_ERROR(ReplaceFile(marker, account + "\n"));
  return folder;
}

Result<> WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteError("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string unfinished = path + ".unfinished";
  {
    const File file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.is_open()) return base::ErrnoError("make " + unfinished, errno);
    RETURN_IF_ERROR(WriteAll(file.fd(), bytes, unfinished));
    if (::fsync(file.fd()) != 0) return base::ErrnoError("write " + unfinished, errno);
  }
  return NameDurably(unfinished, path);
}

Result<> NameDurably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return base::ErrnoError("name " + to, errno);
  const std::string parent = std::filesystem::path(to).parent_path().string();
  const File folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.fd()) != 0) return base::ErrnoError("write " + parent, errno);
  return {};
}

}  // namespace transfer
