// What only a real socket has: the contract of all connections is tested in connection_contract_test.cc.
#include "net/tcp_connection.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async/testing.h"

namespace net {
namespace {

// A plain blocking socket, connected to a TcpConnection.
class TcpConnectionTest : public testing::Test {
 protected:
  TcpConnectionTest() : sweep_(context_.get_executor(), &clock_) {
    const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listening, raw, size), 0);
    EXPECT_EQ(::listen(listening, 1), 0);
    EXPECT_EQ(::getsockname(listening, raw, &size), 0);
    client_ = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(client_, raw, size), 0);
    TcpSocket socket(context_.get_executor());
    socket.assign(asio::ip::tcp::v4(), ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK));
    ::close(listening);
    server_ = std::make_unique<TcpConnection>(std::move(socket), PeerAddress{}, &sweep_);
  }
  ~TcpConnectionTest() override { ::close(client_); }

  void ClientSends(std::string_view text) {
    ASSERT_EQ(::send(client_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  // What the client has sent and the server's kernel has not acknowledged.
  int Unacknowledged() const {
    int bytes = -1;
    EXPECT_EQ(::ioctl(client_, SIOCOUTQ, &bytes), 0);
    return bytes;
  }
  static async::Task<base::Result<std::size_t>> ReadSome(Connection* connection) {
    char piece[100];
    co_return co_await connection->Read(piece);
  }

  asio::io_context context_;
  base::SimClock clock_;
  DeadlineSweep sweep_;
  int client_ = -1;
  std::unique_ptr<TcpConnection> server_;
};

TEST_F(TcpConnectionTest, AcknowledgesAtOnceWhenAsked) {
  // A dialogue, as the kernel sees it: from now on it waits with acknowledgements for our answers.
  for (int i = 0; i < 20; ++i) {
    ClientSends("command");
    EXPECT_EQ(*async::RunTask(context_, ReadSome(server_.get())), 7u);
    EXPECT_EQ(server_->TryWrite("answer"), 6u);
  }
  for (int i = 0; i < 20; ++i) {
    ClientSends("a part of a command");
    EXPECT_EQ(*async::RunTask(context_, ReadSome(server_.get())), 19u);
    server_->AcknowledgeAtOnce();
    EXPECT_EQ(Unacknowledged(), 0) << i;
    ClientSends("and the rest");
    EXPECT_EQ(*async::RunTask(context_, ReadSome(server_.get())), 12u);
    EXPECT_EQ(server_->TryWrite("answer"), 6u);
  }
  server_->Close();
  server_->AcknowledgeAtOnce();
}

}  // namespace
}  // namespace net
