// ClientInput: the client's bytes, read from the connection and cut into commands.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "async/asio.h"
#include "base/clock.h"
#include "base/result.h"
#include "imap/proto/command_reader.h"
#include "net/connection.h"

namespace imap {

// How long a client may take.
struct ReadTimeouts {
  std::chrono::seconds idle{1800};     // Between two commands.
  std::chrono::seconds transfer{300};  // Between two pieces of a command that has begun.
};

// Thread: the connection's shard. Borrows connection and clock.
// Memory: 2 KiB while idle, since thousands of sessions sit and wait; 64 KiB while a message is received.
class ClientInput {
 public:
  ClientInput(net::Connection* connection, const base::Clock* clock, const ReaderLimits& limits, ReadTimeouts timeouts)
      : connection_(connection), clock_(clock), timeouts_(timeouts), reader_(limits) {}

  // What comes next; never NeedBytes. The bytes of an AppendBytes are valid until the next call.
  // Errors: kClosed, kTimeout, kIo.
  async::Task<base::Result<ReadEvent>> Next();

  // Whatever the client sends meanwhile, reading ends then (the time to log in); nothing: no such end.
  void SetEnd(std::optional<base::SteadyTime> end) { end_of_time_ = end; }

  CommandReader& reader() { return reader_; }
  // Forgets what has been read: nothing said in plaintext may count after STARTTLS (RFC 3501 §6.2.1, CVE-2011-0411).
  void Clear();

 private:
  static constexpr std::size_t kIdleBytes = 2u << 10;
  static constexpr std::size_t kTransferBytes = 64u << 10;

  async::Task<base::Result<>> Fill();

  net::Connection* connection_;
  const base::Clock* clock_;
  ReadTimeouts timeouts_;
  std::optional<base::SteadyTime> end_of_time_;
  CommandReader reader_;
  std::string bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace imap
