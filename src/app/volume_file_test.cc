#include "app/volume_file.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "async/testing.h"
#include "base/check.h"
#include "base/clock.h"

namespace app {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

// Never asked for anything here.
class NoOwner final : public mffs::RecordOwner {
 public:
  async::Task<base::Result<>> Moved(std::vector<Move>) override { co_return base::Result<>(); }
  CheckpointState TakeCheckpointState() override { return {}; }
  void CheckpointDurable() override {}
};

class VolumeFileTest : public testing::Test {
 protected:
  VolumeFileTest() {
    // /tmp may be a tmpfs, which has no O_DIRECT.
    CHECK(::mkdtemp(folder_.data()) != nullptr);
    config_.volume_path = folder_ + "/volume.mffs";
    config_.volume_bytes = 20 * kMiB;
    config_.volume_segment_bytes = kMiB;
  }
  ~VolumeFileTest() override { std::filesystem::remove_all(folder_); }

  bool FileExists() const { return std::filesystem::exists(config_.volume_path); }
  bool UnfinishedExists() const { return std::filesystem::exists(config_.volume_path + ".unfinished"); }
  // Opens or makes the file, and the volume on it.
  void Open() {
    auto opened = OpenVolumeFile(context_.get_executor(), config_);
    ASSERT_TRUE(opened) << opened.error().message();
    file_ = *std::move(opened);
    const auto formatted = async::RunTask(context_, FormatIfNew(&file_, &config_));
    ASSERT_TRUE(formatted) << formatted.error().message();
    auto volume = async::RunTask(context_, mffs::Volume::Open(file_.device.get(), &clock_, WithClaims(&file_, {})));
    ASSERT_TRUE(volume) << volume.error().message();
    volume_ = *std::move(volume);
    StartZeroing(&file_, volume_.get());
  }
  void Close() {
    if (volume_) EXPECT_TRUE(async::RunTask(context_, volume_->Close()));
    volume_.reset();
    file_ = {};
  }

