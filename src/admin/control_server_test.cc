#include "admin/control_server.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/control_client.h"
#include "admin/testing.h"

namespace admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;

Task<Result<json::object>> Echo(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string text, arguments.Text("text", 100'000));
  json::object answer;
  answer["text"] = text;
  co_return answer;
}

Task<Result<json::object>> Fail(Arguments) {
  co_return Error(Errc::kNoSpace, "the volume is full; delete something");
}

// Answers what followed the request; "skip" leaves it unread.
Task<Result<json::object>> Collect(Arguments arguments, RequestBody* body) {
  CO_RETURN_IF_ERROR(arguments.OptionalText("skip", 1));
  std::string text;
  std::string piece(1000, '\0');
  while (!arguments.members().contains("skip")) {
    ASSIGN_OR_CO_RETURN(const std::size_t got, co_await body->Read(piece));
    if (got == 0) break;
    text.append(piece, 0, got);
  }
  json::object answer;
  answer["size"] = text.size();
  answer["end"] = text.substr(text.size() - std::min<std::size_t>(text.size(), 10));
  co_return answer;
}

// A plain blocking socket, for what no well-behaved client sends.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(descriptor_); }

  void Send(std::string_view text) { (void)::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL); }
  void EndSending() { ::shutdown(descriptor_, SHUT_WR); }
  // Until the server closes.
  std::string ReadAll() {
    std::string text;
    char piece[1000];
    for (ssize_t size = 0; (size = ::recv(descriptor_, piece, sizeof piece, 0)) > 0;) {
      text.append(piece, static_cast<std::size_t>(size));
    }
    return text;
  }
  std::string ReadLine() {
    std::string text;
    for (char c = 0; c != '\n' && ::recv(descriptor_, &c, 1, 0) == 1;) text.push_back(c);
    return text;
  }

 private:
  int descriptor_;
};

class ControlServerTest : public ControlServerFixture {
 protected:
  ControlServerTest() {
    table_.Add("echo", {.effect = Effect::kReads, .arguments = {"text"}, .handler = Echo});
    table_.Add(
        "collect",
        {.effect = Effect::kReads, .arguments = {"skip", kBodyBytesArgument}, .handler = {}, .body_handler = Collect});
    table_.Add("fail", {.effect = Effect::kChanges, .arguments = {}, .handler = Fail});
  }
};

TEST_F(ControlServerTest, AnswersTheCallsOfAClientInTheirOrder) {
  StartServer();
  auto client = ControlClient::Connect(path_);
  ASSERT_TRUE(client.has_value()) << client.error().message();
  for (const std::size_t size : {0u, 1u, 4000u, 60'000u}) {
    const std::string text(size, 'x');
    const auto answer = client->Call("echo", {{"text", text}});
    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_EQ(answer->at("text").as_string(), text);
  }
}

TEST_F(ControlServerTest, CarriesABodyBehindARequest) {
  StartServer();
  auto client = ControlClient::Connect(path_);
  ASSERT_TRUE(client.has_value());
  for (const std::size_t size : {0u, 1u, 70'000u, 3'000'000u}) {
    const auto answer = client->CallWithBody("collect", {}, {std::string(size, 'x'), "the end..."});
    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_EQ(answer->at("size").as_int64(), static_cast<std::int64_t>(size + 10));
    EXPECT_EQ(answer->at("end").as_string(), "the end...");
  }
}

// Others wrote what is in a body: a command in it must never be one.
TEST_F(ControlServerTest, NeverTakesABodyForRequests) {
  StartServer();
  auto client = ControlClient::Connect(path_);
  ASSERT_TRUE(client.has_value());
  const std::string hostile = "\n{\"command\":\"echo\",\"text\":\"taken\"}\n";
  EXPECT_TRUE(client->CallWithBody("collect", {{"skip", ""}}, {hostile}).has_value()) << "unread by the command";
  EXPECT_EQ(client->CallWithBody("echo", {{"text", "x"}}, {hostile}).error().code(), Errc::kInvalid) << "takes no body";
  EXPECT_EQ(client->CallWithBody("nothing", {}, {hostile}).error().code(), Errc::kInvalid) << "no such command";
  const auto answer = client->Call("echo", {{"text", "mine"}});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->at("text").as_string(), "mine") << "the answers are still in step";
}

TEST_F(ControlServerTest, CarriesErrorsWithTheirCode) {
  StartServer();
  auto client = ControlClient::Connect(path_);
  ASSERT_TRUE(client.has_value());
  const auto answer = client->Call("fail", {});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kNoSpace);
  EXPECT_EQ(answer.error().message(), "the volume is full; delete something");
}

