// BodyReader: bytes of mails that lie in the log.
#pragma once

#include <list>
#include <string>

#include "async/notifier.h"
#include "replog/context.h"

namespace replog {

inline constexpr std::uint64_t kReadBytesMax = 1u << 20;

// Thread: the log's shard. Borrows the context. What is read whole is checked against the log's own checksum beside the
// disk's. Errors: kNotFound (released meanwhile), kCorrupt, kIo.
class BodyReader {
 public:
  explicit BodyReader(Context* context) : context_(context), run_ended_(context->executor) {}

  async::Task<base::Result<std::string>> Read(BodyRef body, std::uint64_t offset, std::uint64_t size,
                                              Prefetch prefetch);

 private:
  // Which bytes of one extent.
  struct Window {
    BodyId id;
    std::uint32_t extent_bytes = 0;
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    bool is_whole() const { return offset == 0 && size == extent_bytes; }
  };
  // A prefetching read under way, from its first record on.
  struct Run {
    mffs::Location first;
  };

  async::Task<base::Result<std::string>> ReadExtent(mffs::Location place, Window window, Prefetch prefetch);
  async::Task<base::Result<std::string>> ReadOnce(mffs::Location place, Window window, Prefetch prefetch);
  async::Task<base::Result<std::string>> ReadRun(mffs::Location place, Window window);
  bool IsBeingRead(const mffs::Location& place) const;
  void KeepNeighbour(const mffs::Location& place, mffs::Record record);

  Context* context_;
  std::list<Run> runs_;
  async::Notifier run_ended_;
};

}  // namespace replog
