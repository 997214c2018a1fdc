// Dump: what lies on a volume at one place, or the life of one mail: where its records were written, which copies the
// cleaner made, which entries and snapshots name it, and what is live. For people who look for the cause of something.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/finding.h"
#include "mffs/image_geometry.h"
#include "mffs/segment_table.h"

namespace salvage {

// A record as it was found. Everything of it is bytes that may be hostile.
struct DumpedRecord {
  mffs::RecordKey key;
  mffs::Location location;
  mffs::Lsn lsn;
  std::optional<mffs::Stream> stream{};  // Of the segment, if its header is good.
  bool is_copy = false;
  bool is_readable = true;
  std::optional<bool> is_live{};  // Nothing: the segment table could not be read.
  std::string head;
  std::uint32_t body_bytes = 0;
  std::string body_start;  // Its first bytes.
  std::string meaning;     // One sentence.
};

// A commit block, or sectors in which no block header is valid.
struct DumpedBlock {
  std::uint32_t segment = 0;
  std::uint32_t first_sector = 0;
  std::uint32_t sector_count = 0;
  std::optional<mffs::BlockHeader> header{};
  std::uint64_t bad_sectors = 0;
};

struct DumpedSegment {
  std::uint32_t number = 0;
  std::uint64_t offset = 0;                     // On the device.
  std::uint32_t generation = 0;                 // The newest that is there; 0: none.
  std::optional<mffs::SegmentHeader> header{};  // Nothing: damaged, or never used.
  std::optional<mffs::Footer> footer{};
  std::optional<mffs::Segment> in_table{};
};

struct Dump {
  mffs::FoundGeometry geometry;
  std::vector<mffs::SuperblockCopy> superblocks;
  std::optional<DumpedSegment> segment{};
  std::vector<DumpedBlock> blocks;
  std::vector<DumpedRecord> records;  // By LSN.
  std::uint64_t left_out = 0;         // Blocks and records past the limit.
  std::vector<std::string> notes;     // What could not be read.
};

// What is looked at. A mail: the id of a queued mail or log entry, as `queue list` prints it (PARTITION-INDEX, both
// hexadecimal), or 16 hexadecimal digits: the id in its Received field, or of its body.
struct DumpSuperblocks {};
struct DumpOfLsn {
  mffs::Lsn lsn;
};
struct DumpOfSegment {
  std::uint32_t segment = 0;
};
struct DumpOfMail {
  std::string id;
};
using DumpTarget = std::variant<DumpSuperblocks, DumpOfLsn, DumpOfSegment, DumpOfMail>;

struct DumpOptions {
  std::size_t items_max = 1000;  // Blocks and records that are kept.
  // Bytes of the image that were read, of all that will be; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};

// Writes nothing; borrows the device. Works without superblocks and checkpoints, but cannot tell then what is live.
// Of a mail the image is read twice; for an LSN only the segments that can hold it.
// Errors: kCorrupt (nothing tells the geometry), kInvalid (not an id, no such segment), kNotFound.
async::Task<base::Result<Dump>> DumpVolume(mffs::BlockDevice* device, DumpTarget target, DumpOptions options);

}  // namespace salvage
