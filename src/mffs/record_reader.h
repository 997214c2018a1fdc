// Reading records back by their locations, verified.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "async/asio.h"
#include "mffs/device_io.h"
#include "mffs/format.h"
#include "mffs/volume.h"

namespace mffs {

// Thread: one shard. Borrows the device. Says what the disk holds; whether a location is still current is the caller's
// question, before and, after kCorrupt, again.
// Errors: kCorrupt: the record is not what was written at this place in this generation, or cannot be read.
class RecordReader {
 public:
  RecordReader(BlockDevice* device, const Geometry& geometry, IoDeadline deadline)
      : device_(device), geometry_(geometry), deadline_(deadline) {}

  async::Task<base::Result<Record>> Read(Location location) const;

  // `size` bytes of the body from `offset` (fewer at its end), proved by the checksums of the block's sectors alone.
  async::Task<base::Result<std::string>> ReadBody(Location location, std::uint32_t offset, std::uint32_t size) const;

  using Run = std::vector<std::pair<Location, Record>>;
  // The record and those behind it in the segment, from one read of about `bytes`, not beyond `end_sector`. Damaged
  // ones are left out; an error only if the first one is.
  async::Task<base::Result<Run>> ReadRun(Location location, std::uint32_t bytes, std::uint32_t end_sector) const;

 private:
  base::Result<> Check(const Location& location) const;

  BlockDevice* device_;
  Geometry geometry_;
  IoDeadline deadline_;
};

}  // namespace mffs
