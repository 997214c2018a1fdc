#include "net/listener.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "async/testing.h"
#include "base/log.h"
#include "net/connector.h"
#include "net/self_signed.h"

namespace net {
namespace {

using namespace std::chrono_literals;
using async::RunTask;
using async::Task;
using base::Errc;

Task<std::string> ReadAll(Connection* connection) {
  std::string text;
  char piece[1000];
  for (;;) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return text;
    text.append(piece, *size);
  }
}

Task<std::string> ReadLine(Connection* connection) {
  std::string text;
  char piece[1000];
  while (!text.ends_with("\n")) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return "closed";
    text.append(piece, *size);
  }
  co_return text;
}

// Greets, then echoes until the client goes.
Task<void> Echo(std::unique_ptr<Connection> connection) {
  connection->TryWrite(connection->is_tls() ? "hello over TLS\n" : "hello\n");
  char piece[1000];
  for (;;) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return;
    base::Ignore(co_await connection->Write({piece, *size}));  // The next read ends the session if this failed.
  }
}

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() : sweep_(context_.get_executor(), &clock_) {}
  ~ListenerTest() override {
    if (listener_ != nullptr) RunTask(context_, listener_->Stop());
  }

  void Listen(ConnectionLimitOptions limits = {}, TlsContext* implicit_tls = nullptr) {
    limit_ = std::make_unique<ConnectionLimit>(limits);
    auto sockets = ListenSocket::Open({.ip = "127.0.0.1", .port = 0}, 1);
    ASSERT_TRUE(sockets.has_value()) << sockets.error().message();
    ListenerOptions options{.session = Echo,
                            .refusal_line = [](Refusal) { return std::string("421 too many\r\n"); },
                            .protocol = "echo",
                            .implicit_tls = implicit_tls,
                            .accept_error_delay = 1ms};
    listener_ = std::make_unique<Listener>(context_.get_executor(), std::move(sockets->front()), limit_.get(), &sweep_,
                                           std::move(options));
    listener_->Start();
  }

  std::unique_ptr<TcpConnection> Connect() {
    auto connection = RunTask(context_, net::Connect({.ip = "127.0.0.1", .port = listener_->address().port}, &sweep_));
    EXPECT_TRUE(connection.has_value());
    return *std::move(connection);
  }

  asio::io_context context_;
  base::SystemClock clock_;
  DeadlineSweep sweep_;
  std::unique_ptr<ConnectionLimit> limit_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, HandsEachConnectionToASession) {
  Listen();
  const auto first = Connect();
  const auto second = Connect();
  EXPECT_EQ(RunTask(context_, ReadLine(first.get())), "hello\n");
  EXPECT_EQ(RunTask(context_, ReadLine(second.get())), "hello\n");
  first->TryWrite("one\n");
  EXPECT_EQ(RunTask(context_, ReadLine(first.get())), "one\n");
  EXPECT_EQ(listener_->sessions(), 2u);
}

TEST_F(ListenerTest, RefusesWithALineWhatIsOverTheLimit) {
  Listen({.connections_max = 10, .connections_per_client_max = 1});
  auto first = Connect();
  EXPECT_EQ(RunTask(context_, ReadLine(first.get())), "hello\n");
  const auto second = Connect();
  EXPECT_EQ(RunTask(context_, ReadAll(second.get())), "421 too many\r\n");
  EXPECT_EQ(listener_->sessions(), 1u);
  // The place of one that left is free again.
  first.reset();
  while (limit_->connections() > 0) context_.run_one();
  const auto third = Connect();
  EXPECT_EQ(RunTask(context_, ReadLine(third.get())), "hello\n");
}

TEST_F(ListenerTest, StopEndsAllSessionsAndFreesThePort) {
  Listen();
  const auto client = Connect();
  EXPECT_EQ(RunTask(context_, ReadLine(client.get())), "hello\n");
  const ListenAddress address = listener_->address();
  RunTask(context_, listener_->Stop());
  EXPECT_EQ(listener_->sessions(), 0u);
  EXPECT_EQ(limit_->connections(), 0u);
  EXPECT_EQ(RunTask(context_, ReadAll(client.get())), "");
  EXPECT_TRUE(ListenSocket::Open(address, 1).has_value());
}

