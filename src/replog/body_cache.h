// BodyCache: small mails of the queue, kept in memory until they are released or others need the room.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "mffs/buffer_pool.h"
#include "mffs/types.h"
#include "replog/moved_places.h"

namespace replog {

// The "cached" state of a buffer in MFFS.md: a mail just written is delivered from memory, and what one prefetching
// read brought serves the neighbours. Keyed by the place of the mail's record, whose bytes never change: an entry can
// be useless, never wrong.
//
// Thread: the log's shard. Borrows the pool, whose memory it uses up to `bytes_max` and gives up, the oldest of the
// lowest class first, when mail in flight needs it.
class BodyCache {
 public:
  BodyCache(mffs::BufferPool* pool, std::uint64_t bytes_max);
  ~BodyCache();
  BodyCache(const BodyCache&) = delete;
  BodyCache& operator=(const BodyCache&) = delete;

  // Keeps the bytes of a mail. A place that is known already keeps what it has.
  void Put(const mffs::Location& place, mffs::Stream stream, mffs::Buffer mail);
  // The same for bytes that lie elsewhere; nothing happens when there is no memory for them.
  void PutCopy(const mffs::Location& place, mffs::Stream stream, std::string_view mail);
  // Valid until the shard does anything else.
  std::optional<std::string_view> Find(const mffs::Location& place) const;
  bool Contains(const mffs::Location& place) const { return known_.contains(place); }
  void Drop(const mffs::Location& place);

  // Whole buffers, not the bytes in them.
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Kept {
    mffs::Location place;
    std::size_t rank = 0;
    mffs::Buffer mail;
  };
  using Age = std::list<Kept>;  // The oldest first.

  bool GiveUpOne();
  void Erase(Age::iterator kept);

  mffs::BufferPool* pool_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::array<Age, 2> by_rank_;  // What goes first: parked mail, then the rest.
  std::unordered_map<mffs::Location, Age::iterator, PlaceHash> known_;
};

}  // namespace replog
