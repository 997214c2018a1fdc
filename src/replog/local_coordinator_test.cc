#include "replog/local_coordinator.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "async/task_group.h"
#include "async/testing.h"

namespace replog {
namespace {

class LocalCoordinatorTest : public ::testing::Test {
 protected:
  LocalCoordinatorTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~LocalCoordinatorTest() override { std::filesystem::remove_all(folder_); }

  // A process: loads, takes an epoch for each pair of partition and own epoch.
  std::vector<std::uint64_t> Process(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& calls) {
    LocalCoordinator coordinator(context_.get_executor(), &worker_, path_);
    const auto loaded = async::RunTask(context_, coordinator.Load());
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message();
    std::vector<std::uint64_t> epochs;
    for (const auto& [partition, own] : calls) {
      const auto epoch = async::RunTask(context_, coordinator.TakeEpoch(PartitionId(partition), Epoch(own)));
      EXPECT_TRUE(epoch.has_value());
      epochs.push_back(epoch->value());
    }
    return epochs;
  }

  const std::string folder_ = ::testing::TempDir() + "local_coordinator_" + std::to_string(::getpid());
  const std::string path_ = folder_ + "/epochs";
  asio::io_context context_{1};
  async::WorkerPool worker_{{.name = "files"}};
};

TEST_F(LocalCoordinatorTest, NeverGivesAnEpochTwice) {
  EXPECT_EQ(Process({{0, 0}, {0, 0}, {5, 0}}), (std::vector<std::uint64_t>{1, 2, 1}));
  EXPECT_EQ(Process({{0, 0}, {5, 0}}), (std::vector<std::uint64_t>{3, 2}));
}

TEST_F(LocalCoordinatorTest, ALostFileLeadsToNoUsedEpoch) {
  EXPECT_EQ(Process({{0, 0}, {0, 0}}), (std::vector<std::uint64_t>{1, 2}));
  std::filesystem::remove(path_);
  EXPECT_EQ(Process({{0, 2}}), (std::vector<std::uint64_t>{3}));
}

TEST_F(LocalCoordinatorTest, ALaterEpochOfTheLogCounts) {
  EXPECT_EQ(Process({{7, 41}}), (std::vector<std::uint64_t>{42}));
}

async::Task<void> TakeOne(LocalCoordinator* coordinator, std::uint32_t partition, int* taken) {
  const auto epoch = co_await coordinator->TakeEpoch(PartitionId(partition), Epoch(0));
  if (epoch.has_value() && *epoch == Epoch(1)) *taken += 1;
}

async::Task<void> TakeMany(LocalCoordinator* coordinator, int* taken) {
  async::TaskGroup group(co_await asio::this_coro::executor, "takers");
  for (std::uint32_t partition = 0; partition < 300; ++partition) group.Spawn(TakeOne(coordinator, partition, taken));
  co_await group.Join();
  co_await group.Stop();
}

TEST_F(LocalCoordinatorTest, TakesManyAtOnceAndKeepsThemAll) {
  LocalCoordinator coordinator(context_.get_executor(), &worker_, path_);
  int taken = 0;
  async::RunTask(context_, TakeMany(&coordinator, &taken));
  EXPECT_EQ(taken, 300);
  EXPECT_EQ(Process({{0, 0}, {299, 0}}), (std::vector<std::uint64_t>{2, 2}));
}

TEST_F(LocalCoordinatorTest, AnUnwritableFolderIsAnErrorAndNoEpoch) {
  LocalCoordinator coordinator(context_.get_executor(), &worker_, folder_ + "/missing/epochs");
  const auto epoch = async::RunTask(context_, coordinator.TakeEpoch(PartitionId(0), Epoch(0)));
  ASSERT_FALSE(epoch.has_value());
  EXPECT_NE(epoch.error().message().find("/missing/epochs"), std::string::npos) << epoch.error().message();
}

TEST_F(LocalCoordinatorTest, ADamagedFileIsNamed) {
  std::ofstream(path_) << "PHEPOCH1\n0 5\nend 1\n";
  LocalCoordinator coordinator(context_.get_executor(), &worker_, path_);
  const auto loaded = async::RunTask(context_, coordinator.Load());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), base::Errc::kCorrupt);
  EXPECT_NE(loaded.error().message().find(path_), std::string::npos);
}

TEST(Epochs, EveryCutOfTheFileIsRefused) {
  const std::string text = EncodeEpochs({{PartitionId(0), Epoch(7)}, {kFirstQueuePartition, Epoch(1'000'000'000'000)}});
  const auto read = DecodeEpochs(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->at(kFirstQueuePartition), Epoch(1'000'000'000'000));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(DecodeEpochs(std::string_view(text).substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace replog
