#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include "mffs/preallocate.h"
#include "mffs_run.h"

namespace bench {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

base::Result<> WriteZeroes(int file, const mffs::ByteRange& range) {
  const std::unique_ptr<void, decltype(&std::free)> zeroes(std::aligned_alloc(4096, kPieceBytes), &std::free);
  std::fill_n(static_cast<char*>(zeroes.get()), kPieceBytes, '\0');
  for (std::uint64_t done = 0; done < range.size;) {
    const std::size_t bytes = std::min<std::uint64_t>(kPieceBytes, range.size - done);
    const ssize_t written = pwrite(file, zeroes.get(), bytes, static_cast<off_t>(range.offset + done));
    if (written <= 0) return base::ErrnoError("write zeroes to the volume's file", errno);
    done += static_cast<std::uint64_t>(written);
  }
  return {};
}

base::Result<> WriteUnwritten(int file, std::uint64_t bytes) {
  ASSIGN_OR_RETURN(const auto ranges, mffs::UnwrittenRanges(file, 0, bytes));
  for (const mffs::ByteRange& range : ranges) RETURN_IF_ERROR(WriteZeroes(file, range));
  if (fsync(file) != 0) return base::ErrnoError("sync the volume's file", errno);
  return {};
}

}  // namespace

base::Result<> PrepareVolumeFile(const std::string& path, std::uint64_t bytes) {
  RETURN_IF_ERROR(mffs::PreallocateFile(path, bytes, {}));
  const int file = open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  if (file < 0) return base::ErrnoError("open " + path, errno);
  auto written = WriteUnwritten(file, bytes);
  close(file);
  return written;
}

}  // namespace bench
