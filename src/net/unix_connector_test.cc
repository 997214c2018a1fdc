#include "net/unix_connector.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "async/testing.h"

namespace net {
namespace {

class UnixConnectorTest : public ::testing::Test {
 protected:
  UnixConnectorTest() : sweep_(context_.get_executor(), &clock_) {
    char name[] = "/tmp/posthorn_unix_XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/socket";
  }
  ~UnixConnectorTest() override {
    if (listening_ >= 0) ::close(listening_);
    std::filesystem::remove_all(folder_);
  }
  void Listen() {
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    ASSERT_EQ(::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listening_, 4), 0);
  }
  auto Connect(const std::string& path) { return ConnectUnix(context_.get_executor(), path, &sweep_); }

  asio::io_context context_;
  base::SimClock clock_;
  DeadlineSweep sweep_;
  std::string folder_;
  std::string path_;
  int listening_ = -1;
};

TEST_F(UnixConnectorTest, BytesGoBothWays) {
  Listen();
  auto connected = Connect(path_);
  ASSERT_TRUE(connected.has_value()) << connected.error().message();
  EXPECT_TRUE((*connected)->peer().is_loopback);
  const int accepted = ::accept(listening_, nullptr, nullptr);
  ASSERT_GE(accepted, 0);
  ASSERT_EQ(::write(accepted, "220 hello", 9), 9);
  char text[16];
  const auto read = async::RunTask(context_, (*connected)->Read(text));
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(std::string_view(text, *read), "220 hello");
  EXPECT_EQ((*connected)->TryWrite("LHLO"), 4u);
  EXPECT_EQ(::read(accepted, text, sizeof text), 4);
  ::close(accepted);
  EXPECT_EQ(async::RunTask(context_, (*connected)->Read(text)).error().code(), base::Errc::kClosed);
}

TEST_F(UnixConnectorTest, SaysWhatIsWrong) {
  EXPECT_EQ(Connect(path_).error().code(), base::Errc::kNotFound);
  Listen();
  ::close(listening_);
  listening_ = -1;
  EXPECT_EQ(Connect(path_).error().code(), base::Errc::kClosed);
  EXPECT_EQ(Connect("/" + std::string(200, 'x')).error().code(), base::Errc::kInvalid);
  EXPECT_EQ(Connect("").error().code(), base::Errc::kInvalid);
}

}  // namespace
}  // namespace net
