// SegmentTable: what the volume knows of each segment: its state, generation, place in the log, and which of its
// records are live. Pure: no device, no time.
#pragma once

#include <array>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "mffs/format.h"
#include "mffs/live_map.h"
#include "mffs/types.h"

namespace mffs {

// On disk as one byte, kEmpty as kFree; never renumber.
enum class SegmentState : std::uint8_t {
  kFree = 0,
  kOpen = 1,
  kSealed = 2,
  kEmpty = 3,  // Sealed without a live record. Reused only after a checkpoint that says so is in the superblock.
};

// Counts only what is durable.
struct Segment {
  std::uint32_t generation = 0;
  SegmentState state = SegmentState::kFree;
  Stream stream = Stream::kMeta;
  bool changed_since_full = false;  // Since the last full checkpoint.
  std::uint16_t holds = 0;  // While above zero it is not reused: something may still be written to it, or is kept.
  // Nothing in it counts, and it may be taken though it is held: it only keeps what a power cut left of a write.
  bool is_leftover = false;
  std::uint32_t end_sector = 1;  // After the last block.
  std::uint32_t live_bytes = 0;  // Padded.
  Lsn first_lsn;
  Lsn last_lsn;
  LiveMap live;
};

// Thread: one. A value, so that recovery builds one and hands it over.
// Invariant: live_bytes() is the sum over all segments; a sealed segment without a live record is kEmpty.
class SegmentTable {
 public:
  SegmentTable() = default;
  explicit SegmentTable(const Geometry& geometry);

  std::uint32_t size() const { return static_cast<std::uint32_t>(segments_.size()); }
  const Segment& operator[](std::uint32_t segment) const { return segments_[segment]; }

  // Asked before a segment that was never used is taken; a no passes it over for now (BackgroundZeroer).
  void SetClaim(std::function<bool(std::uint32_t segment)> claim) { claim_ = std::move(claim); }
  // Called when the last hold of an empty segment ends: a checkpoint can free it now.
  void SetUnheld(std::function<void()> unheld) { unheld_ = std::move(unheld); }
  enum class Refusal : std::uint8_t {
    kNoneFree,   // No more than `reserve` are free: a checkpoint may change that.
    kUnclaimed,  // All that are free were passed over: the end of a claim's refusal changes that.
  };
  // Takes a free segment for a stream, in ascending order round the volume, and raises its generation. Leaves at least
  // `reserve` free ones. Without a reserve a leftover is taken when none is free.
  std::expected<std::uint32_t, Refusal> Take(Stream stream, Lsn first_lsn, std::uint32_t reserve);
  // A block of an open segment became durable. Its records are live.
  void BlockDurable(std::uint32_t segment, Lsn lsn, std::uint32_t end_sector, std::uint32_t records,
                    std::uint32_t padded_bytes);
  void Seal(std::uint32_t segment);
  void Hold(std::uint32_t segment);
  void Unhold(std::uint32_t segment);

  // False: it was not live, or the segment has another generation by now. Nothing changes then.
  bool Release(const Location& location);
  bool IsLive(const Location& location) const;
  // The generation is the segment's and the place lies within it.
  bool IsCurrent(const Location& location) const;

  // Segments that a checkpoint taken now lists as free. When it is in the superblock, FreeAfterCheckpoint makes those
  // free.
  std::vector<std::uint32_t> EmptySegments() const;
  void FreeAfterCheckpoint(const std::vector<std::uint32_t>& segments);

  std::uint64_t live_bytes() const { return live_bytes_; }
  std::uint64_t live_bytes(Stream stream) const { return live_by_stream_[static_cast<std::size_t>(stream)]; }
  std::uint32_t free_count() const { return free_count_; }
  // Free after the next checkpoint, or after a later one if held.
  std::uint32_t empty_count() const { return empty_count_; }
  // Free after the next checkpoint.
  std::uint32_t freeable_count() const { return empty_count_ - held_empty_count_; }

  // --- Checkpoint: docs/format/mffs.md, "Checkpoint" ---
  static void EncodeEntry(std::uint32_t number, const Segment& segment, std::string& out);
  // Reads entries until the end of `text` over what the table holds. Errors: kCorrupt.
  base::Result<> DecodeEntries(std::string_view text);
  void MarkUnchanged();

  // --- Recovery ---
  // Puts a segment as recovery found it.
  void Restore(std::uint32_t segment, Segment value);

 private:
  void TakeOne(std::uint32_t number, Stream stream, Lsn first_lsn);
  void CountOut(const Segment& segment);
  void CountIn(const Segment& segment);
  void EmptyIfDead(Segment& segment);
  static bool IsHeldEmpty(const Segment& segment) { return segment.state == SegmentState::kEmpty && segment.holds > 0; }

  Geometry geometry_;
  std::vector<Segment> segments_;
  std::function<bool(std::uint32_t segment)> claim_;
  std::function<void()> unheld_;
  std::uint32_t next_ = 0;  // Where Take goes on.
  std::uint32_t free_count_ = 0;
  std::uint32_t empty_count_ = 0;
  std::uint32_t held_empty_count_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::array<std::uint64_t, kStreamCount> live_by_stream_{};
};

}  // namespace mffs
