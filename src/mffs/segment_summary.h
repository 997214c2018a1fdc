// SegmentSummary: the summary of a sealed segment, verified: its records in order without reading its blocks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "mffs/device_io.h"
#include "mffs/format.h"

namespace mffs {

// A value. Memory: the summary, at most an eighth of a segment. docs/format/mffs.md, "Summary and footer".
class SegmentSummary {
 public:
  struct Entry {
    RecordHeader header;
    Location location;
    Lsn lsn;
    std::string_view head;
  };

  // Reads footer and summary of this generation. A segment that was closed without a summary has none, which is no
  // damage; `damage` says what is wrong with one that should be there.
  static async::Task<SegmentSummary> Load(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                          std::uint32_t generation, IoDeadline deadline);

  const std::optional<Footer>& footer() const { return footer_; }
  bool has_entries() const { return !text_.empty(); }
  const std::string& damage() const { return damage_; }

  // The entries in their order; nothing at the end, or where one is not valid (IsAtEnd tells).
  std::optional<Entry> Next();
  bool IsAtEnd() const { return at_ == text_.size(); }
  void Rewind() { at_ = 0; }

 private:
  async::Task<void> LoadEntries(BlockDevice* device, Geometry geometry, IoDeadline deadline);

  std::uint32_t segment_ = 0;
  std::uint32_t generation_ = 0;
  SegmentSeed seed_;
  std::optional<Footer> footer_;
  std::string text_;
  std::size_t at_ = 0;
  std::string damage_;
};

}  // namespace mffs
