#include "mffs/segment_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mffs/segment_summary.h"

namespace mffs {
namespace {

constexpr std::size_t kSectorsNamedMax = 8;

std::string SectorList(std::vector<std::uint32_t> sectors) {
  const bool is_cut = sectors.size() > kSectorsNamedMax;
  if (is_cut) sectors.resize(kSectorsNamedMax);
  return fmt::format("{}{}", fmt::join(sectors, ", "), is_cut ? ", ..." : "");
}

// Thread: one shard. The state of one check, in the frame of CheckSegment.
class Checker {
 public:
  Checker(const Geometry& geometry, SegmentOfTable segment, SegmentCheckCalls calls, Findings* findings)
      : geometry_(geometry),
        number_(segment.number),
        table_((*segment.table)[segment.number]),
        calls_(std::move(calls)),
        findings_(findings),
        found_(table_.live.count()) {}

  async::Task<SegmentCheck> Run(BlockDevice* device) {
    if (table_.state != SegmentState::kOpen) {
      summary_ = co_await SegmentSummary::Load(device, geometry_, number_, table_.generation, kSurveyDeadline);
      CheckFooter();
    }
    co_await CheckHeader(device);
    AdvanceSummary();
    const SurveyCalls calls{.record = [this](const SurveyedRecord& record) { Visit(record); },
                            .progress = calls_.progress};
    const SegmentSurvey survey = co_await SurveySegment(
        device, geometry_, {.segment = number_, .generation = table_.generation, .end_sector = table_.end_sector},
        calls);
    while (entry_.has_value()) SkipEntry();
    if (summary_.has_entries() && !summary_.IsAtEnd()) SummaryIsWrong("an entry of it is not valid");
    result_.blocks = survey.blocks;
    CountLost();
    for (const DamagedPlace& place : survey.damage) ReportDamage(place);
    CheckCounters(survey);
    co_return result_;
  }

 private:
  std::string Name() const { return fmt::format("segment {} (generation {})", number_, table_.generation); }
  std::uint64_t OffsetOf(std::uint32_t sector) const { return geometry_.SectorOffset(number_, sector); }
  bool IsLive(std::uint32_t ordinal) const { return table_.live.IsLive(ordinal); }

  async::Task<void> CheckHeader(BlockDevice* device) {
    const auto sector = co_await ReadSectors(device, OffsetOf(0), kSectorBytes, kSurveyDeadline);
    std::optional<SegmentHeader> header;
    if (sector.has_value()) header = DecodeSegmentHeader(sector->span(), geometry_.uuid, number_);
    if (header.has_value() && header->generation == table_.generation && header->stream == table_.stream) co_return;
    findings_->Add(
        {.severity = Severity::kWarning,
         .kind = "segment_header",
         .sentence = fmt::format("{}: the segment header is damaged; nothing is lost, since every block says "
                                 "the same; look at the disk's own error log",
                                 Name()),
         .segment = number_,
         .offset = OffsetOf(0)});
  }

  void CheckFooter() {
    if (!summary_.damage().empty()) {
      SummaryIsWrong(summary_.damage());
      return;
    }
    const auto& footer = summary_.footer();
    if (!footer.has_value()) return;
    const bool fits = footer->end_sector == table_.end_sector && footer->records == table_.live.count() &&
                      footer->first_lsn == table_.first_lsn && footer->last_lsn == table_.last_lsn;
    // Of a segment that is sealed but empty the table has forgotten the records.
    if (!fits && table_.state == SegmentState::kSealed) SummaryIsWrong("its footer does not fit the segment table");
  }

  void SummaryIsWrong(std::string_view why) {
    if (std::exchange(summary_is_reported_, true)) return;
    findings_->Add(
        {.severity = Severity::kWarning,
         .kind = "summary",
         .sentence = fmt::format("{}: the summary is damaged: {}; nothing is lost, reading the segment takes "
                                 "longer until it is reused",
                                 Name(), why),
         .segment = number_,
         .offset = OffsetOf(geometry_.footer_sector())});
  }

  void Visit(const SurveyedRecord& record) {
    const std::uint32_t ordinal = record.header.ordinal;
    if (ordinal >= found_.size()) {
      ++uncounted_;
    } else if (record.body_is_readable) {
      found_[ordinal] = true;
      ++result_.records;
      if (IsLive(ordinal)) {
        ++result_.live_records;
        result_.live_bytes += PaddedRecordBytes(record.location.size);
      }
    }
    // The summary names what the blocks have lost.
    while (entry_.has_value() && entry_->header.ordinal < ordinal) SkipEntry();
    if (entry_.has_value() && entry_->header.ordinal == ordinal) {
      const bool is_same = entry_->location == record.location && entry_->header.key == record.header.key &&
                           entry_->header.payload_checksum == record.header.payload_checksum &&
                           entry_->head == record.head && entry_->lsn == record.lsn;
      if (!is_same) SummaryIsWrong(fmt::format("record {} is another one there", ordinal));
      AdvanceSummary();
    }
    HandOut({.key = record.header.key,
             .location = record.location,
             .lsn = record.lsn,
             .head = record.head,
             .body = record.body,
             .is_readable = record.body_is_readable,
             .is_live = IsLive(ordinal),
             .is_copy = (record.header.flags & RecordHeader::kCopy) != 0});
    if (!record.body_is_readable) ReportRecord(record.header.key, record.location, record.lsn);
  }

  void AdvanceSummary() {
    entry_.reset();
    if (summary_.has_entries()) entry_ = summary_.Next();
  }

