// The contract of BlockDevice as tests, run on each implementation (block_device_contract_test.cc).
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/asio.h"
#include "mffs/block_device.h"
#include "mffs/device_testing.h"

namespace mffs {

// A device for the tests, with whatever it stands on.
struct DeviceUnderTest {
  std::string label;
  // Null when this machine refuses such a device: the test is skipped and says so.
  std::function<std::unique_ptr<BlockDevice>(async::Executor executor, const std::string& path)> make;
};

class BlockDeviceContract : public testing::TestWithParam<DeviceUnderTest> {
 protected:
  static constexpr std::uint64_t kSectors = 1024;

  void SetUp() override {
    device_ = GetParam().make(context_.get_executor(), file_.path());
    if (device_ == nullptr) GTEST_SKIP() << GetParam().label << " is refused on this machine";
  }

  // Collects outcomes: "ok" or the code's name.
  IoDone Note(std::size_t index) {
    if (outcomes_.size() <= index) outcomes_.resize(index + 1);
    return [this, index](base::Result<> result) {
      EXPECT_EQ(outcomes_[index], "") << "completed twice";
      outcomes_[index] = result ? "ok" : std::string(base::ToString(result.error().code()));
    };
  }
  void Run() {
    context_.restart();
    context_.run();
  }
  void WriteAll(std::uint64_t sector, base::ByteSpan data, Sync sync) {
    outcomes_.clear();
    device_->Write(sector * kSectorBytes, data, sync, Note(0));
    device_->Submit();
    Run();
    ASSERT_EQ(outcomes_[0], "ok");
  }
  // The first byte of each sector.
  std::string ReadLetters(std::uint64_t sector, std::size_t count) {
    AlignedMemory memory(count);
    outcomes_.clear();
    device_->Read(sector * kSectorBytes, memory.span(), Note(0));
    device_->Submit();
    Run();
    EXPECT_EQ(outcomes_[0], "ok");
    std::string letters;
    for (std::size_t s = 0; s < count; ++s) letters.push_back(static_cast<char>(memory.span()[s * kSectorBytes]));
    return letters;
  }

  asio::io_context context_{1};
  TempFile file_{kSectors * kSectorBytes};
  std::unique_ptr<BlockDevice> device_;
  std::vector<std::string> outcomes_;
};

TEST_P(BlockDeviceContract, KnowsItsSizeAndName) {
  EXPECT_EQ(device_->size_bytes(), kSectors * kSectorBytes);
  EXPECT_FALSE(device_->name().empty());
}

TEST_P(BlockDeviceContract, ReadsBackWhatWasWritten) {
  AlignedMemory memory(3);
  for (std::size_t s = 0; s < 3; ++s) std::memset(memory.Sectors(s, 1).data(), static_cast<int>('a' + s), kSectorBytes);
  WriteAll(5, memory.span(), Sync::kNo);
  EXPECT_EQ(ReadLetters(4, 5), std::string("\0abc\0", 5));
}

TEST_P(BlockDeviceContract, SyncedWritesAndFlushesSucceed) {
  AlignedMemory memory(256);
  memory.Fill('s');
  WriteAll(0, memory.span(), Sync::kYes);
  device_->Flush(Note(1));
  device_->Submit();
  Run();
  EXPECT_EQ(outcomes_[1], "ok");
  EXPECT_EQ(ReadLetters(255, 2), std::string("s\0", 2));
}

TEST_P(BlockDeviceContract, NeverCompletesInsideTheCall) {
  AlignedMemory memory(1);
  device_->Write(0, memory.span(), Sync::kYes, Note(0));
  device_->Read(kSectors * kSectorBytes, memory.span(), Note(1));
  EXPECT_EQ(outcomes_, std::vector<std::string>(2));
  device_->Submit();
  EXPECT_EQ(outcomes_, std::vector<std::string>(2));
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"ok", "invalid"}));
}

