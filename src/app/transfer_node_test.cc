#include "app/transfer_node.h"

#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "admin/control_server.h"
#include "async/shard.h"
#include "async/testing.h"

namespace app {
namespace {

namespace json = boost::json;
using async::Task;
using base::Result;

Task<Result<json::object>> Echo(admin::Arguments arguments) {
  co_return arguments.members();
}

Task<Result<json::object>> Count(admin::Arguments, admin::RequestBody* body) {
  std::string piece(100, '\0');
  std::uint64_t bytes = 0;
  for (;;) {
    ASSIGN_OR_CO_RETURN(const std::size_t got, co_await body->Read(piece));
    if (got == 0) break;
    bytes += got;
  }
  co_return json::object{{"bytes", bytes}};
}

class TransferNodeTest : public testing::Test {
 protected:
  TransferNodeTest() {
    char name[] = "/tmp/posthorn-transfer-XXXXXX";
    folder_ = ::mkdtemp(name);
    table_.Add("echo", {.effect = admin::Effect::kReads, .arguments = {"text"}, .handler = Echo, .body_handler = {}});
    table_.Add("count", {.effect = admin::Effect::kReads,
                         .arguments = {admin::kBodyBytesArgument},
                         .handler = {},
                         .body_handler = Count});
  }
  ~TransferNodeTest() override {
    Stop();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/control.sock"; }
  void Start() {
    auto socket = admin::ControlSocket::Open(path());
    ASSERT_TRUE(socket.has_value()) << socket.error().message();
    shard_.emplace("control test");
    server_.emplace(shard_->executor(), *std::move(socket), &table_, admin::ControlServerOptions{});
    server_->Start();
    shard_->Start();
  }
  void Stop() {
    if (!server_) return;
    asio::io_context context;
    async::RunTask(context, shard_->Run(server_->Stop()));
    shard_->Join();
    server_.reset();
    shard_.reset();
  }

  std::string folder_;
  admin::CommandTable table_;
  std::optional<async::Shard> shard_;
  std::optional<admin::ControlServer> server_;
};

TEST_F(TransferNodeTest, GoesOnWhenTheNodeHasClosedTheConnection) {
  Start();
  TransferNode node([this] { return admin::ControlClient::Connect(path()); });
  ASSERT_TRUE(node.Open().has_value());
  ASSERT_TRUE(node.Call("echo", {{"text", "a"}}).has_value());
  Stop();
  Start();
  const auto answer = node.Call("echo", {{"text", "b"}});
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->at("text").as_string(), "b");
  Stop();
  Start();
  const auto counted = node.CallWithBody("count", {}, {std::string(1'000'000, 'x')});
  ASSERT_TRUE(counted.has_value()) << counted.error().message();
  EXPECT_EQ(counted->at("bytes").as_int64(), 1'000'000);
}

TEST_F(TransferNodeTest, SaysWhenThereIsNoNodeAnyMore) {
  Start();
  TransferNode node([this] { return admin::ControlClient::Connect(path()); });
  ASSERT_TRUE(node.Open().has_value());
  Stop();
  const auto answer = node.Call("echo", {{"text", "a"}});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), base::Errc::kClosed);
}

}  // namespace
}  // namespace app
