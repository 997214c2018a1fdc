#include "admin/http_server.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/result.h"

namespace admin {

namespace http = boost::beast::http;
using async::Task;
using base::Result;

namespace {

constexpr std::size_t kPieceBytes = 4096;

// A request as far as the pages need it, or the status that refuses it.
struct Request {
  unsigned refusal = 0;
  HttpRequest wanted{};
  bool keep_alive = false;
};

unsigned RefusalOf(boost::beast::error_code code) {
  if (code == http::error::header_limit || code == http::error::buffer_overflow) return 431;
  if (code == http::error::unexpected_body || code == http::error::body_limit) return 413;
  if (code == http::error::bad_version) return 505;
  return 400;
}

Request FromMessage(const http::request<http::empty_body>& message) {
  // RFC 9112 §3.2: a request of HTTP/1.1 without Host is answered 400.
  if (message.version() >= 11 && message.count(http::field::host) != 1) return {.refusal = 400};
  return {.wanted = {.method = std::string(message.method_string()),
                     .target = std::string(message.target()),
                     .host = std::string(message[http::field::host])},
          .keep_alive = message.keep_alive()};
}

// Reads one request; what follows it stays in `buffer`. Nothing: the connection has ended or timed out. Both live in
// the frame of Serve(), which awaits this.
Task<Result<Request>> ReadRequest(net::Connection* connection, std::string* buffer, std::uint32_t header_bytes_max) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(header_bytes_max);
  parser.eager(true);
  std::array<char, kPieceBytes> piece;
  for (;;) {
    if (!buffer->empty()) {
      boost::beast::error_code code;
      const std::size_t used = parser.put(asio::buffer(*buffer), code);
      buffer->erase(0, used);
      if (code && code != http::error::need_more) co_return Request{.refusal = RefusalOf(code)};
      if (parser.is_done()) co_return FromMessage(parser.get());
    }
    const auto size = co_await connection->Read(piece);
    if (!size) co_return base::Error(size.error());
    buffer->append(piece.data(), *size);
  }
}

HttpAnswer RefusalAnswer(unsigned status) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = "The request could not be read.\n"};
}

std::string Serialize(const HttpAnswer& answer, base::WallTime now, bool is_head, bool keep_alive) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\n"
      "Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n"
      "Content-Type: {}\r\n"
      "Content-Length: {}\r\n"
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "{}{}Connection: {}\r\n\r\n",
      answer.status, std::string_view(reason.data(), reason.size()), std::chrono::floor<std::chrono::seconds>(now),
      answer.content_type, answer.body.size(), answer.fields, answer.status == 405 ? "Allow: GET, HEAD\r\n" : "",
      keep_alive ? "keep-alive" : "close");
  if (!is_head) out += answer.body;
  return out;
}

}  // namespace

Task<void> HttpServer::Serve(std::unique_ptr<net::Connection> connection) const {
  std::string buffer;
  bool keep_alive = true;
  for (std::uint32_t served = 1; keep_alive; ++served) {
    connection->SetDeadline(options_.request_max);
    auto request = co_await ReadRequest(connection.get(), &buffer, options_.header_bytes_max);
    if (!request) co_return;
    const bool is_head = request->wanted.method == "HEAD";
    keep_alive = request->keep_alive && served < options_.requests_per_connection_max;
    HttpAnswer answer;
    if (request->refusal != 0) {
      answer = RefusalAnswer(request->refusal);
    } else {
      request->wanted.is_from_loopback = connection->peer().is_loopback;
      answer = co_await pages_->Answer(std::move(request->wanted));
    }
    const std::string bytes = Serialize(answer, clock_->WallNow(), is_head, keep_alive);
    connection->SetDeadline(options_.answer_max);
    const auto written = co_await connection->Write(bytes);
    if (!written) co_return;
  }
  co_await connection->Shutdown();
}

}  // namespace admin