TEST_P(BlockDeviceContract, TakesFarMoreThanItsQueueHoldsInOneSubmit) {
  constexpr std::size_t kCount = 600;
  AlignedMemory memory(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    base::MutableByteSpan sector = memory.Sectors(i, 1);
    std::memset(sector.data(), static_cast<int>('a' + i % 26), kSectorBytes);
    device_->Write(i * kSectorBytes, sector, i % 7 == 0 ? Sync::kYes : Sync::kNo, Note(i));
  }
  device_->Submit();
  Run();
  EXPECT_EQ(outcomes_, std::vector<std::string>(kCount, "ok"));
  const std::string letters = ReadLetters(0, kCount);
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_EQ(letters[i], static_cast<char>('a' + i % 26)) << i;
}

TEST_P(BlockDeviceContract, StartsMoreFromWithinACompletion) {
  AlignedMemory memory(1);
  memory.Fill('x');
  int left = 50;
  std::function<void(base::Result<>)> next = [&](base::Result<> result) {
    ASSERT_TRUE(result.has_value());
    if (--left == 0) return;
    device_->Write(static_cast<std::uint64_t>(left) * kSectorBytes, memory.span(), Sync::kNo, next);
    device_->Submit();
  };
  device_->Write(0, memory.span(), Sync::kNo, next);
  device_->Submit();
  Run();
  EXPECT_EQ(left, 0);
}

TEST_P(BlockDeviceContract, UsesRegisteredAndOtherMemory) {
  AlignedMemory registered(8);
  AlignedMemory other(1);
  device_->RegisterBuffers(registered.span());
  std::memset(registered.Sectors(7, 1).data(), 'r', kSectorBytes);
  other.Fill('o');
  device_->Write(0, registered.Sectors(7, 1), Sync::kYes, Note(0));
  device_->Write(kSectorBytes, other.span(), Sync::kYes, Note(1));
  device_->Submit();
  Run();
  device_->Read(0, registered.Sectors(1, 2), Note(2));
  device_->Submit();
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"ok", "ok", "ok"}));
  EXPECT_EQ(registered.Sectors(1, 1)[0], std::byte{'r'});
  EXPECT_EQ(registered.Sectors(2, 1)[0], std::byte{'o'});
}

TEST_P(BlockDeviceContract, RefusesWhatLiesPastItsEnd) {
  AlignedMemory memory(2);
  const std::uint64_t end = kSectors * kSectorBytes;
  device_->Read(end - kSectorBytes, memory.span(), Note(0));
  device_->Write(end, memory.span(), Sync::kYes, Note(1));
  device_->Read(~std::uint64_t{0} / kSectorBytes * kSectorBytes, memory.span(), Note(2));
  device_->Submit();
  Run();
  EXPECT_EQ(outcomes_, (std::vector<std::string>{"invalid", "invalid", "invalid"}));
}

TEST_P(BlockDeviceContract, MayBeDestroyedByTheLastCompletion) {
  AlignedMemory memory(1);
  bool done = false;
  device_->Write(0, memory.span(), Sync::kYes, [&](base::Result<>) {
    device_.reset();
    done = true;
  });
  device_->Submit();
  Run();
  EXPECT_TRUE(done);
}

using BlockDeviceContractDeathTest = BlockDeviceContract;
TEST_P(BlockDeviceContractDeathTest, StopsOnWhatIsNotAligned) {
  AlignedMemory memory(2);
  const auto done = [](base::Result<>) {};
  EXPECT_DEATH(device_->Write(512, memory.span(), Sync::kNo, done), "kSectorBytes");
  EXPECT_DEATH(device_->Write(0, memory.span().first(512), Sync::kNo, done), "kSectorBytes");
  EXPECT_DEATH(device_->Read(0, memory.span().subspan(512, kSectorBytes), done), "kSectorBytes");
  EXPECT_DEATH(device_->Read(0, {}, done), "empty");
}

}  // namespace mffs