  std::string folder_ = "/var/tmp/posthorn-volume-XXXXXX";
  asio::io_context context_;
  base::SystemClock clock_;
  NodeConfig config_;
  OpenedVolumeFile file_;
  std::unique_ptr<mffs::Volume> volume_;
};

TEST_F(VolumeFileTest, OthersLoseTheirRightsToAFileThatTheyCouldRead) {
  Open();
  Close();
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(config_.volume_path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  fs::permissions(config_.volume_path, fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read);
  Open();
  EXPECT_EQ(fs::status(config_.volume_path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  Close();
}

TEST_F(VolumeFileTest, AMissingFileIsMadeAndFormattedOnce) {
  Open();
  EXPECT_TRUE(file_.is_new);
  Close();
  Open();
  EXPECT_FALSE(file_.is_new);
  Close();
}

TEST_F(VolumeFileTest, ANewFileThatCannotBeFormattedIsDeleted) {
  config_.volume_bytes = 8 * kMiB;  // Too small for 16 segments.
  auto opened = OpenVolumeFile(context_.get_executor(), config_);
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_TRUE(UnfinishedExists());
  const auto formatted = async::RunTask(context_, FormatIfNew(&*opened, &config_));
  ASSERT_FALSE(formatted);
  EXPECT_EQ(formatted.error().code(), base::Errc::kNoSpace);
  EXPECT_THAT(formatted.error().message(), testing::HasSubstr("take smaller segments or a larger device"));
  EXPECT_FALSE(FileExists());
  EXPECT_FALSE(UnfinishedExists());
  // With a better configuration the next start succeeds.
  opened->device.reset();
  config_.volume_bytes = 20 * kMiB;
  Open();
  Close();
}

TEST_F(VolumeFileTest, ANewFileThatCannotBeOpenedIsDeleted) {
  // A tmpfs has no O_DIRECT.
  config_.volume_path = "/dev/shm/posthorn-volume-" + std::to_string(::getpid());
  if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP() << "no tmpfs here";
  const auto opened = OpenVolumeFile(context_.get_executor(), config_);
  const bool exists = FileExists() || UnfinishedExists();
  std::filesystem::remove(config_.volume_path);
  std::filesystem::remove(config_.volume_path + ".unfinished");
  if (opened.has_value()) GTEST_SKIP() << "/dev/shm has O_DIRECT";
  EXPECT_FALSE(exists);
}

// A start can be killed anywhere: what it leaves is never taken for a volume.
TEST_F(VolumeFileTest, AStartThatIsCutOffBeforeTheFormatIsTakenUpByTheNext) {
  for (const std::uint64_t bytes : {20 * kMiB, 24 * kMiB, 16 * kMiB}) {
    SCOPED_TRACE(bytes);
    config_.volume_bytes = bytes;
    ASSERT_TRUE(OpenVolumeFile(context_.get_executor(), config_));
    EXPECT_FALSE(FileExists());
    EXPECT_TRUE(UnfinishedExists());
  }
  config_.volume_bytes = 20 * kMiB;
  Open();
  EXPECT_TRUE(FileExists());
  EXPECT_FALSE(UnfinishedExists());
  EXPECT_EQ(std::filesystem::file_size(config_.volume_path), 20 * kMiB);
  EXPECT_EQ(file_.path, config_.volume_path);
  Close();
}

TEST_F(VolumeFileTest, TwoStartsAtOnceDoNotMakeTheSameVolume) {
  auto first = OpenVolumeFile(context_.get_executor(), config_);
  ASSERT_TRUE(first) << first.error().message();
  const auto second = OpenVolumeFile(context_.get_executor(), config_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), base::Errc::kBusy);
  EXPECT_TRUE(async::RunTask(context_, FormatIfNew(&*first, &config_)));
  EXPECT_TRUE(FileExists());
}

TEST_F(VolumeFileTest, AFileThatAppearsMeanwhileIsKept) {
  auto opened = OpenVolumeFile(context_.get_executor(), config_);
  ASSERT_TRUE(opened) << opened.error().message();
  std::ofstream(config_.volume_path) << "somebody's";
  const auto formatted = async::RunTask(context_, FormatIfNew(&*opened, &config_));
  ASSERT_FALSE(formatted);
  EXPECT_EQ(formatted.error().code(), base::Errc::kExists);
  EXPECT_EQ(std::filesystem::file_size(config_.volume_path), 10);
  EXPECT_FALSE(UnfinishedExists());
}

TEST_F(VolumeFileTest, AnExistingFileIsKeptWhateverIsInIt) {
  Open();
  Close();
  config_.volume_segment_bytes = 64 * kMiB;  // Would not fit.
  auto opened = OpenVolumeFile(context_.get_executor(), config_);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(async::RunTask(context_, FormatIfNew(&*opened, &config_)));
  EXPECT_TRUE(FileExists());
}

TEST_F(VolumeFileTest, TheZeroerWorksOnlyWhereSpaceWasNeverUsed) {
  Open();
  ASSERT_EQ(file_.zeroer == nullptr, !file_.may_need_zeroing);
  if (!file_.may_need_zeroing) GTEST_SKIP() << "this file system writes zeroes at once";
  EXPECT_EQ(file_.zeroer->progress().offered_bytes, 18 * kMiB);
  NoOwner owner;
  const std::string body(500'000, 'x');
  // How soon every segment was taken once depends on when the background work frees others.
  for (int round = 0; round < 20 && !volume_->UnusedSpace().empty(); ++round) {
    volume_->Start(&owner);
    for (int i = 0; i < 60; ++i) {
      const auto location =
          async::RunTask(context_, volume_->AppendCopy(mffs::Stream::kTransit, {.type = 1}, "", body));
      ASSERT_TRUE(location) << location.error().message();
      volume_->Release(*location);
    }
    EXPECT_TRUE(async::RunTask(context_, volume_->Checkpoint()));
    Close();
    Open();
  }
  EXPECT_THAT(volume_->UnusedSpace(), testing::IsEmpty());
  EXPECT_EQ(file_.zeroer, nullptr);
  Close();
}

}  // namespace
}  // namespace app
