#include "net/connector.h"

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "net/network.h"

namespace net {
namespace {

using namespace std::chrono_literals;
using base::Errc;
using base::Result;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, async::Executor>;
using Connected = Result<std::unique_ptr<TcpConnection>>;

async::Task<void> Store(async::Task<Connected> task, std::optional<Connected>* into) {
  into->emplace(co_await std::move(task));
}

class ConnectorTest : public testing::Test {
 protected:
  ConnectorTest() : sweep_(context_.get_executor(), &clock_) {}

  Acceptor Listen(int backlog = 16) {
    Acceptor acceptor(context_.get_executor());
    acceptor.open(asio::ip::tcp::v4());
    acceptor.bind({asio::ip::address_v4::loopback(), 0});
    acceptor.listen(backlog);
    return acceptor;
  }
  Connected ConnectTo(ConnectOptions options) { return async::RunTask(context_, Connect(std::move(options), &sweep_)); }
  Errc ErrorOf(ConnectOptions options) {
    const Connected connected = ConnectTo(std::move(options));
    EXPECT_FALSE(connected.has_value());
    return connected.has_value() ? Errc::kExists : connected.error().code();
  }

  asio::io_context context_;
  base::SimClock clock_;
  DeadlineSweep sweep_;
};

TEST_F(ConnectorTest, ConnectsAndSaysToWhom) {
  Acceptor acceptor = Listen();
  const Connected connected = ConnectTo({.ip = "127.0.0.1", .port = acceptor.local_endpoint().port()});
  ASSERT_TRUE(connected.has_value()) << connected.error().message();
  EXPECT_EQ((*connected)->peer().ip, "127.0.0.1");
  EXPECT_EQ((*connected)->peer().port, acceptor.local_endpoint().port());
  EXPECT_TRUE((*connected)->peer().is_loopback);
  EXPECT_EQ((*connected)->TryWrite("hello"), 5u);
}

TEST_F(ConnectorTest, ComesFromTheSourceAddress) {
  Acceptor acceptor = Listen();
  const Connected connected =
      ConnectTo({.ip = "127.0.0.1", .port = acceptor.local_endpoint().port(), .source_ip = "127.0.0.9"});
  ASSERT_TRUE(connected.has_value()) << connected.error().message();
  TcpSocket::endpoint_type from;
  const TcpSocket accepted = acceptor.accept(from);
  EXPECT_EQ(from.address().to_string(), "127.0.0.9");
}

TEST_F(ConnectorTest, SaysWhatFailed) {
  const std::uint16_t port = Listen().local_endpoint().port();  // Closed again.
  EXPECT_EQ(ErrorOf({.ip = "127.0.0.1", .port = port}), Errc::kClosed);
  EXPECT_EQ(ErrorOf({.ip = "localhost", .port = port}), Errc::kInvalid);
  EXPECT_EQ(ErrorOf({.ip = "127.0.0.1", .port = port, .source_ip = "::1"}), Errc::kInvalid);
  EXPECT_EQ(ErrorOf({.ip = "127.0.0.1", .port = port, .source_ip = "x"}), Errc::kInvalid);
  EXPECT_EQ(ErrorOf({.ip = "127.0.0.1", .port = port, .source_ip = "192.0.2.1"}), Errc::kIo);
}

// A listener whose backlog is full leaves the next SYN unanswered.
TEST_F(ConnectorTest, GivesUpInTime) {
  Acceptor acceptor = Listen(0);
  const ConnectOptions options{.ip = "127.0.0.1", .port = acceptor.local_endpoint().port(), .timeout = 10s};
  async::TaskGroup group(context_.get_executor(), "test");
  std::optional<Connected> results[4];
  for (auto& result : results) group.Spawn(Store(Connect(options, &sweep_), &result));
  // The first fill the backlog; all that the kernel does for them it does within connect().
  for (int i = 0; i < 100; ++i) context_.poll();
  EXPECT_FALSE(results[3].has_value());
  clock_.Advance(9s);
  sweep_.Tick();
  for (int i = 0; i < 100; ++i) context_.poll();
  EXPECT_FALSE(results[3].has_value());
  clock_.Advance(2s);
  sweep_.Tick();
  async::RunTask(context_, group.Join());
  ASSERT_TRUE(results[3].has_value());
  ASSERT_FALSE(results[3]->has_value());
  EXPECT_EQ(results[3]->error().code(), Errc::kTimeout);
  EXPECT_TRUE(results[0]->has_value());
  for (auto& result : results) result.reset();
}

TEST_F(ConnectorTest, IsCancelledWithItsTask) {
  Acceptor acceptor = Listen(0);
  const ConnectOptions options{.ip = "127.0.0.1", .port = acceptor.local_endpoint().port()};
  async::TaskGroup group(context_.get_executor(), "test");
  std::optional<Connected> results[4];
  for (auto& result : results) group.Spawn(Store(Connect(options, &sweep_), &result));
  for (int i = 0; i < 100; ++i) context_.poll();
  async::RunTask(context_, group.Stop());
  EXPECT_FALSE(results[3].has_value());
  for (auto& result : results) result.reset();
}

}  // namespace
}  // namespace net