  // The record at the summary's cursor is in no block.
  void SkipEntry() {
    const SegmentSummary::Entry& entry = *entry_;
    HandOut({.key = entry.header.key,
             .location = entry.location,
             .lsn = entry.lsn,
             .head = entry.head,
             .body = {},
             .is_readable = false,
             .is_live = IsLive(entry.header.ordinal),
             .is_copy = (entry.header.flags & RecordHeader::kCopy) != 0});
    ReportRecord(entry.header.key, entry.location, entry.lsn);
    AdvanceSummary();
  }

  void HandOut(const CheckedRecord& record) {
    if (calls_.visit && (calls_.visits_own || record.key.type < kOwnTypesFirst)) calls_.visit(record);
  }

  void ReportRecord(const RecordKey& key, const Location& location, Lsn lsn) {
    if (!IsLive(location.ordinal)) return;  // Nobody needs it; its sectors are reported.
    const bool is_own = key.type >= kOwnTypesFirst;
    findings_->Add({.severity = is_own ? Severity::kWarning : Severity::kDamage,
                    .kind = "record",
                    .sentence = fmt::format(
                        "{}, offset {}: the record of type {} with partition {}, epoch {}, index {} (LSN {}) cannot be "
                        "read; {}",
                        Name(), location.offset, key.type, key.partition, key.epoch, key.index, lsn.value(),
                        is_own ? "it belongs to a checkpoint, which the next one replaces"
                               : "save what can be read with `posthorn mffs rescue`"),
                    .segment = number_,
                    .offset = geometry_.SegmentOffset(number_) + location.offset,
                    .lsn = lsn.value()});
  }

  void CountLost() {
    for (std::uint32_t ordinal = 0; ordinal < found_.size(); ++ordinal) {
      if (!found_[ordinal] && IsLive(ordinal)) ++result_.lost_records;
    }
  }

  // Live records of the place that were not found.
  std::uint64_t LostIn(const DamagedPlace& place) const {
    const auto count = static_cast<std::uint32_t>(found_.size());
    const std::uint32_t end = std::min(place.end_ordinal.value_or(count), count);
    std::uint64_t lost = 0;
    for (std::uint32_t ordinal = place.first_ordinal; ordinal < end; ++ordinal) {
      if (!found_[ordinal] && IsLive(ordinal)) ++lost;
    }
    return lost;
  }

  void ReportDamage(const DamagedPlace& place) {
    const std::uint64_t lost = LostIn(place);
    const std::string what =
        place.lsn.has_value()
            ? fmt::format("{} of the {} sectors of the block with LSN {} are damaged (sectors {})",
                          place.bad_sectors.size(), place.sector_count, place.lsn->value(),
                          SectorList(place.bad_sectors))
            : fmt::format("{} sectors from sector {} on hold no valid block", place.sector_count, place.first_sector);
    const std::string effect =
        lost > 0 ? fmt::format(
                       "{} live records in it cannot be read: save what can be with `posthorn mffs rescue`, and "
                       "look at the disk's own error log",
                       lost)
                 : "no live record is lost; look at the disk's own error log";
    Finding finding{.severity = lost > 0 ? Severity::kDamage : Severity::kWarning,
                    .kind = "sectors",
                    .sentence = fmt::format("{}: {}; {}", Name(), what, effect),
                    .segment = number_,
                    .offset = OffsetOf(place.bad_sectors.empty() ? place.first_sector : place.bad_sectors.front())};
    if (place.lsn.has_value()) finding.lsn = place.lsn->value();
    findings_->Add(std::move(finding));
  }

  void CheckCounters(const SegmentSurvey& survey) {
    // A segment without a live record has no counters to speak of.
    if (table_.state == SegmentState::kEmpty) return;
    const auto missing = static_cast<std::uint64_t>(std::ranges::count(found_, false));
    std::string wrong;
    if (uncounted_ > 0 || (missing > 0 && survey.damage.empty())) {
      wrong = fmt::format("the segment table counts {} records, the blocks hold {}", found_.size(),
                          found_.size() - missing + uncounted_);
    } else if (result_.lost_records == 0 && result_.live_bytes != table_.live_bytes) {
      wrong = fmt::format("the segment table counts {} live bytes, the live records take {}", table_.live_bytes,
                          result_.live_bytes);
    }
    if (wrong.empty()) return;
    findings_->Add({.severity = result_.lost_records > 0 ? Severity::kDamage : Severity::kWarning,
                    .kind = "live_bytes",
                    .sentence = fmt::format("{}: {}; the figures of the free space are off until the segment is reused",
                                            Name(), wrong),
                    .segment = number_,
                    .offset = OffsetOf(0)});
  }

  Geometry geometry_;
  std::uint32_t number_;
  Segment table_;  // A copy: of an open volume it changes meanwhile.
  SegmentCheckCalls calls_;
  Findings* findings_;
  std::vector<bool> found_;  // By ordinal.
  std::uint64_t uncounted_ = 0;
  SegmentSummary summary_;
  std::optional<SegmentSummary::Entry> entry_;
  bool summary_is_reported_ = false;
  SegmentCheck result_;
};

}  // namespace

async::Task<SegmentCheck> CheckSegment(BlockDevice* device, Geometry geometry, SegmentOfTable segment,
                                       SegmentCheckCalls calls, Findings* findings) {
  Checker checker(geometry, segment, std::move(calls), findings);
  co_return co_await checker.Run(device);
}

}  // namespace mffs
