// SurveySegment: every sector of one generation of a segment, read and verified, and every record that can be read.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "mffs/block_walker.h"

namespace mffs {

// A record whose header and head are good. Views are valid during the call only.
struct SurveyedRecord {
  RecordHeader header;
  Location location;
  Lsn lsn;
  std::string_view head;
  std::string_view body;         // Empty when it is not readable.
  bool body_is_readable = true;  // Its sectors and its own checksum are right.
};

// A record of a walked block with its body, which is verified against the record's own checksum.
SurveyedRecord SurveyRecord(const Geometry& geometry, const WalkedBlock& block, const WalkedRecord& walked);

// A damaged block, or sectors between blocks in which no block header is valid.
struct DamagedPlace {
  std::uint32_t first_sector = 0;
  std::uint32_t sector_count = 0;
  std::optional<Lsn> lsn{};                // Of a block whose header is good.
  std::vector<std::uint32_t> bad_sectors;  // Of such a block.
  // Ordinals of the records that lie there.
  std::uint32_t first_ordinal = 0;
  std::optional<std::uint32_t> end_ordinal{};  // Unknown behind the last good block.
};

struct SegmentSurvey {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  std::uint64_t blocks = 0;
  std::uint64_t records = 0;
  std::vector<DamagedPlace> damage;
};

struct SurveyTarget {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;
  std::uint32_t end_sector = 0;  // Blocks are looked for up to here.
};

struct SurveyCalls {
  std::function<void(const SurveyedRecord&)> record;
  std::function<void(std::uint64_t bytes)> progress;  // So much more was read; may be empty.
};

// Borrows the device. Memory: a window of 1 MiB. Records between damaged blocks are found one by one, by their own
// checksums.
async::Task<SegmentSurvey> SurveySegment(BlockDevice* device, Geometry geometry, SurveyTarget target,
                                         SurveyCalls calls);

// The newest generation of which a segment header or a block is there, 0: none. Reads all of the segment if its start
// is damaged.
async::Task<std::uint32_t> FindGeneration(BlockDevice* device, Geometry geometry, std::uint32_t segment);

// A dying disk retries for minutes before it gives a sector up: its own answer is waited for.
inline constexpr IoDeadline kSurveyDeadline = std::chrono::minutes(10);

}  // namespace mffs
