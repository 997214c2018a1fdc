// Wire: a client's side of a dialogue in lines: commands out, replies in.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/line_buffer.h"
#include "base/result.h"
#include "net/connection.h"
#include "smtp/proto/reply_parser.h"

namespace smtp {

// Thread: the connection's shard. Owns the connection.
// After an error, or after 421 (RFC 5321 §3.8: the server closes), nothing more is said or read: all calls answer
// kClosed. Errors: kTimeout, kClosed, kIo, and kInvalid for an answer that is no reply.
class Wire {
 public:
  explicit Wire(std::unique_ptr<net::Connection> connection) : connection_(std::move(connection)) {}

  bool is_open() const { return is_open_; }
  const net::Connection& connection() const { return *connection_; }

  // Writes all of `text`, which must live until the task ends, within `timeout`.
  async::Task<base::Result<>> Write(std::string_view text, std::chrono::seconds timeout);
  // The next reply, whole within `timeout`. A 421 is given to the caller, too.
  async::Task<base::Result<ServerReply>> ReadReply(std::chrono::seconds timeout);
  // Both, for a command with its CRLF.
  async::Task<base::Result<ServerReply>> Ask(std::string command, std::chrono::seconds timeout);
  // What the server said last, after Write() failed: it may have refused and closed while we were writing.
  async::Task<std::optional<ServerReply>> ReadLastWords(std::chrono::seconds timeout);

  // A handshake. What the server said in plain text before it and nobody has read is dropped: whoever sits in between
  // could have put it there (CVE-2011-0411). Every failure is kIo.
  async::Task<base::Result<>> Encrypt(net::TlsContext* context, std::chrono::seconds timeout);

  void Close();
  // Says QUIT without waiting for an answer, as far as the socket takes it at once, and closes.
  void Leave();
  // Says QUIT, waits for the answer at most `timeout`, and ends the connection in order.
  async::Task<void> Quit(std::chrono::seconds timeout);

 private:
  async::Task<base::Result<ServerReply>> FillAndRead(std::chrono::seconds timeout);
  std::optional<base::Result<ServerReply>> TakeReply();

  std::unique_ptr<net::Connection> connection_;
  base::LineBuffer input_;
  ReplyParser parser_;
  bool is_open_ = true;
};

// What a reply that is no success means to whoever waits: kBusy (4xx), kDenied (5xx), or kInvalid, with its words.
base::Error ReplyError(std::string_view doing, const ServerReply& reply);

}  // namespace smtp
