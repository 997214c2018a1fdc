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

  // The same in steps, so that the reads of many can be under way at once: Begin() begins to read the footer,
  // BeginEntries() waits for it and begins to read the entries, Finish() waits for them. What was begun must be
  // finished.
  static async::Task<SegmentSummary> Begin(BlockDevice* device, Geometry geometry, std::uint32_t segment,
                                           std::uint32_t generation, IoDeadline deadline);
  async::Task<void> BeginEntries();
  async::Task<void> Finish();

  const std::optional<Footer>& footer() const { return footer_; }
  // Being read, or there.
  bool has_entries() const { return entries_read_.is_begun() || text_bytes_ > 0; }
  const std::string& damage() const { return damage_; }

  // The entries in their order; nothing at the end, or where one is not valid (IsAtEnd tells).
  std::optional<Entry> Next();
  bool IsAtEnd() const { return at_ == text_bytes_; }
  void Rewind() { at_ = 0; }

 private:
  BlockDevice* device_ = nullptr;
  Geometry geometry_;
  IoDeadline deadline_{};
  std::uint32_t segment_ = 0;
  std::uint32_t generation_ = 0;
  SegmentSeed seed_;
  PendingRead footer_read_;
  PendingRead entries_read_;
  std::optional<Footer> footer_;
  IoMemory text_;
  std::size_t text_bytes_ = 0;
  std::size_t at_ = 0;
  std::string damage_;
};

}  // namespace mffs
