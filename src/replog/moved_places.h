// MovedPlaces: where records went that cleaning moved, for those who still hold an old location.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "mffs/types.h"

namespace replog {

struct PlaceHash {
  std::size_t operator()(const mffs::Location& place) const {
    const std::uint64_t high = (std::uint64_t{place.segment} << 32) | place.generation;
    return (high * 0x9e3779b97f4a7c15u) ^ (std::uint64_t{place.offset} * 0xff51afd7ed558ccdu);
  }
};

// Thread: the log's shard. An entry lives until a snapshot of its partition that was begun after the move is in force:
// from then on nobody holds the old place (the state machine's reads and releases keep their order).
class MovedPlaces {
 public:
  void Add(const mffs::Location& from, const mffs::Location& to) { places_[from] = to; }
  void Forget(const mffs::Location& from) { places_.erase(from); }

  // Follows moves to the end. Locations are never used twice, so there are no circles.
  mffs::Location Resolve(mffs::Location place) const {
    while (!places_.empty()) {
      const auto found = places_.find(place);
      if (found == places_.end()) break;
      place = found->second;
    }
    return place;
  }
  bool empty() const { return places_.empty(); }

 private:
  std::unordered_map<mffs::Location, mffs::Location, PlaceHash> places_;
};

}  // namespace replog
