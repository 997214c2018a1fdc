// STARTTLS over real sockets: what the certificate has to be.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "net/connector.h"
#include "net/self_signed.h"
#include "smtp/client/client_session.h"
#include "smtp/client/testing.h"

namespace smtp {
namespace {

using async::Task;
using base::Errc;
using ::testing::HasSubstr;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, async::Executor>;

Task<bool> Hear(net::Connection* connection, std::string expected) {
  std::string heard;
  char piece[100];
  while (heard.size() < expected.size()) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return false;
    heard.append(piece, *size);
  }
  co_return heard == expected;
}

// Offers STARTTLS, goes through the handshake, takes EHLO again.
Task<void> ServeTls(net::Connection* connection, net::TlsContext* context, bool* completed) {
  connection->TryWrite("220 mx.example.test\r\n");
  bool heard = co_await Hear(connection, "EHLO client.test\r\n");
  if (!heard) co_return;
  connection->TryWrite("250-mx.example.test\r\n250 STARTTLS\r\n");
  heard = co_await Hear(connection, "STARTTLS\r\n");
  if (!heard) co_return;
  connection->TryWrite("220 go\r\n");
  const auto done = co_await connection->StartTls(context);
  if (!done.has_value()) co_return;
  heard = co_await Hear(connection, "EHLO client.test\r\n");
  if (!heard) co_return;
  base::Ignore(co_await connection->Write("250 secured.example.test\r\n"));  // The client says whether it came.
  *completed = true;
}

class ClientTlsTest : public testing::Test {
 protected:
  ClientTlsTest() : sweep_(context_.get_executor(), &clock_), servers_(context_.get_executor(), "servers") {
    char name[] = "/tmp/posthorn-client-XXXXXX";
    dir_ = ::mkdtemp(name);
    files_ = *net::MakeSelfSigned(dir_, "mx.example.test");
    server_context_ = *net::TlsContext::Load(files_);
    settings_.hostname = "client.test";
    settings_.tls = ClientTls::kRequired;
  }
  ~ClientTlsTest() override {
    async::RunTask(context_, servers_.Stop());
    std::filesystem::remove_all(dir_);
  }

  base::Result<std::unique_ptr<ClientSession>> OpenWith(std::shared_ptr<net::TlsContext> client_context) {
    Acceptor acceptor(context_.get_executor(), {asio::ip::address_v4::loopback(), 0});
    auto client =
        async::RunTask(context_, net::Connect({.ip = "127.0.0.1", .port = acceptor.local_endpoint().port()}, &sweep_));
    CHECK(client.has_value());
    server_ = std::make_unique<net::TcpConnection>(acceptor.accept(), net::PeerAddress{}, &sweep_);
    completed_ = false;
    servers_.Spawn(ServeTls(server_.get(), server_context_.get(), &completed_));
    settings_.tls_context = std::move(client_context);
    return async::RunTask(context_, ClientSession::Open(*std::move(client), &settings_));
  }

  asio::io_context context_;
  base::SimClock clock_;
  net::DeadlineSweep sweep_;
  std::string dir_;
  net::TlsFiles files_;
  std::unique_ptr<net::TlsContext> server_context_;
  std::unique_ptr<net::Connection> server_;
  async::TaskGroup servers_;
  ClientSettings settings_;
  bool completed_ = false;
};

TEST_F(ClientTlsTest, EncryptsToAServerThatIsWhoItShouldBe) {
  const auto session = OpenWith(*net::TlsContext::ForVerifyingClient("mx.example.test", files_.certificate));
  ASSERT_TRUE(session.has_value()) << session.error().message();
  EXPECT_EQ((*session)->tls().version, "TLSv1.3");
  EXPECT_EQ((*session)->server_name(), "secured.example.test");
  EXPECT_TRUE(completed_);
}

TEST_F(ClientTlsTest, RefusesAServerThatIsSomebodyElse) {
  const auto session = OpenWith(*net::TlsContext::ForVerifyingClient("mail.example.test", files_.certificate));
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code(), Errc::kIo);
  EXPECT_THAT(session.error().message(), HasSubstr("hostname mismatch"));
  EXPECT_FALSE(completed_);
}

TEST_F(ClientTlsTest, OpportunisticallyAnybodyWillDo) {
  settings_.tls = ClientTls::kOpportunistic;
  const auto session = OpenWith(net::TlsContext::ForClient());
  ASSERT_TRUE(session.has_value()) << session.error().message();
  EXPECT_FALSE((*session)->tls().version.empty());
}

}  // namespace
}  // namespace smtp
