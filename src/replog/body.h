// Body: the bytes of a mail on their way into the log. Small ones stay in one buffer, large ones are written in parts
// as they come.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/buffer_pool.h"
#include "replog/types.h"

namespace replog {

class Log;
class Proposals;

// A finished body, ready to be proposed. Movable. Dropping it unproposed releases its parts.
class Body {
 public:
  Body();
  Body(Body&&) noexcept;
  Body& operator=(Body&&) noexcept;
  ~Body();

  std::uint64_t size_bytes() const;
  // The bytes that are still in memory: all of a small body, nothing of one in parts.
  std::string_view in_memory() const;
  // The first bytes (at most the first part): the header for those who look at it before the commit.
  std::string_view head() const;

 private:
  friend class BodyWriter;
  friend class Proposals;
  struct State;
  std::unique_ptr<State> state_;
};

// Collects a body.
//
// Thread: the log's shard. Memory: one buffer of the pool (8 KiB, growing to 64 and 256 KiB); from kPartBytes on full
// buffers are appended to the volume and reused when durable, at most two in flight, so that a 50 MB mail takes 768
// KiB. The caller reads from its socket straight into Space(), edits in place (dot-stuffing) and commits what it used.
class BodyWriter {
 public:
  static constexpr std::uint32_t kPartBytes = 256u << 10;

  // The partition need not be the final one: parts are found by body id and location. Parts go to `stream`.
  BodyWriter(Log* log, mffs::Stream stream, mffs::Need need = mffs::Need::kNew);
  BodyWriter(BodyWriter&&) noexcept;
  BodyWriter& operator=(BodyWriter&&) noexcept;
  ~BodyWriter();  // Unfinished: parts written so far are released.

  // Makes sure that Space() has at least one byte; waits for memory or for the device.
  // Errors: kBusy (no memory in time), kNoSpace, kIo, kReadOnly.
  async::Task<base::Result<>> Reserve();
  // Without waiting: true when Space() has at least one byte already or after taking a buffer at once.
  bool TryReserve();
  std::span<char> Space();
  void Commit(std::size_t used_bytes);

  // Copies `bytes` in: for callers that have them elsewhere.
  async::Task<base::Result<>> Write(std::string_view bytes);

  std::uint64_t size_bytes() const;

  // Ends the body. A body of parts has its last part durable after this.
  async::Task<base::Result<Body>> Finish();
  // For a body that has no parts (size_bytes() <= kPartBytes): no waiting, no coroutine.
  bool is_small() const;
  Body FinishSmall();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace replog
