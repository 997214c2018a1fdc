// Pieces: parts of the history's records, read from the volume and kept for the next who asks.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/volume.h"

namespace history {

// Thread: the history's shard. Borrows the volume. Memory: `bytes_max`. What lies at a location never changes, so
// nothing kept gets old.
class Pieces {
 public:
  Pieces(mffs::Volume* volume, std::uint64_t bytes_max) : volume_(volume), pieces_max_(bytes_max / kPieceBytes) {}

  // Bytes [offset, offset + size) of the body at `place`, cut to its end. `head_bytes`: of the record's head. A long
  // range is read at once and not kept. Errors: those of Volume::ReadBody.
  async::Task<base::Result<std::string>> Read(mffs::Location place, std::uint32_t head_bytes, std::uint32_t offset,
                                              std::uint32_t size);

 private:
  static constexpr std::uint32_t kPieceBytes = 16u << 10;
  static constexpr std::uint32_t kKeptBytesMax = 4 * kPieceBytes;

  using Name = std::pair<mffs::Location, std::uint32_t>;  // The piece's number in the body.
  async::Task<base::Result<std::string>> ReadPiece(Name name, std::uint32_t body_bytes);

  mffs::Volume* volume_;
  std::size_t pieces_max_;
  std::list<std::pair<Name, std::string>> kept_;  // The last one used first.
  std::map<Name, decltype(kept_)::iterator> by_name_;
};

}  // namespace history