TEST_F(ListenerTest, SpeaksTlsFromTheFirstByteWhenAsked) {
  char name[] = "/tmp/posthorn-listener-XXXXXX";
  const std::string dir = ::mkdtemp(name);
  const auto server_tls = TlsContext::Load(MakeSelfSigned(dir, "mx.example.test").value()).value();
  std::filesystem::remove_all(dir);
  Listen({}, server_tls.get());
  const auto client = Connect();
  const auto client_tls = TlsContext::ForClient();
  ASSERT_TRUE(RunTask(context_, client->StartTls(client_tls.get())).has_value());
  EXPECT_EQ(RunTask(context_, ReadLine(client.get())), "hello over TLS\n");
  // One that speaks plaintext is closed, and the listener lives on.
  const auto plain = Connect();
  plain->TryWrite("EHLO client.example.test\r\n");
  EXPECT_EQ(RunTask(context_, ReadAll(plain.get())).find("hello"), std::string::npos);
  client->TryWrite("still here\n");
  EXPECT_EQ(RunTask(context_, ReadLine(client.get())), "still here\n");
  RunTask(context_, listener_->Stop());
}

// UBSan's check of virtual calls probes memory through a pipe, and reports a false error when it gets no descriptors.
#if !__has_feature(undefined_behavior_sanitizer)
std::string& LoggedText() {
  static std::string text;
  return text;
}

// Takes all descriptors that the process may still open, until it is destroyed.
class DescriptorFamine {
 public:
  DescriptorFamine() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit tight{.rlim_cur = 64, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.push_back(fd);
  }
  ~DescriptorFamine() {
    for (const int fd : taken_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  void GiveOne() {
    ::close(taken_.back());
    taken_.pop_back();
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST_F(ListenerTest, OutOfDescriptorsItWaitsLogsOnceAndGoesOn) {
  Listen();
  LoggedText().clear();
  base::SetLogSink([](std::string_view line) { LoggedText().append(line); });
  std::unique_ptr<TcpConnection> client;
  {
    DescriptorFamine famine;
    famine.GiveOne();
    client = Connect();  // The kernel accepts it; the listener cannot.
    while (LoggedText().empty()) context_.run_one();
    for (int i = 0; i < 10; ++i) context_.run_one();  // More attempts, after the delay of each.
    EXPECT_EQ(listener_->sessions(), 0u);
  }
  EXPECT_EQ(RunTask(context_, ReadLine(client.get())), "hello\n");
  base::SetLogSink(nullptr);
  const std::size_t first = LoggedText().find("accept_failed");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(LoggedText().find("LimitNOFILE"), std::string::npos);
  EXPECT_EQ(LoggedText().find("accept_failed", first + 1), std::string::npos);
}
#endif

TEST(ListenSocket, SharesAPortAmongShardsButNotWithAnotherProgram) {
  const auto ours = ListenSocket::Open({.ip = "127.0.0.1", .port = 0}, 3);
  ASSERT_TRUE(ours.has_value());
  ASSERT_EQ(ours->size(), 3u);
  const ListenAddress address = ours->front().address();
  EXPECT_EQ(ours->back().address().port, address.port);
  for (const std::size_t count : {1u, 2u}) {
    const auto theirs = ListenSocket::Open(address, count);
    ASSERT_FALSE(theirs.has_value());
    EXPECT_EQ(theirs.error().code(), Errc::kBusy);
    EXPECT_EQ(theirs.error().message(), "cannot listen on 127.0.0.1:" + std::to_string(address.port) +
                                            ": another program listens there; stop it (`ss -ltnp` shows it) or change "
                                            "the address in the configuration");
  }
}

TEST(ListenSocket, SaysWhatIsWrongWithAnAddress) {
  const auto name = ListenSocket::Open({.ip = "localhost", .port = 0}, 1);
  EXPECT_EQ(name.error().message(), "cannot listen on \"localhost\": give a numeric address such as 127.0.0.1 or ::");
  const auto foreign = ListenSocket::Open({.ip = "192.0.2.1", .port = 0}, 1);
  EXPECT_EQ(foreign.error().code(), Errc::kInvalid);
}

}  // namespace
}  // namespace net