TEST_F(ControlServerTest, TakesRequestsThatComeTogetherOrInPieces) {
  StartServer();
  RawClient client(path_);
  client.Send("{\"command\":\"echo\",\"text\":\"one\"}\n{\"command\":\"ec");
  EXPECT_EQ(client.ReadLine(), "{\"ok\":true,\"result\":{\"text\":\"one\"}}\n");
  client.Send("ho\",\"text\":\"two\"}\nnonsense\n{\"command\":\"echo\",\"text\":\"three\"}\n");
  EXPECT_EQ(client.ReadLine(), "{\"ok\":true,\"result\":{\"text\":\"two\"}}\n");
  EXPECT_NE(client.ReadLine().find("\"ok\":false"), std::string::npos);
  EXPECT_EQ(client.ReadLine(), "{\"ok\":true,\"result\":{\"text\":\"three\"}}\n");
  client.Send("{\"command\":\"echo\",");
  client.EndSending();
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(ControlServerTest, RefusesALineOverTheLimitAndCloses) {
  StartServer({.request_bytes_max = 100});
  RawClient client(path_);
  client.Send(std::string(101, 'x'));
  EXPECT_EQ(
      client.ReadAll(),
      "{\"ok\":false,\"code\":\"no_space\",\"error\":\"a request has at most 100 bytes; send a shorter line\"}\n");
}

TEST_F(ControlServerTest, ClosesAClientThatIsSilentOrDribbles) {
  StartServer({.idle_max = 20ms});
  RawClient silent(path_);
  RawClient dribbling(path_);
  dribbling.Send("{\"comm");
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_EQ(dribbling.ReadAll(), "");
}

TEST_F(ControlServerTest, RefusesConnectionsOverTheLimit) {
  StartServer({.connections_max = 2});
  std::optional<RawClient> first(std::in_place, path_);
  RawClient second(path_);
  for (RawClient* const client : {&*first, &second}) {
    client->Send("{\"command\":\"echo\",\"text\":\"\"}\n");
    EXPECT_NE(client->ReadLine().find("true"), std::string::npos);
  }
  auto third = ControlClient::Connect(path_);
  ASSERT_TRUE(third.has_value());
  const auto answer = third->Call("echo", {{"text", "x"}});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kBusy);
  EXPECT_EQ(answer.error().message(), "2 control connections are open already; try again later");
}

TEST_F(ControlServerTest, StopClosesTheClientsAndRemovesTheFile) {
  StartServer();
  RawClient client(path_);
  client.Send("{\"command\":\"echo\",\"text\":\"\"}\n");
  client.ReadLine();
  StopServer();
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_FALSE(std::filesystem::exists(path_));
  const auto next = ControlClient::Connect(path_);
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code(), Errc::kClosed);
  EXPECT_NE(next.error().message().find("posthorn serve"), std::string::npos);
}

TEST_F(ControlServerTest, TheFileIsForOwnerAndGroup) {
  StartServer();
  struct stat file{};
  struct stat folder{};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  ASSERT_EQ(::stat(folder_.c_str(), &folder), 0);
  EXPECT_EQ(file.st_mode & 07777, 0660u);
  EXPECT_EQ(file.st_uid, folder.st_uid);
  EXPECT_EQ(file.st_gid, folder.st_gid);
}

TEST_F(ControlServerTest, ASecondNodeIsToldThatOneListens) {
  StartServer();
  const auto second = ControlSocket::Open(path_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Errc::kBusy);
  EXPECT_NE(second.error().message().find(path_), std::string::npos);
  // The first one is not disturbed.
  auto client = ControlClient::Connect(path_);
  ASSERT_TRUE(client.has_value());
  EXPECT_TRUE(client->Call("echo", {{"text", "x"}}).has_value());
}

TEST_F(ControlServerTest, TheFileOfADeadNodeIsReplaced) {
  {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_GE(descriptor, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    ASSERT_EQ(::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(descriptor);  // As kill -9 leaves it.
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  StartServer();
  auto client = ControlClient::Connect(path_);
  ASSERT_TRUE(client.has_value());
  EXPECT_TRUE(client->Call("echo", {{"text", "x"}}).has_value());
}

TEST_F(ControlServerTest, SaysWhatIsWrongWithAPath) {
  const std::string file = folder_ + "/file";
  std::ofstream(file) << "mail";
  const struct {
    std::string path;
    std::string sentence;
  } rows[] = {
      {file, "is not a socket"},
      {folder_ + "/" + std::string(200, 'x'), "shorter control_socket"},
      {folder_ + "/missing/control.sock", "its folder must exist"},
  };
  for (const auto& row : rows) {
    const auto socket = ControlSocket::Open(row.path);
    ASSERT_FALSE(socket.has_value()) << row.path;
    EXPECT_NE(socket.error().message().find(row.sentence), std::string::npos) << socket.error().message();
  }
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(ControlServerTest, OnlyRootTheNodeAndTheFilesOwnerAndGroupMayCommand) {
  StartServer();
  RawClient client(path_);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const auto self = CallerOf(pair[0]);
  ASSERT_TRUE(self.has_value());
  EXPECT_EQ(self->user_id, ::geteuid());
  EXPECT_EQ(self->process_id, ::getpid());
  struct stat file{};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  constexpr std::uint32_t kStranger = 54'321;
  const struct {
    const char* who;
    Caller caller;
    bool may;
  } rows[] = {
      {"root", {.user_id = 0, .group_id = 0}, true},
      {"the node's user", {.user_id = ::geteuid(), .group_id = kStranger}, true},
      {"a member of the group", {.user_id = kStranger, .group_id = file.st_gid}, true},
  };
  for (const auto& row : rows) EXPECT_EQ(MayCommand(pair[0], row.caller, path_), row.may) << row.who;
  // A group that this process is not in, since the kernel tells the real groups of a peer.
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path_.c_str(), static_cast<uid_t>(-1), kStranger + 1), 0);
    EXPECT_FALSE(MayCommand(pair[0], {.user_id = kStranger, .group_id = kStranger}, path_));
    EXPECT_TRUE(MayCommand(pair[0], {.user_id = kStranger, .group_id = kStranger + 1}, path_));
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    EXPECT_FALSE(MayCommand(pair[0], {.user_id = kStranger, .group_id = kStranger + 1}, path_));
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace admin
