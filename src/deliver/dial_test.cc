#include "deliver/dial.h"

#include <filesystem>

#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "async/testing.h"

namespace deliver {
namespace {

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, async::Executor>;

class DialTest : public ::testing::Test {
 protected:
  DialTest() : sweep_(context_.get_executor(), &clock_) {}

  auto DialTo(Endpoint endpoint, DialOptions options = {}) {
    const Dial dial = DialNetwork(&sweep_, std::move(options));
    return async::RunTask(context_, dial(std::move(endpoint)));
  }
  Acceptor Listen() {
    Acceptor acceptor(context_.get_executor());
    acceptor.open(asio::ip::tcp::v4());
    acceptor.bind({asio::ip::address_v4::loopback(), 0});
    acceptor.listen();
    return acceptor;
  }

  asio::io_context context_;
  base::SimClock clock_;
  net::DeadlineSweep sweep_;
};

TEST_F(DialTest, ReachesAServerByItsAddress) {
  const Acceptor acceptor = Listen();
  // The source of the other family is of no use here, and does no harm.
  const auto connected = DialTo({"mx.test", "127.0.0.1", acceptor.local_endpoint().port()}, {.source_v6 = "::1"});
  ASSERT_TRUE(connected.has_value()) << connected.error().message();
  EXPECT_EQ((*connected)->peer().ip, "127.0.0.1");
}

TEST_F(DialTest, ReachesAServerByItsSocket) {
  char name[] = "/tmp/posthorn_dial_XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string path = folder + "/lmtp";
  EXPECT_EQ(DialTo({path, "", 0}).error().code(), base::Errc::kNotFound);
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listening, 1), 0);
  EXPECT_TRUE(DialTo({path, "", 0}).has_value());
  ::close(listening);
  std::filesystem::remove_all(folder);
}

TEST_F(DialTest, SaysThatNobodyListens) {
  const std::uint16_t port = Listen().local_endpoint().port();  // Closed again.
  EXPECT_EQ(DialTo({"mx.test", "127.0.0.1", port}).error().code(), base::Errc::kClosed);
}

}  // namespace
}  // namespace deliver
