// RequestBody: the bytes that follow a request line: mail on its way in. docs/cli.md, "The control socket".
#pragma once

#include <cstdint>
#include <span>

#include "async/asio.h"
#include "base/result.h"

namespace admin {

// Thread: the shard of the connection. Never held in memory as a whole: who reads it says how fast the client may send.
class RequestBody {
 public:
  virtual ~RequestBody() = default;

  // The request announced this many bytes; once, before the first Read.
  virtual void Expect(std::uint64_t bytes) = 0;
  // The next of them, at most into.size(); 0: all have come. `into` stays until this returns. Errors: kClosed,
  // kTimeout.
  virtual async::Task<base::Result<std::size_t>> Read(std::span<char> into) = 0;
};

}  // namespace admin
