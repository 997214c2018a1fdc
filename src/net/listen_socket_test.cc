#include "net/listen_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace net {
namespace {

// Whether somebody listens on that port of loopback.
bool Connects(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

TEST(ListenSocket, KeepsAnAddressBeforeItListens) {
  auto socket = ListenSocket::Bind({.ip = "127.0.0.1", .port = 0});
  ASSERT_TRUE(socket) << socket.error().message();
  const std::uint16_t port = socket->address().port;
  EXPECT_NE(port, 0);
  EXPECT_FALSE(Connects(port));
  ASSERT_TRUE(socket->Listen());
  EXPECT_TRUE(Connects(port));
}

TEST(ListenSocket, SaysThatAnotherProgramListensWhicheverCameFirst) {
  auto first = ListenSocket::Bind({.ip = "127.0.0.1", .port = 0});
  ASSERT_TRUE(first);
  const ListenAddress address = first->address();
  auto second = ListenSocket::Bind(address);  // SO_REUSEADDR allows it until one listens.
  ASSERT_TRUE(first->Listen());
  ASSERT_TRUE(second);
  const auto refused = second->Listen();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), base::Errc::kBusy);
  const auto third = ListenSocket::Bind(address);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), base::Errc::kBusy);
  EXPECT_NE(third.error().message().find("another program listens there"), std::string::npos);
}

}  // namespace
}  // namespace net
