#include "auth/hashing_queue.h"

#include <future>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"

namespace auth {
namespace {

using async::Task;

// Jobs that only note that they ran; the first one holds the worker until Release().
class HashingQueueTest : public testing::Test {
 protected:
  void Open(HashingQueue::Options options) {
    queue_ = std::make_unique<HashingQueue>(options);
    Start("first", [this] {
      running_.set_value();
      released_.get_future().wait();
      return true;
    });
    running_.get_future().wait();
  }
  void Start(const std::string& network) {
    Start(network, [this, network] {
      order_ += network;
      return true;
    });
  }
  void Start(std::string network, std::function<bool()> job) {
    started_ += 1;
    asio::co_spawn(context_, Ask(std::move(network), std::move(job)),
                   [](const std::exception_ptr& error) { CHECK(!error); });
    context_.poll();
  }
  // Lets the worker go on; the networks in the order in which they were served.
  std::string Finish() {
    released_.set_value();
    while (done_ + refused_ < started_) context_.run_one();
    return order_;
  }
  Task<void> Ask(std::string network, std::function<bool()> job) {
    const auto answer = co_await queue_->Run(std::move(network), std::move(job));
    if (answer.has_value()) {
      EXPECT_TRUE(*answer);
      done_ += 1;
    } else {
      EXPECT_EQ(answer.error().code(), base::Errc::kBusy);
      refused_ += 1;
    }
  }

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(context_);
  std::promise<void> running_;
  std::promise<void> released_;
  std::string order_;  // Written by the one worker, read when it is done.
  int started_ = 0, done_ = 0, refused_ = 0;
  std::unique_ptr<HashingQueue> queue_;
};

TEST_F(HashingQueueTest, NetworksTakeTurns) {
  Open({});
  for (const char* network : {"a", "a", "a", "a", "b", "b", "c"}) Start(network);
  EXPECT_EQ(Finish(), "abcabaa");
}

TEST_F(HashingQueueTest, WhoComesWhileAFloodIsServedIsNext) {
  Open({});
  for (int i = 0; i < 3; ++i) Start("first");
  Start("b");
  EXPECT_EQ(Finish(), "bfirstfirstfirst");
}

TEST_F(HashingQueueTest, TheRoomOfOneNetworkIsItsOwn) {
  Open({.jobs_per_network_max = 2});
  for (const char* network : {"a", "a", "a", "b", "a", "b", "b"}) Start(network);
  EXPECT_EQ(refused_, 3);
  EXPECT_EQ(Finish(), "abab");
}

TEST_F(HashingQueueTest, TheWholeRoomIsBounded) {
  Open({.jobs_max = 3});
  for (const char* network : {"a", "b", "c", "d"}) Start(network);
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(Finish(), "abc");
}

TEST_F(HashingQueueTest, MoreThreadsServeOneNetworkAtOnce) {
  Open({.threads = 2});
  // Both workers are needed: the first job still holds one.
  std::promise<void> ran;
  Start("first", [&] {
    ran.set_value();
    return true;
  });
  ran.get_future().wait();
  Finish();
  EXPECT_EQ(done_, 2);
}

}  // namespace
}  // namespace auth
