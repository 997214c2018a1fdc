// The undo file: what it puts back, and what it refuses to.
#include "mffs/undo_file.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/random.h"
#include "mffs/sim_device.h"

namespace mffs {
namespace {

using testing::HasSubstr;
constexpr std::chrono::seconds kDeadline{10};

IoMemory Filled(char byte, std::size_t sectors = 1) {
  IoMemory memory(sectors * kSectorBytes);
  std::memset(memory.data(), byte, memory.size());
  return memory;
}

// A disk, and a change of it that was made over an overlay.
class UndoFileTest : public testing::Test {
 protected:
  UndoFileTest() : device_(context_.get_executor(), 1u << 20), overlay_(context_.get_executor(), &device_) {
    Must(WriteDurably(&device_, 0, Filled('a', 8), kDeadline));
    before_ = device_.Snapshot();
    Must(WriteDurably(&overlay_, 2 * kSectorBytes, Filled('b', 2), kDeadline));
    Must(WriteDurably(&overlay_, 3 * kSectorBytes, Filled('c', 2), kDeadline));
    Must(WriteDurably(&overlay_, 100 * kSectorBytes, Filled('d'), kDeadline));
  }
  void Must(async::Task<base::Result<>> task) { CHECK(async::RunTask(context_, std::move(task)).has_value()); }
  Undo Take() { return async::RunTask(context_, TakeUndo(&overlay_, &device_, kDeadline)); }
  base::Result<> Apply(const Undo& undo) { return async::RunTask(context_, ApplyUndo(&undo, &device_, kDeadline)); }

  asio::io_context context_;
  SimDevice device_;
  OverlayDevice overlay_;
  SimImage before_{1u << 20};
};

TEST_F(UndoFileTest, TheOverlayKeepsItsWritesToItself) {
  EXPECT_TRUE(device_.Snapshot() == before_);
  const auto read = async::RunTask(context_, ReadSectors(&overlay_, kSectorBytes, 5 * kSectorBytes, kDeadline));
  ASSERT_TRUE(read);
  std::string seen;
  for (int i = 0; i < 5; ++i) seen.push_back(static_cast<char>(read->span()[i * kSectorBytes + 7]));
  EXPECT_EQ(seen, "abcca");
  EXPECT_EQ(overlay_.sectors().size(), 4u);
}

TEST_F(UndoFileTest, PutsBackWhatWasThere) {
  const Undo undo = Take();
  Must(ApplyWrites(&overlay_, &device_, kDeadline));
  EXPECT_FALSE(device_.Snapshot() == before_);
  const auto decoded = DecodeUndo(EncodeUndo(undo));
  ASSERT_TRUE(decoded) << decoded.error().message();
  ASSERT_TRUE(Apply(*decoded));
  EXPECT_TRUE(device_.Snapshot() == before_);
  EXPECT_TRUE(Apply(*decoded)) << "a second time, as after a cut";
}

TEST_F(UndoFileTest, LeavesAVolumeAloneThatWasUsedSince) {
  const Undo undo = Take();
  Must(ApplyWrites(&overlay_, &device_, kDeadline));
  Must(WriteDurably(&device_, 100 * kSectorBytes, Filled('e'), kDeadline));
  const SimImage used = device_.Snapshot();
  const auto result = Apply(undo);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("was used since"));
  EXPECT_TRUE(device_.Snapshot() == used);
}

TEST_F(UndoFileTest, IsOnlyForItsOwnDevice) {
  Undo undo = Take();
  undo.device_bytes += kSectorBytes;
  EXPECT_FALSE(Apply(undo));
}

TEST_F(UndoFileTest, WhatCannotBeReadIsKeptAsZeroes) {
  device_.Plant({.kind = PlantedFault::Kind::kFail,
                 .on = SimOperation::kRead,
                 .times = PlantedFault::kAlways,
                 .from = 2 * kSectorBytes,
                 .to = 3 * kSectorBytes});
  EXPECT_EQ(Take().sectors.front().old_bytes, std::vector<std::byte>(kSectorBytes));
}

TEST_F(UndoFileTest, AnyDamageToTheFileIsSeen) {
  const std::string text = EncodeUndo(Take());
  for (std::size_t at = 0; at < text.size(); at += at < 64 ? 1 : 501) {
    std::string bad = text;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(DecodeUndo(bad)) << at;
    EXPECT_FALSE(DecodeUndo(text.substr(0, at))) << at;
  }
}

TEST_F(UndoFileTest, AFileIsMadeOnceAndReadBack) {
  const auto path = (std::filesystem::temp_directory_path() / ("undo-" + base::RandomHex(8))).string();
  const Undo undo = Take();
  ASSERT_TRUE(StoreUndo(undo, path));
  EXPECT_FALSE(StoreUndo(undo, path)) << "it was overwritten";
  const auto loaded = LoadUndo(path);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(EncodeUndo(*loaded), EncodeUndo(undo));
  std::filesystem::remove(path);
  EXPECT_FALSE(LoadUndo(path));
}

}  // namespace
}  // namespace mffs
