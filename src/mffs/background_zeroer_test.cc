#include "mffs/background_zeroer.h"

#include <atomic>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "async/testing.h"
#include "mffs/device_testing.h"
#include "mffs/preallocate.h"

namespace mffs {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kUnhurried = 64 * kMiB;
constexpr std::uint64_t kFast = std::uint64_t{1} << 40;

// A preallocated, unwritten file, and a second descriptor that writes into it as a volume would.
class BackgroundZeroerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(PreallocateFile(file_.path(), kBytes, {.use_write_zeroes = false}).has_value());
    fd_ = ::open(file_.path().c_str(), O_RDWR | O_DIRECT);
    ASSERT_GE(fd_, 0);
    const auto ranges = UnwrittenRanges(fd_, 0, kBytes);
    if (!ranges || ranges->empty()) GTEST_SKIP() << "this file system has no unwritten extents";
  }
  void TearDown() override { ::close(fd_); }

  std::unique_ptr<BackgroundZeroer> Open(std::uint64_t bytes_per_second) {
    auto zeroer = BackgroundZeroer::Open(file_.path(), {.bytes_per_second = bytes_per_second});
    CHECK(zeroer.has_value());
    return *std::move(zeroer);
  }
  static void AwaitEnd(const BackgroundZeroer& zeroer) {
    while (!zeroer.progress().ended) std::this_thread::yield();
  }
  void WriteLetter(std::uint64_t offset, char letter) {
    AlignedMemory memory(1);
    memory.Fill(letter);
    ASSERT_EQ(::pwrite(fd_, memory.span().data(), kSectorBytes, static_cast<off_t>(offset)),
              static_cast<ssize_t>(kSectorBytes));
  }
  char ReadLetter(std::uint64_t offset) {
    AlignedMemory memory(1);
    CHECK(::pread(fd_, memory.span().data(), kSectorBytes, static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(kSectorBytes));
    return static_cast<char>(memory.span()[0]);
  }

  static constexpr std::uint64_t kBytes = 32 * kMiB;
  TempFile file_{0};
  int fd_ = -1;
};

TEST_F(BackgroundZeroerTest, WritesWhatIsOfferedAndNothingElse) {
  auto zeroer = Open(kFast);
  zeroer->Offer(kMiB / 2, 3 * kMiB);  // Whole chunks: 1 MiB to 3 MiB.
  EXPECT_EQ(zeroer->progress().offered_bytes, 2 * kMiB);
  zeroer->Start();
  AwaitEnd(*zeroer);
  EXPECT_EQ(zeroer->progress().handled_bytes, 2 * kMiB);
  EXPECT_EQ(zeroer->ZeroedUpTo(), kBytes);
  const auto unwritten = UnwrittenRanges(fd_, 0, kBytes);
  ASSERT_TRUE(unwritten.has_value());
  EXPECT_EQ(*unwritten, (std::vector<ByteRange>{{0, kMiB}, {3 * kMiB, kBytes - 3 * kMiB}}));
}

TEST_F(BackgroundZeroerTest, LeavesClaimedAndWrittenSpaceAlone) {
  WriteLetter(5 * kMiB, 'w');
  auto zeroer = Open(kFast);
  zeroer->Offer(0, kBytes);
  EXPECT_TRUE(zeroer->TryClaim(7 * kMiB - 1, 2));  // Touches two chunks.
  zeroer->Start();
  AwaitEnd(*zeroer);
  EXPECT_EQ(ReadLetter(5 * kMiB), 'w');
  const auto unwritten = UnwrittenRanges(fd_, 0, kBytes);
  ASSERT_TRUE(unwritten.has_value());
  EXPECT_EQ(*unwritten, (std::vector<ByteRange>{{6 * kMiB, 2 * kMiB}}));
}

