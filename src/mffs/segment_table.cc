#include "mffs/segment_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace mffs {

SegmentTable::SegmentTable(const Geometry& geometry)
    : geometry_(geometry), segments_(geometry.segment_count), free_count_(geometry.segment_count) {}

std::expected<std::uint32_t, SegmentTable::Refusal> SegmentTable::Take(Stream stream, Lsn first_lsn,
                                                                       std::uint32_t reserve) {
  const bool takes_leftovers = reserve == 0 && free_count_ == 0;
  if (free_count_ <= reserve && !takes_leftovers) return std::unexpected(Refusal::kNoneFree);
  for (std::uint32_t looked = 0; looked < size(); ++looked) {
    const std::uint32_t number = next_;
    next_ = (next_ + 1) % size();
    const Segment& segment = segments_[number];
    const bool is_free = segment.state == SegmentState::kFree && segment.holds == 0;
    if (!is_free && !(takes_leftovers && segment.is_leftover)) continue;
    if (segment.generation == 0 && claim_ && !claim_(number)) continue;
    TakeOne(number, stream, first_lsn);
    return number;
  }
  return std::unexpected(takes_leftovers ? Refusal::kNoneFree : Refusal::kUnclaimed);
}

void SegmentTable::TakeOne(std::uint32_t number, Stream stream, Lsn first_lsn) {
  Segment& segment = segments_[number];
  CountOut(segment);
  const std::uint32_t generation = segment.generation + 1;
  segment = Segment{.generation = generation,
                    .state = SegmentState::kOpen,
                    .stream = stream,
                    .changed_since_full = true,
                    .first_lsn = first_lsn,
                    .last_lsn = first_lsn};
}

void SegmentTable::BlockDurable(std::uint32_t number, Lsn lsn, std::uint32_t end_sector, std::uint32_t records,
                                std::uint32_t padded_bytes) {
  Segment& segment = segments_[number];
  CHECK(segment.state == SegmentState::kOpen && end_sector > segment.end_sector);
  segment.end_sector = end_sector;
  segment.last_lsn = lsn;
  segment.live.Extend(records, true);
  segment.live_bytes += padded_bytes;
  segment.changed_since_full = true;
  live_bytes_ += padded_bytes;
  live_by_stream_[static_cast<std::size_t>(segment.stream)] += padded_bytes;
}

void SegmentTable::Seal(std::uint32_t number) {
  Segment& segment = segments_[number];
  CHECK(segment.state == SegmentState::kOpen);
  segment.state = SegmentState::kSealed;
  segment.changed_since_full = true;
  EmptyIfDead(segment);
}

void SegmentTable::Hold(std::uint32_t number) {
  Segment& segment = segments_[number];
  held_empty_count_ -= IsHeldEmpty(segment);
  ++segment.holds;
  held_empty_count_ += IsHeldEmpty(segment);
}

void SegmentTable::Unhold(std::uint32_t number) {
  Segment& segment = segments_[number];
  CHECK(segment.holds > 0);
  held_empty_count_ -= IsHeldEmpty(segment);
  --segment.holds;
  held_empty_count_ += IsHeldEmpty(segment);
  if (segment.state == SegmentState::kEmpty && segment.holds == 0 && unheld_) unheld_();
}

bool SegmentTable::Release(const Location& location) {
  if (!IsCurrent(location)) return false;
  Segment& segment = segments_[location.segment];
  if (!segment.live.Set(location.ordinal, false)) return false;
  // The last one takes what is left: a caller's wrong size must not leave bytes behind for ever.
  const std::uint32_t bytes =
      segment.live.live() == 0 ? segment.live_bytes : std::min(segment.live_bytes, PaddedRecordBytes(location.size));
  segment.live_bytes -= bytes;
  segment.changed_since_full = true;
  live_bytes_ -= bytes;
  live_by_stream_[static_cast<std::size_t>(segment.stream)] -= bytes;
  EmptyIfDead(segment);
  return true;
}

bool SegmentTable::IsLive(const Location& location) const {
  return IsCurrent(location) && segments_[location.segment].live.IsLive(location.ordinal);
}

bool SegmentTable::IsCurrent(const Location& location) const {
  return location.segment < size() && location.generation != 0 &&
         segments_[location.segment].generation == location.generation &&
         segments_[location.segment].state != SegmentState::kFree && location.size >= RecordHeader::kEncodedSize &&
         location.offset % 8 == 0 &&
         std::uint64_t{location.offset} + location.size <= segments_[location.segment].end_sector * kSectorBytes;
}

std::vector<std::uint32_t> SegmentTable::EmptySegments() const {
  std::vector<std::uint32_t> empty;
  if (empty_count_ == 0) return empty;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (segments_[i].state == SegmentState::kEmpty && segments_[i].holds == 0) empty.push_back(i);
  }
  return empty;
}

