// BlockWalker: the commit blocks of one generation of a segment in order, and what lies between them when some are
// damaged.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/asio.h"
#include "mffs/segment_reader.h"

namespace mffs {

// What the walker found next. Views are valid until the next call.
struct WalkedBlock {
  // Without a value: a stretch of sectors in which no block header is valid, before the next valid one or the known
  // end.
  std::optional<BlockHeader> header;
  std::uint32_t first_sector = 0;
  std::uint32_t sector_count = 0;
  base::ByteSpan bytes;           // A stretch: its first kBlockSectorsMax sectors.
  std::vector<bool> bad_sectors;  // Of a damaged block; empty if all are good.
  // LSNs of the stretch's blocks lie between these.
  Lsn after_lsn;
  Lsn before_lsn;

  bool IsDamaged() const { return !header.has_value() || !bad_sectors.empty(); }
};

// A record in a block, verified as far as the reader needs: header and head are good.
struct WalkedRecord {
  RecordHeader header;
  Location location;
  Lsn lsn;
  std::string_view head;
  bool body_is_readable = true;
};

class BlockWalker {
 public:
  struct Range {
    std::uint32_t generation = 0;
    std::uint32_t first_sector = 1;
    Lsn after_lsn;                 // Blocks have higher LSNs.
    std::uint32_t end_sector = 0;  // Nothing is looked at from here on.
    bool end_is_known = false;     // Blocks fill the range up to the end: a bad stretch before it is damage.
    std::uint32_t search_sectors = 2 * kBlockSectorsMax;  // How far to look for a valid block behind a bad place.
    // Above zero: a damaged block at the end counts as a stretch, whose records have lower LSNs than this.
    Lsn salvage_before;
  };
  // Borrows the reader.
  BlockWalker(SegmentReader* reader, Range range);

  // Nothing at the end.
  async::Task<std::optional<WalkedBlock>> Next();

  // After the end: the sector behind the last valid block, and whether what is there looks like a damaged block of this
  // segment and generation rather than like something old.
  std::uint32_t end_sector() const { return next_sector_; }
  bool tail_resembles_block() const { return tail_resembles_block_; }

 private:
  async::Task<std::optional<BlockHeader>> HeaderAt(std::uint32_t sector);
  std::optional<BlockHeader> HeaderIn(base::ByteSpan bytes, std::uint32_t sector) const;
  async::Task<std::pair<std::optional<BlockHeader>, std::uint32_t>> NextHeader(std::uint32_t first,
                                                                               std::uint32_t limit);
  async::Task<WalkedBlock> ReadBlock(BlockHeader header);
  async::Task<std::optional<WalkedBlock>> ReadStretch();
  async::Task<Lsn> LsnBeforeSegment();

  SegmentReader* reader_;
  Range range_;
  SegmentSeed seed_;
  std::uint32_t next_sector_;
  Lsn last_lsn_;
  bool tail_resembles_block_ = false;
};

// Calls `visit` for each record of the block or stretch that is good enough to be handed out.
void ForEachRecord(const WalkedBlock& block, const Geometry& geometry, std::uint32_t segment, std::uint32_t generation,
                   const std::function<void(const WalkedRecord&)>& visit);

}  // namespace mffs
