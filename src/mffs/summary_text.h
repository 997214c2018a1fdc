// The text of a segment's summary: docs/format/mffs.md, "Summary and footer". Written block by block, each on its own,
// so that a block can be sealed for another place; within a block a record names what differs from the one before it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "mffs/format.h"

namespace mffs {

// What a summary says of the records of one block. A value; cheap to clear and use again.
class SummaryGroup {
 public:
  // At least what a further record adds to bytes_max().
  static constexpr std::uint32_t EntryBytesMax(std::uint32_t head_bytes) {
    return kGroupHeaderMax + kEntryFixedMax + head_bytes;
  }

  void Add(const RecordHeader& header, std::string_view head);
  void Clear();
  // What AppendTo will take at most.
  std::uint32_t bytes_max() const {
    return records_ == 0 ? 0 : kGroupHeaderMax + static_cast<std::uint32_t>(entries_.size());
  }
  // `lsn_delta`: from the segment's first LSN. Nothing for a block without records.
  void AppendTo(std::string& summary, std::uint32_t first_sector, std::uint64_t lsn_delta) const;

 private:
  static constexpr std::uint32_t kGroupHeaderMax = 5 + 10 + 5 + 5;
  static constexpr std::uint32_t kEntryFixedMax = 1 + 4 + 1 + 1 + 5 + 10 + 10 + 5 + 2 + 2;

  std::string entries_;
  std::uint32_t records_ = 0;
  std::uint32_t head_bytes_ = 0;  // Of heads that are not those before them.
  RecordHeader last_;
  std::string last_head_;
};

// Reads such a text, which may be hostile. Borrows it. Memory: the heads of two blocks.
class SummaryText {
 public:
  struct Entry {
    RecordHeader header;
    Location location;
    Lsn lsn;
    // Valid until the second block after this one is begun.
    std::string_view head;
  };
  struct Place {
    std::uint32_t segment = 0;
    std::uint32_t generation = 0;
    std::uint32_t end_sector = 0;  // After the last block.
    Lsn first_lsn;
  };

  SummaryText() : in_({}) {}
  SummaryText(std::string_view text, Place place) : text_(text), place_(place), in_(text) {}

  // The entries in their order; nothing at the end, or where one is not valid (IsAtEnd tells).
  std::optional<Entry> Next();
  bool IsAtEnd() const { return records_left_ == 0 && in_.AtEnd(); }
  void Rewind() { *this = SummaryText(text_, place_); }

 private:
  bool BeginGroup();
  bool ReadHeader();
  bool ReadHead(bool is_another);

  std::string_view text_;
  Place place_;
  base::Decoder in_;
  std::uint32_t next_sector_ = 1;  // Blocks begin here or later.
  std::uint32_t next_ordinal_ = 0;
  // The block at hand.
  std::uint32_t records_left_ = 0;
  std::uint32_t first_sector_ = 0;
  std::uint64_t next_offset_ = 0;  // Within the block.
  Lsn lsn_;
  std::array<std::string, 2> heads_;  // By turns; of a fixed capacity, so that views stay valid.
  std::size_t turn_ = 0;
  std::size_t head_bytes_max_ = 0;
  RecordHeader last_;
  std::string_view last_head_;
};

}  // namespace mffs
