#include "mffs/background_zeroer.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "async/deadline.h"
#include "base/check.h"
#include "base/log.h"
#include "mffs/block_device.h"
#include "mffs/preallocate.h"

namespace mffs {
namespace {

using std::chrono::steady_clock;

constexpr int kRestFactor = 4;
// <linux/ioprio.h> of Debian 12 does not compile as C++.
constexpr int kIoPriorityOfThisThread = 1;
constexpr int kIoPriorityIdle = 3 << 13;

}  // namespace

base::Result<std::unique_ptr<BackgroundZeroer>> BackgroundZeroer::Open(const std::string& path, Options options) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
  if (fd < 0) return base::ErrnoError("open " + path + " to zero it", errno);
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    const int failed = errno;
    ::close(fd);
    return base::ErrnoError("get the size of " + path, failed);
  }
  // A block device has no extents: it gets no chunks, and offers fall on deaf ears.
  const std::uint64_t size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  return std::unique_ptr<BackgroundZeroer>(new BackgroundZeroer(fd, size, path, options));
}

BackgroundZeroer::BackgroundZeroer(int fd, std::uint64_t size_bytes, std::string path, Options options)
    : fd_(fd),
      path_(std::move(path)),
      options_(options),
      chunks_(size_bytes / kChunkBytes),
      zeroes_(static_cast<std::byte*>(std::aligned_alloc(kSectorBytes, kChunkBytes)), std::free) {
  CHECK(zeroes_ != nullptr);
  CHECK(options_.bytes_per_second > 0);
  std::memset(zeroes_.get(), 0, kChunkBytes);
}

BackgroundZeroer::~BackgroundZeroer() {
  stop_.release();
  if (thread_.joinable()) thread_.join();
  ::close(fd_);
}

void BackgroundZeroer::Offer(std::uint64_t offset, std::uint64_t size) {
  CHECK(!thread_.joinable());
  const std::uint64_t first = (offset + kChunkBytes - 1) / kChunkBytes;
  const std::uint64_t end = std::min<std::uint64_t>((offset + size) / kChunkBytes, chunks_.size());
  for (std::uint64_t index = first; index < end; ++index) {
    Chunk expected = Chunk::kNotOffered;
    if (chunks_[index].compare_exchange_strong(expected, Chunk::kOffered)) offered_bytes_ += kChunkBytes;
  }
}

void BackgroundZeroer::Start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Run(); });
}

bool BackgroundZeroer::TryClaim(std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t first = offset / kChunkBytes;
  const std::uint64_t end = std::min<std::uint64_t>((offset + size + kChunkBytes - 1) / kChunkBytes, chunks_.size());
  if (ClaimChunks(first, end)) return true;
  // Either the zeroer sees this when it is done with the chunk, or it was done before and the second look finds that.
  claim_was_refused_ = true;
  return ClaimChunks(first, end);
}

bool BackgroundZeroer::ClaimChunks(std::uint64_t first, std::uint64_t end) {
  bool all_ours = true;
  for (std::uint64_t index = first; index < end; ++index) {
    Chunk state = Chunk::kOffered;
    if (chunks_[index].compare_exchange_strong(state, Chunk::kClaimed)) {
      handled_bytes_ += kChunkBytes;
    } else if (state == Chunk::kTaken) {
      all_ours = false;
    }
  }
  return all_ours;
}

async::Task<void> BackgroundZeroer::Claim(std::uint64_t offset, std::uint64_t size) {
  // The zeroer does not know who waits: it has no executor to post to, and a claim ahead of use hardly ever waits.
  while (!TryClaim(offset, size)) co_await async::Sleep(std::chrono::milliseconds(1));
}

BackgroundZeroer::Progress BackgroundZeroer::progress() const {
  return {offered_bytes_, handled_bytes_.load(), ended_.load(std::memory_order_acquire)};
}

void BackgroundZeroer::Run() {
  pthread_setname_np(pthread_self(), "zeroer");
  // Only some I/O schedulers heed it; the rests are what protects the volume on all.
  ::syscall(SYS_ioprio_set, kIoPriorityOfThisThread, 0, kIoPriorityIdle);
  for (std::size_t index = 0; index < chunks_.size(); ++index) {
    Chunk expected = Chunk::kOffered;
    if (chunks_[index].compare_exchange_strong(expected, Chunk::kTaken)) {
      const bool go_on = HandleChunk(index);
      if (!go_on) break;
    }
    zeroed_up_to_.store((index + 1) * kChunkBytes, std::memory_order_release);
  }
  ended_.store(true, std::memory_order_release);
}

bool BackgroundZeroer::HandleChunk(std::size_t index) {
  const auto start = steady_clock::now();
  const base::Result<std::uint64_t> written = ZeroUnwritten(index * kChunkBytes);
  // Whatever came of it, nothing is being written there any more.
  chunks_[index].store(Chunk::kDone);
  handled_bytes_ += kChunkBytes;
  if (claim_was_refused_.exchange(false) && claimable_) claimable_();
  if (!written) {
    base::LogWarning(
        "zeroing_ended",
        {{"file", path_}, {"why", written.error().message()}, {"effect", "first writes to fresh space are slower"}});
    return false;
  }
  return RestAfter(steady_clock::now() - start, *written);
}

base::Result<std::uint64_t> BackgroundZeroer::ZeroUnwritten(std::uint64_t offset) {
  ASSIGN_OR_RETURN(const std::vector<ByteRange> ranges, UnwrittenRanges(fd_, offset, kChunkBytes));
  std::uint64_t bytes = 0;
  for (const ByteRange& range : ranges) {
    const ssize_t written = ::pwrite(fd_, zeroes_.get(), range.size, static_cast<off_t>(range.offset));
    if (written < 0) return base::ErrnoError("write zeroes", errno);
    if (static_cast<std::uint64_t>(written) != range.size)
      return base::Error(base::Errc::kIo, "a write of zeroes was short");
    bytes += range.size;
  }
  return bytes;
}

bool BackgroundZeroer::RestAfter(steady_clock::duration took, std::uint64_t bytes) {
  if (bytes == 0) return !stop_.try_acquire();
  const double seconds = static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second);
  const auto paced = std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds));
  return !stop_.try_acquire_for(std::max(kRestFactor * took, paced));
}

}  // namespace mffs