void SegmentTable::FreeAfterCheckpoint(const std::vector<std::uint32_t>& segments) {
  for (const std::uint32_t number : segments) {
    Segment& segment = segments_[number];
    CHECK(segment.state == SegmentState::kEmpty);
    if (segment.holds > 0) continue;
    segment.state = SegmentState::kFree;
    segment.live = {};
    --empty_count_;
    ++free_count_;
  }
}

void SegmentTable::EncodeEntry(std::uint32_t number, const Segment& segment, std::string& out) {
  base::Encoder encoder(out);
  const bool free = segment.state == SegmentState::kFree || segment.state == SegmentState::kEmpty ||
                    (segment.state == SegmentState::kSealed && segment.live.live() == 0);
  // A held segment keeps its bytes for this mount; the next one may have it.
  const SegmentState state = free ? SegmentState::kFree : segment.state;
  encoder.U32(number);
  encoder.U32(segment.generation);
  encoder.U8(static_cast<std::uint8_t>(state));
  encoder.U8(static_cast<std::uint8_t>(segment.stream));
  encoder.U64(segment.first_lsn.value());
  encoder.U64(segment.last_lsn.value());
  encoder.U32(segment.end_sector);
  encoder.U32(free ? 0 : segment.live.count());
  encoder.U32(free ? 0 : segment.live.live());
  encoder.U32(free ? 0 : segment.live_bytes);
  (free ? LiveMap() : segment.live).EncodeTo(out);
}

base::Result<> SegmentTable::DecodeEntries(std::string_view text) {
  base::Decoder in(text);
  while (in.ok() && in.remaining() > 0) {
    Segment segment;
    const std::uint32_t number = in.U32();
    segment.generation = in.U32();
    const std::uint8_t state = in.U8();
    const std::uint8_t stream = in.U8();
    segment.first_lsn = Lsn(in.U64());
    segment.last_lsn = Lsn(in.U64());
    segment.end_sector = in.U32();
    const std::uint32_t records = in.U32();
    const std::uint32_t live = in.U32();
    segment.live_bytes = in.U32();
    const std::uint8_t kind = in.U8();
    const bool sane = in.ok() && number < size() && state <= 2 && stream < kStreamCount && segment.end_sector >= 1 &&
                      segment.end_sector <= geometry_.footer_sector() && records <= geometry_.records_max() &&
                      segment.generation <= kGenerationMax &&
                      std::max(segment.first_lsn, segment.last_lsn).value() <= kLsnMax &&
                      segment.live_bytes <= geometry_.segment_bytes;
    if (!sane || !segment.live.Decode(kind, in.Raw(LiveMap::EncodedBits(kind, records)), records) ||
        segment.live.live() != live) {
      return base::Error(base::Errc::kCorrupt, "a segment entry of the checkpoint makes no sense");
    }
    segment.state = static_cast<SegmentState>(state);
    segment.stream = static_cast<Stream>(stream);
    Restore(number, std::move(segment));
  }
  if (!in.ok()) return base::Error(base::Errc::kCorrupt, "a segment entry of the checkpoint is incomplete");
  return {};
}

void SegmentTable::MarkUnchanged() {
  for (Segment& segment : segments_) segment.changed_since_full = false;
}

void SegmentTable::Restore(std::uint32_t number, Segment value) {
  CountOut(segments_[number]);
  segments_[number] = std::move(value);
  CountIn(segments_[number]);
  EmptyIfDead(segments_[number]);
}

void SegmentTable::CountOut(const Segment& segment) {
  live_bytes_ -= segment.live_bytes;
  live_by_stream_[static_cast<std::size_t>(segment.stream)] -= segment.live_bytes;
  if (segment.state == SegmentState::kFree) --free_count_;
  if (segment.state == SegmentState::kEmpty) --empty_count_;
  held_empty_count_ -= IsHeldEmpty(segment);
}

void SegmentTable::CountIn(const Segment& segment) {
  live_bytes_ += segment.live_bytes;
  live_by_stream_[static_cast<std::size_t>(segment.stream)] += segment.live_bytes;
  if (segment.state == SegmentState::kFree) ++free_count_;
  if (segment.state == SegmentState::kEmpty) ++empty_count_;
  held_empty_count_ += IsHeldEmpty(segment);
}

void SegmentTable::EmptyIfDead(Segment& segment) {
  if (segment.state != SegmentState::kSealed || segment.live.live() != 0) return;
  segment.state = SegmentState::kEmpty;
  ++empty_count_;
  held_empty_count_ += IsHeldEmpty(segment);
}

}  // namespace mffs