TEST_F(BackgroundZeroerTest, NeverOverwritesWhatWasWrittenAfterAClaim) {
  // The owner claims from the far end while the zeroer comes towards it at full speed.
  auto zeroer = Open(kFast);
  zeroer->Offer(0, kBytes);
  asio::io_context context;
  zeroer->Start();
  std::uint64_t claimed_before_zeroing = 0;
  for (std::uint64_t at = kBytes; at > 0; at -= kMiB) {
    const std::uint64_t offset = at - kMiB;
    if (zeroer->ZeroedUpTo() <= offset) ++claimed_before_zeroing;
    async::RunTask(context, zeroer->Claim(offset, kMiB));
    WriteLetter(offset, 'm');
    WriteLetter(offset + kMiB - kSectorBytes, 'n');
  }
  AwaitEnd(*zeroer);
  for (std::uint64_t offset = 0; offset < kBytes; offset += kMiB) {
    EXPECT_EQ(ReadLetter(offset), 'm') << offset;
    EXPECT_EQ(ReadLetter(offset + kMiB - kSectorBytes), 'n') << offset;
  }
  EXPECT_GT(claimed_before_zeroing, 0u);
  EXPECT_EQ(zeroer->progress().handled_bytes, kBytes);
}

TEST_F(BackgroundZeroerTest, TellsWhoWasRefusedWhenTheChunkIsDone) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(::ftruncate(fd_, 0), 0);
    ASSERT_TRUE(PreallocateFile(file_.path(), kBytes, {.use_write_zeroes = false}).has_value());
    auto zeroer = Open(kFast);
    std::atomic<int> told = 0;
    zeroer->Offer(0, kBytes);
    zeroer->NotifyClaimable([&told] { ++told; });
    zeroer->Start();
    // Claims the chunk that comes next, until one is met while it is written.
    bool was_refused = false;
    std::uint64_t at = 0;
    while (!zeroer->progress().ended && !was_refused) {
      at = zeroer->ZeroedUpTo();
      was_refused = at < kBytes && !zeroer->TryClaim(at, kMiB);
    }
    if (!was_refused) continue;
    while (told == 0 && !zeroer->progress().ended) std::this_thread::yield();
    EXPECT_GE(told, 1);
    EXPECT_TRUE(zeroer->TryClaim(at, kMiB));
    return;
  }
  GTEST_SKIP() << "no claim met the zeroer at work";
}

TEST_F(BackgroundZeroerTest, StopsInTheMiddle) {
  auto zeroer = Open(kUnhurried);
  zeroer->Offer(0, kBytes);
  zeroer->Start();
  const auto start = std::chrono::steady_clock::now();
  zeroer.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(400));
}

TEST(PreallocateFile, ReservesGrowsAndKeepsWhatIsThere) {
  const TempFile file(0);
  for (const bool write_zeroes : {false, true}) {
    const std::uint64_t bytes = write_zeroes ? 3 * kMiB : kMiB;
    ASSERT_TRUE(PreallocateFile(file.path(), bytes, {.use_write_zeroes = write_zeroes}).has_value());
    struct stat status{};
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), bytes);
    EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, bytes);
    const int fd = ::open(file.path().c_str(), O_RDWR);
    char first = 0;
    ASSERT_EQ(::pread(fd, &first, 1, 0), 1);
    EXPECT_EQ(first, write_zeroes ? 'k' : '\0');
    ASSERT_EQ(::pwrite(fd, "k", 1, 0), 1);
    ::close(fd);
  }
}

TEST(PreallocateFile, SaysWhatIsMissing) {
  const std::string path = "/var/tmp/posthorn-too-large-" + std::to_string(::getpid());
  const auto too_large = PreallocateFile(path, std::uint64_t{1} << 43, {});
  ASSERT_FALSE(too_large.has_value());
  EXPECT_EQ(too_large.error().code(), base::Errc::kNoSpace) << too_large.error().message();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  const auto no_folder = PreallocateFile("/var/tmp/posthorn-none/volume", kMiB, {});
  ASSERT_FALSE(no_folder.has_value());
  EXPECT_EQ(no_folder.error().code(), base::Errc::kNotFound);
}

}  // namespace
}  // namespace mffs
