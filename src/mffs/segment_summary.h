// SegmentSummary: the summary of a sealed segment, verified: its records in order without reading its blocks.
#pragma once

#include <optional>
#include <string>

#include "async/asio.h"
#include "mffs/device_io.h"
#include "mffs/format.h"
#include "mffs/summary_text.h"

namespace mffs {

// A value. Memory: the summary, at most an eighth of a segment. docs/format/mffs.md, "Summary and footer".
class SegmentSummary {
 public:
  using Entry = SummaryText::Entry;

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
  bool has_entries() const { return entries_read_.is_begun() || text_.size() > 0; }
  const std::string& damage() const { return damage_; }

  // The entries in their order; nothing at the end, or where one is not valid (IsAtEnd tells).
  std::optional<Entry> Next() { return entries_.Next(); }
  bool IsAtEnd() const { return entries_.IsAtEnd(); }
  void Rewind() { entries_.Rewind(); }

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
  SummaryText entries_;
  std::string damage_;
};

}  // namespace mffs
