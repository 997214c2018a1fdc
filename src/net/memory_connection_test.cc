// What only the connection in memory has: StartTls as a rendezvous. The contract is in connection_contract_test.cc.
#include "net/memory_connection.h"

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"

namespace net {
namespace {

using async::Task;
using base::Result;

class MemoryTls : public testing::Test {
 protected:
  MemoryTls() : sweep_(context_.get_executor(), &clock_), tasks_(context_.get_executor(), "test") {
    auto pair = MemoryConnection::MakePair(context_.get_executor(), &sweep_);
    server_ = std::move(pair.server);
    client_ = std::move(pair.client);
  }
  ~MemoryTls() override { async::RunTask(context_, tasks_.Stop()); }

  static Task<void> Upgrade(Connection* connection, Result<>* outcome) {
    *outcome = co_await connection->StartTls(nullptr);
  }

  asio::io_context context_;
  base::SimClock clock_;
  DeadlineSweep sweep_;
  async::TaskGroup tasks_;
  std::unique_ptr<Connection> server_, client_;
};

TEST_F(MemoryTls, WhoComesSecondMayWriteBeforeTheFirstHasResumed) {
  Result<> server = base::Error(base::Errc::kBusy, "not yet");
  tasks_.Spawn(Upgrade(server_.get(), &server));
  context_.poll();
  Result<> client = base::Error(base::Errc::kBusy, "not yet");
  tasks_.Spawn(Upgrade(client_.get(), &client));
  context_.run_one();
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(client_->TryWrite("hello"), 5u);
  context_.restart();
  context_.poll();
  EXPECT_TRUE(server.has_value());
}

TEST_F(MemoryTls, PlaintextInFrontOfTheHandshakeMakesItFail) {
  for (const bool server_first : {false, true}) {
    auto pair = MemoryConnection::MakePair(context_.get_executor(), &sweep_);
    EXPECT_EQ(pair.client->TryWrite("plain"), 5u);
    Result<> server, client;
    if (server_first) tasks_.Spawn(Upgrade(pair.server.get(), &server));
    tasks_.Spawn(Upgrade(pair.client.get(), &client));
    if (!server_first) tasks_.Spawn(Upgrade(pair.server.get(), &server));
    async::RunTask(context_, tasks_.Join());
    EXPECT_FALSE(server.has_value());
    EXPECT_FALSE(client.has_value());
  }
}

}  // namespace
}  // namespace net
