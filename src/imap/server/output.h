// Output: what the client is to be sent, gathered into large writes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "net/connection.h"

namespace imap {

// Thread: the connection's shard. Borrows the connection. After a failed write everything further is dropped, and
// failed() says so: commands look at it where they would go on for long, and the session closes the connection.
class Output {
 public:
  Output(net::Connection* connection, std::chrono::seconds timeout) : connection_(connection), timeout_(timeout) {}

  // Append here; FlushIfLarge() now and then.
  std::string& buffer() { return buffer_; }
  void Add(std::string_view text) { buffer_.append(text); }
  bool IsLarge() const { return buffer_.size() >= kFlushBytes; }

  async::Task<void> Flush();
  async::Task<void> FlushIfLarge();

  // Gives the memory of a large response back: an idle session must not keep it for hours.
  void Release();

  // The stream cannot be continued in a way the client would understand (a literal was cut short).
  void Break() { failed_ = true; }
  bool failed() const { return failed_; }

 private:
  static constexpr std::size_t kFlushBytes = 64u << 10;

  net::Connection* connection_;
  std::chrono::seconds timeout_;
  std::string buffer_;
  bool failed_ = false;
};

}  // namespace imap
