#include "admin/control_client.h"

#include <cerrno>
#include <cstring>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/command_table.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kPieceBytes = 64u << 10;

Error ConnectError(const std::string& path, int code) {
  switch (code) {
    case ENOENT:
    case ECONNREFUSED:
      return Error(Errc::kClosed, fmt::format("no node listens on {}; start it with `posthorn serve`, or name its "
                                              "configuration with --config or its socket with --socket",
                                              path));
    case EACCES:
    case EPERM:
      return Error(Errc::kDenied,
                   fmt::format("you may not use {}; run this as root, as the node's user or as a member of the "
                               "socket's group",
                               path));
    default:
      return base::ErrnoError("connect to the node at " + path, code);
  }
}

// EAGAIN is how SO_RCVTIMEO and SO_SNDTIMEO tell that time is over.
Error TransferError(std::string_view doing, int code) {
  if (code == EAGAIN) return Error(Errc::kTimeout, fmt::format("{}: no answer in time; see the node's log", doing));
  if (code == EPIPE || code == ECONNRESET) {
    return Error(Errc::kClosed, "the node closed the connection; see its log, and start it again if it has ended");
  }
  return base::ErrnoError(doing, code);
}

Errc CodeNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Errc::kUnsupported); ++i) {
    if (ToString(static_cast<Errc>(i)) == name) return static_cast<Errc>(i);
  }
  return Errc::kInvalid;  // A code of a newer node.
}

Error NoAnswer() {
  return Error(Errc::kUnsupported, "the node's answer makes no sense; node and program must be of the same version");
}

Result<json::object> ParseAnswer(std::string_view line) {
  json::error_code code;
  const json::value value = json::parse(line, code);
  if (code || !value.is_object()) return NoAnswer();
  const json::object& answer = value.get_object();
  const json::value* const ok = answer.if_contains("ok");
  if (ok == nullptr || !ok->is_bool()) return NoAnswer();
  const json::value* const result = answer.if_contains("result");
  if (ok->get_bool()) return result != nullptr && result->is_object() ? result->get_object() : json::object();
  const json::value* const sentence = answer.if_contains("error");
  const json::value* const name = answer.if_contains("code");
  if (sentence == nullptr || !sentence->is_string() || name == nullptr || !name->is_string()) return NoAnswer();
  return Error(CodeNamed(name->get_string()), std::string(sentence->get_string()));
}

}  // namespace

Result<ControlClient> ControlClient::Connect(const std::string& path, ControlClientOptions options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(Errc::kInvalid, fmt::format("\"{}\" cannot be a socket: its path must have 1 to {} bytes", path,
                                             sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return base::ErrnoError("open a Unix socket", errno);
  ControlClient client(descriptor, options);
  const timeval wait{.tv_sec = options.wait_max.count(), .tv_usec = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ConnectError(path, errno);
  }
  return client;
}

ControlClient::ControlClient(ControlClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), options_(other.options_) {}

ControlClient::~ControlClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<json::object> ControlClient::Call(std::string_view command, json::object arguments) {
  arguments["command"] = command;
  // A node that refuses the connection answers before it has read anything: its answer counts, not the failed send.
  const auto sent = Send(json::serialize(arguments) + "\n");
  auto line = ReceiveLine();
  if (!line) return Error(sent ? line.error() : sent.error());
  return ParseAnswer(*line);
}

Result<json::object> ControlClient::CallWithBody(std::string_view command, json::object arguments,
                                                 const std::vector<std::string>& pieces) {
  arguments["command"] = command;
  std::uint64_t bytes = 0;
  for (const std::string& piece : pieces) bytes += piece.size();
  arguments[kBodyBytesArgument] = bytes;
  auto sent = Send(json::serialize(arguments) + "\n");
  for (const std::string& piece : pieces) {
    if (sent) sent = Send(piece);
  }
  auto line = ReceiveLine();
  if (!line) return Error(sent ? line.error() : sent.error());
  return ParseAnswer(*line);
}

Result<> ControlClient::Send(std::string_view line) {
  while (!line.empty()) {
    const ssize_t sent = ::send(descriptor_, line.data(), line.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return TransferError("send the command to the node", errno);
    line.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<std::string> ControlClient::ReceiveLine() {
  std::string line;
  std::string piece(kPieceBytes, '\0');
  while (!line.ends_with('\n')) {
    const ssize_t received = ::recv(descriptor_, piece.data(), piece.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return TransferError("wait for the node's answer", errno);
    if (received == 0) return TransferError("wait for the node's answer", ECONNRESET);
    line.append(piece, 0, static_cast<std::size_t>(received));
    if (line.size() > options_.answer_bytes_max) return NoAnswer();
  }
  return line;
}

}  // namespace admin
