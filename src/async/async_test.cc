#include <gtest/gtest.h>

#include "async/deadline.h"
#include "async/notifier.h"
#include "async/one_shot.h"
#include "async/shard.h"
#include "async/task_group.h"
#include "async/testing.h"
#include "async/worker_pool.h"

namespace async {
namespace {

using namespace std::chrono_literals;

Task<int> Answer() {
  co_return 42;
}
Task<void> Forever() {
  co_await Sleep(1h);
}
Task<void> SetFlag(bool* flag) {
  *flag = true;
  co_return;
}
Task<int> WaitThenAdd(OneShot<int>* shot) {
  co_return co_await shot->Wait() + 1;
}
Task<void> SetLater(OneShot<int>* shot) {
  co_await asio::post(co_await asio::this_coro::executor, use_task);
  shot->Set(1);
}

TEST(OneShot, HandsTheValueToTheWaiterWhicheverComesFirst) {
  asio::io_context context;
  OneShot<int> early;
  early.Set(6);
  EXPECT_EQ(RunTask(context, WaitThenAdd(&early)), 7);
  OneShot<int> late;
  TaskGroup group(context.get_executor(), "test");
  group.Spawn(SetLater(&late));
  EXPECT_EQ(RunTask(context, WaitThenAdd(&late)), 2);
  RunTask(context, group.Join());
}

TEST(TaskGroup, StopCancelsAndAwaitsItsTasks) {
  asio::io_context context;
  TaskGroup group(context.get_executor(), "test");
  bool ran = false;
  group.Spawn(Forever());
  group.Spawn(SetFlag(&ran));
  RunTask(context, Sleep(1ms));
  EXPECT_TRUE(ran);
  EXPECT_EQ(group.size(), 1u);
  RunTask(context, group.Stop());
  EXPECT_EQ(group.size(), 0u);
}

TEST(WithDeadline, ReturnsTheValueInTime) {
  asio::io_context context;
  EXPECT_EQ(RunTask(context, WithDeadline(Answer(), 1h)), 42);
}

TEST(WithDeadline, CancelsWhatTakesTooLong) {
  asio::io_context context;
  const auto result = RunTask(context, WithDeadline(Forever(), 1ms));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), base::Errc::kTimeout);
}

Task<void> DeadlineInside(bool* reached) {
  base::Ignore(co_await WithDeadline(Forever(), 1h));
  *reached = true;
}

TEST(WithDeadline, PassesTheCallersCancellationOn) {
  asio::io_context context;
  TaskGroup group(context.get_executor(), "test");
  bool reached = false;
  group.Spawn(DeadlineInside(&reached));
  RunTask(context, Sleep(1ms));
  RunTask(context, group.Stop());
  EXPECT_EQ(group.size(), 0u);
}

Task<base::Result<int>> RunOnPool(WorkerPool* pool) {
  co_return co_await pool->Run([] { return 5; });
}

TEST(WorkerPool, RunsAJobElsewhereAndComesBack) {
  asio::io_context context;
  WorkerPool pool({.name = "test"});
  EXPECT_EQ(RunTask(context, RunOnPool(&pool)), 5);
}

TEST(WorkerPool, AnswersBusyWhenItsQueueIsFull) {
  asio::io_context context;
  std::mutex gate;
  std::unique_lock hold(gate);
  WorkerPool pool({.name = "test", .threads = 1, .jobs_max = 1});
  pool.Post([&gate] { const std::lock_guard lock(gate); });
  while (pool.waiting() > 0) std::this_thread::yield();
  pool.Post([] {});
  const auto result = RunTask(context, RunOnPool(&pool));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), base::Errc::kBusy);
  hold.unlock();
}

Task<bool> IsOn(const Shard* shard) {
  co_return shard->IsCurrent();
}
Task<bool> RunOn(Shard* shard) {
  co_return co_await shard->Run(IsOn(shard));
}

TEST(Shard, RunsATaskOnItsOwnThread) {
  asio::io_context context;
  Shard shard("test");
  shard.Start();
  EXPECT_TRUE(RunTask(context, RunOn(&shard)));
  shard.Join();
}

Task<void> WaitFor(Notifier* notifier, int* woken) {
  co_await notifier->Wait();
  ++*woken;
}

TEST(Notifier, WakesAllWaiters) {
  asio::io_context context;
  Notifier notifier(context.get_executor());
  TaskGroup group(context.get_executor(), "test");
  int woken = 0;
  group.Spawn(WaitFor(&notifier, &woken));
  group.Spawn(WaitFor(&notifier, &woken));
  RunTask(context, Sleep(1ms));
  notifier.NotifyAll();
  RunTask(context, group.Join());
  EXPECT_EQ(woken, 2);
}

}  // namespace
}  // namespace async
