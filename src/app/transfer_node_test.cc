#include "app/transfer_node.h"

#include <string>

#include <gtest/gtest.h>

#include "admin/control_client.h"
#include "admin/testing.h"

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

class TransferNodeTest : public admin::ControlServerFixture {
 protected:
  TransferNodeTest() {
    table_.Add("echo", {.effect = admin::Effect::kReads, .arguments = {"text"}, .handler = Echo, .body_handler = {}});
    table_.Add("count", {.effect = admin::Effect::kReads,
                         .arguments = {admin::kBodyBytesArgument},
                         .handler = {},
                         .body_handler = Count});
  }
};

TEST_F(TransferNodeTest, GoesOnWhenTheNodeHasClosedTheConnection) {
  StartServer();
  TransferNode node([this] { return admin::ControlClient::Connect(path_); });
  ASSERT_TRUE(node.Open().has_value());
  ASSERT_TRUE(node.Call("echo", {{"text", "a"}}).has_value());
  StopServer();
  StartServer();
  const auto answer = node.Call("echo", {{"text", "b"}});
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->at("text").as_string(), "b");
  StopServer();
  StartServer();
  const auto counted = node.CallWithBody("count", {}, {std::string(1'000'000, 'x')});
  ASSERT_TRUE(counted.has_value()) << counted.error().message();
  EXPECT_EQ(counted->at("bytes").as_int64(), 1'000'000);
}

TEST_F(TransferNodeTest, SaysWhenThereIsNoNodeAnyMore) {
  StartServer();
  TransferNode node([this] { return admin::ControlClient::Connect(path_); });
  ASSERT_TRUE(node.Open().has_value());
  StopServer();
  const auto answer = node.Call("echo", {{"text", "a"}});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), base::Errc::kClosed);
}

}  // namespace
}  // namespace app
