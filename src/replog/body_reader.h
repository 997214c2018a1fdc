// BodyReader: bytes of mails that lie in the log.
#pragma once

#include <string>

#include "replog/context.h"

namespace replog {

inline constexpr std::uint64_t kReadBytesMax = 1u << 20;

// Thread: the log's shard. Borrows the context. What is read whole is checked against the log's own checksum beside the
// disk's. Errors: kNotFound (released meanwhile), kCorrupt, kIo.
class BodyReader {
 public:
  explicit BodyReader(Context* context) : context_(context) {}

  async::Task<base::Result<std::string>> Read(BodyRef body, std::uint64_t offset, std::uint64_t size);

 private:
  async::Task<base::Result<std::string>> ReadExtent(BodyId id, mffs::Location place, std::uint32_t extent_bytes,
                                                    std::uint32_t offset, std::uint32_t size);
  async::Task<base::Result<std::string>> ReadOnce(BodyId id, mffs::Location place, std::uint32_t extent_bytes,
                                                  std::uint32_t offset, std::uint32_t size);

  Context* context_;
};

}  // namespace replog
