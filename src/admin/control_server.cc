#include "admin/control_server.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "async/deadline.h"
#include "base/log.h"

namespace admin {

using async::Task;
using base::Errc;
using base::Error;
using base::LogField;
using base::Result;

namespace {

// Both take the socket by pointer: it lives in the frame of Serve(), which awaits them.

// One line without its end; what follows it stays in `buffer`. Errors: kClosed, kNoSpace (longer than `bytes_max`).
template <class Socket>
Task<Result<std::string>> ReadLine(Socket* socket, std::string* buffer, std::size_t bytes_max) {
  const auto [code, size] =
      co_await asio::async_read_until(*socket, asio::dynamic_buffer(*buffer, bytes_max), '\n', async::as_result);
  if (code == asio::error::not_found) {
    co_return Error(Errc::kNoSpace, fmt::format("a request has at most {} bytes; send a shorter line", bytes_max));
  }
  if (code) co_return Error(Errc::kClosed, code.message());
  std::string line = buffer->substr(0, size - 1);
  buffer->erase(0, size);
  co_return line;
}

template <class Socket>
Task<Result<>> WriteLine(Socket* socket, std::string line) {
  line.push_back('\n');
  const auto [code, size] = co_await asio::async_write(*socket, asio::buffer(line), async::as_result);
  if (code) co_return Error(Errc::kClosed, code.message());
  co_return Result<>();
}

// What follows a line: first what was read along with it, then the socket. Borrows both from the frame of Serve().
template <class Socket>
class SocketBody final : public RequestBody {
 public:
  SocketBody(Socket* socket, std::string* buffer, std::chrono::milliseconds idle_max)
      : socket_(socket), buffer_(buffer), idle_max_(idle_max) {}

  void Expect(std::uint64_t bytes) override { left_ = bytes; }

  Task<Result<std::size_t>> Read(std::span<char> into) override {
    into = into.first(std::min<std::uint64_t>(into.size(), left_));
    if (into.empty()) co_return std::size_t{0};
    std::size_t size = std::min(into.size(), buffer_->size());
    if (size > 0) {
      std::memcpy(into.data(), buffer_->data(), size);
      buffer_->erase(0, size);
    } else {
      const auto got = co_await async::WithDeadline(ReadSome(into), idle_max_);
      if (!got) co_return Error(Errc::kClosed, "the client sent nothing for too long");
      if (!*got) co_return Error(got->error());
      size = **got;
    }
    left_ -= size;
    co_return size;
  }

  // False: the connection is of no use any more.
  Task<bool> SkipRest() {
    std::string piece(kSkipPieceBytes, '\0');
    while (left_ > 0) {
      const auto got = co_await Read(piece);
      if (!got) co_return false;
    }
    co_return true;
  }

 private:
  static constexpr std::size_t kSkipPieceBytes = 16u << 10;

  Task<Result<std::size_t>> ReadSome(std::span<char> into) {
    const auto [code, size] =
        co_await socket_->async_read_some(asio::buffer(into.data(), into.size()), async::as_result);
    if (code) co_return Error(Errc::kClosed, code.message());
    co_return size;
  }

  Socket* socket_;
  std::string* buffer_;
  std::chrono::milliseconds idle_max_;
  std::uint64_t left_ = 0;
};

// For a client that is not served: a new socket's buffer has room for a line.
void Refuse(int descriptor, Errc code, std::string sentence) {
  const std::string line = CommandTable::Refusal(Error(code, std::move(sentence))) + "\n";
  (void)::send(descriptor, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

ControlServer::ControlServer(async::Executor executor, ControlSocket socket, const CommandTable* table,
                             ControlServerOptions options)
    : file_(std::move(socket)),
      acceptor_(executor),
      table_(table),
      options_(options),
      tasks_(executor, "control listener"),
      sessions_(executor, "control sessions") {
  acceptor_.assign(Protocol(), file_.Release());
  acceptor_.non_blocking(true);  // A client may be gone between the wait and the accept.
}

Task<void> ControlServer::Stop() {
  boost::system::error_code ignored;  // The descriptor is gone whatever close(2) says.
  acceptor_.close(ignored);
  co_await tasks_.Stop();
  co_await sessions_.Stop();
}

Task<void> ControlServer::AcceptLoop() {
  while (acceptor_.is_open()) {
    const auto [ended] = co_await acceptor_.async_wait(asio::socket_base::wait_read, async::as_result);
    if (ended) co_return;
    Socket socket(acceptor_.get_executor());
    boost::system::error_code code;
    acceptor_.accept(socket, code);
    if (!code) {
      Admit(std::move(socket));
    } else if (code != asio::error::would_block && code != asio::error::connection_aborted) {
      base::LogError("accept_failed", {LogField("protocol", "control"), LogField("error", code.message())});
      co_await async::Sleep(options_.accept_error_delay);
    }
  }
}

void ControlServer::Admit(Socket socket) {
  const int descriptor = socket.native_handle();
  const auto caller = CallerOf(descriptor);
  if (!caller || !MayCommand(descriptor, *caller, file_.path())) {
    base::LogWarning("control_refused", {LogField("uid", caller ? caller->user_id : -1)});
    Refuse(descriptor, Errc::kDenied,
           "you may not give commands to this node; run this as root, as the node's user or as a "
           "member of the socket's group");
    return;
  }
  if (sessions_.size() >= options_.connections_max) {
    Refuse(descriptor, Errc::kBusy,
           fmt::format("{} control connections are open already; try again later", options_.connections_max));
    return;
  }
  sessions_.Spawn(Serve(std::move(socket), *caller));
}

Task<void> ControlServer::Serve(Socket socket, Caller caller) {
  std::string buffer;
  for (;;) {
    auto line = co_await async::WithDeadline(ReadLine(&socket, &buffer, options_.request_bytes_max), options_.idle_max);
    if (!line) co_return;
    std::string answer;
    const bool is_last = !line->has_value();
    if (is_last) {
      if (line->error().code() != Errc::kNoSpace) co_return;
      answer = CommandTable::Refusal(line->error());
    } else {
      SocketBody body(&socket, &buffer, options_.idle_max);
      answer = co_await table_->Answer(**std::move(line), caller, &body);
      const bool is_in_step = co_await body.SkipRest();
      if (!is_in_step) co_return;
    }
    const auto written = co_await async::WithDeadline(WriteLine(&socket, std::move(answer)), options_.idle_max);
    if (is_last || !written || !*written) co_return;
  }
}

}  // namespace admin
