#include "admin/http_server.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "async/testing.h"
#include "net/connector.h"
#include "net/listener.h"
#include "net/memory_connection.h"

namespace admin {
namespace {

using namespace std::chrono_literals;
using async::RunTask;
using async::Task;

Task<std::string> ReadAll(net::Connection* connection) {
  std::string text;
  char piece[1000];
  for (;;) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return text;
    text.append(piece, *size);
  }
}

std::string StatusLine(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}
std::string BodyOf(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "no end of the header" : answer.substr(end + 4);
}

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() : sweep_(context_.get_executor(), &clock_), sessions_(context_.get_executor(), "http sessions") {
    registry_.AddCounter("posthorn_smtp_bytes", "Bytes.").Add(5);
  }
  ~HttpServerTest() override { RunTask(context_, sessions_.Stop()); }

  // A session over a connection in memory.
  std::unique_ptr<net::MemoryConnection> Connect(const net::MemoryOptions& options = {}) {
    auto pair = net::MemoryConnection::MakePair(context_.get_executor(), &sweep_, options);
    sessions_.Spawn(server_.Serve(std::move(pair.server)));
    return std::move(pair.client);
  }
  // All that the server says to `request` on a connection that ends.
  std::string Exchange(std::string_view request, const net::MemoryOptions& options = {}) {
    const auto client = Connect(options);
    EXPECT_TRUE(RunTask(context_, client->Write(request)).has_value());
    return RunTask(context_, ReadAll(client.get()));
  }

  asio::io_context context_;
  base::SimClock clock_{base::WallTime(1'800'000'000s)};
  net::DeadlineSweep sweep_;
  base::MetricsRegistry registry_;
  std::optional<std::string> not_ready_;
  HttpPages pages_{&registry_, [this] { return not_ready_; }};
  HttpServer server_{&pages_, &clock_, {.header_bytes_max = 2000, .requests_per_connection_max = 3}};
  async::TaskGroup sessions_;
};

TEST_F(HttpServerTest, AnswersInFull) {
  EXPECT_EQ(
      Exchange("GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"),
      "HTTP/1.1 200 OK\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: 3\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
      "ok\n");
}

TEST_F(HttpServerTest, ServesMetricsAsOpenMetricsText) {
  const std::string answer = Exchange("GET /metrics HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_EQ(
      BodyOf(answer),
      "# HELP posthorn_smtp_bytes Bytes.\n# TYPE posthorn_smtp_bytes counter\nposthorn_smtp_bytes_total 5\n# EOF\n");
}

TEST_F(HttpServerTest, IsReadyOrSaysWhyNot) {
  const std::string request = "GET /readyz HTTP/1.0\r\n\r\n";
  std::string answer = Exchange(request);
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 200 OK");
  EXPECT_EQ(BodyOf(answer), "ready\n");
  not_ready_ = "the volume is read-only: write failed\nthe queue is full";
  answer = Exchange(request);
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(BodyOf(answer), "the volume is read-only: write failed\nthe queue is full\n");
}

TEST_F(HttpServerTest, AnswersEachRequestByTheTable) {
  const std::string fields = "Host: node\r\nConnection: close\r\n\r\n";
  const struct {
    std::string request;
    std::string status;
  } rows[] = {
      {"GET / HTTP/1.1\r\n" + fields, "200 OK"},
      {"GET http://node:2080/healthz?verbose HTTP/1.1\r\n" + fields, "200 OK"},
      {"GET http://node HTTP/1.1\r\n" + fields, "200 OK"},
      {"GET /nothing HTTP/1.1\r\n" + fields, "404 Not Found"},
      {"GET /../etc/passwd HTTP/1.1\r\n" + fields, "404 Not Found"},
      {"GET /metrics/ HTTP/1.1\r\n" + fields, "404 Not Found"},
      {"GET /queue HTTP/1.1\r\n" + fields, "404 Not Found"},  // There is none here.
      {"POST /metrics HTTP/1.1\r\n" + fields, "405 Method Not Allowed"},
      {"DELETE / HTTP/1.1\r\n" + fields, "405 Method Not Allowed"},
      {"BREW / HTTP/1.1\r\n" + fields, "405 Method Not Allowed"},
      {"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\n\r\nhello", "413 Payload Too Large"},
      {"POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
       "413 Payload Too Large"},
      {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"},
      {"GET / HTTP/1.1\r\nHost : node\r\n\r\n", "400 Bad Request"},
      {"GET /\r\n\r\n", "400 Bad Request"},
      {"GET / HTTP/3.7\r\n\r\n", "505 HTTP Version Not Supported"},
      {"\x16\x03\x01\x02 hello TLS\r\n\r\n", "400 Bad Request"},
      {"GET / HTTP/1.1\r\nHost: node\r\nX: " + std::string(3000, 'x') + "\r\n\r\n",
       "431 Request Header Fields Too Large"},
      {"GET /" + std::string(5000, 'x'), "431 Request Header Fields Too Large"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(StatusLine(Exchange(row.request)), "HTTP/1.1 " + row.status) << row.request;
    EXPECT_EQ(StatusLine(Exchange(row.request, {.piece_bytes_max = 1})), "HTTP/1.1 " + row.status)
        << "byte by byte: " << row.request;
  }
}

TEST_F(HttpServerTest, NamesTheMethodsItAllows) {
  EXPECT_NE(Exchange("PUT / HTTP/1.0\r\n\r\n").find("Allow: GET, HEAD\r\n"), std::string::npos);
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  const std::string answer = Exchange("HEAD /healthz HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_EQ(BodyOf(answer), "");
}

TEST_F(HttpServerTest, KeepsAConnectionForAFewRequests) {
  const std::string one = "GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n";
  const std::string answers = Exchange(one + one + one + one);
  std::size_t count = 0;
  for (std::size_t at = answers.find("HTTP/1.1 200"); at != std::string::npos;
       at = answers.find("HTTP/1.1 200", at + 1)) {
    ++count;
  }
  EXPECT_EQ(count, 3u);
  EXPECT_LT(answers.find("Connection: keep-alive"), answers.find("Connection: close"));
}

TEST_F(HttpServerTest, ClosesAClientThatDoesNotFinishItsRequest) {
  const auto client = Connect();
  ASSERT_TRUE(RunTask(context_, client->Write("GET / HT")).has_value());
  while (sessions_.size() == 1 && context_.poll() > 0) {
  }
  clock_.Advance(40s);
  sweep_.Tick();
  EXPECT_EQ(RunTask(context_, ReadAll(client.get())), "");
}

TEST_F(HttpServerTest, ServesOverALoopbackSocket) {
  net::ConnectionLimit limit({});
  auto sockets = net::ListenSocket::Open({.ip = "127.0.0.1", .port = 0}, 1);
  ASSERT_TRUE(sockets.has_value()) << sockets.error().message();
  net::ListenerOptions options{
      .session = [this](std::unique_ptr<net::Connection> connection) { return server_.Serve(std::move(connection)); },
      .protocol = "http"};
  net::Listener listener(context_.get_executor(), std::move(sockets->front()), &limit, &sweep_, std::move(options));
  listener.Start();
  auto client = RunTask(context_, net::Connect({.ip = "127.0.0.1", .port = listener.address().port}, &sweep_));
  ASSERT_TRUE(client.has_value());
  const std::string request = "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  ASSERT_TRUE(RunTask(context_, (*client)->Write(request)).has_value());
  const std::string answer = RunTask(context_, ReadAll(client->get()));
  EXPECT_EQ(BodyOf(answer), "ready\n");
  RunTask(context_, listener.Stop());
}

}  // namespace
}  // namespace admin
