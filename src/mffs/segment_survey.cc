#include "mffs/segment_survey.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "mffs/segment_scan.h"

namespace mffs {
namespace {

// Sectors in which no block header is valid are looked at in windows that overlap by more than the largest record.
constexpr std::uint32_t kWindowStep = 120;
constexpr std::uint64_t kRecordSectorsMax =
    AlignUp(RecordHeader::kEncodedSize + kHeadBytesMax + kBodyBytesMax, kSectorBytes) / kSectorBytes + 1;
static_assert(kWindowStep + kRecordSectorsMax <= kBlockSectorsMax);

// One survey; in the frame of SurveySegment.
struct Survey {
  Geometry geometry;
  SurveyTarget target;
  SurveyCalls calls;
  SegmentSurvey result;
  std::uint32_t next_ordinal = 0;
  std::optional<std::size_t> open_end{};  // Damage whose last ordinal the next good block tells.
};

bool IsZero(base::ByteSpan bytes) {
  return bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Hands out the record if it begins before `end_sector`.
void HandOut(Survey* survey, const WalkedBlock& block, const WalkedRecord& walked, std::uint32_t end_sector) {
  if (walked.location.offset >= end_sector * kSectorBytes) return;
  ++survey->result.records;
  survey->calls.record(SurveyRecord(survey->geometry, block, walked));
}

void SurveyBlock(Survey* survey, const WalkedBlock& block) {
  const BlockHeader& header = *block.header;
  ++survey->result.blocks;
  if (survey->open_end.has_value()) {
    survey->result.damage[*std::exchange(survey->open_end, std::nullopt)].end_ordinal = header.first_ordinal;
  }
  survey->next_ordinal = header.first_ordinal + header.record_count;
  const std::uint32_t end_sector = block.first_sector + block.sector_count;
  ForEachRecord(block, survey->geometry, survey->target.segment, survey->target.generation,
                [&](const WalkedRecord& record) { HandOut(survey, block, record, end_sector); });
  if (!block.IsDamaged()) return;
  DamagedPlace place{.first_sector = block.first_sector,
                     .sector_count = block.sector_count,
                     .lsn = header.lsn,
                     .bad_sectors = {},
                     .first_ordinal = header.first_ordinal,
                     .end_ordinal = survey->next_ordinal};
  for (std::uint32_t i = 0; i < block.bad_sectors.size(); ++i) {
    if (block.bad_sectors[i]) place.bad_sectors.push_back(block.first_sector + i);
  }
  survey->result.damage.push_back(std::move(place));
}

async::Task<void> SurveyStretch(Survey* survey, SegmentReader* reader, WalkedBlock stretch) {
  survey->open_end = survey->result.damage.size();
  survey->result.damage.push_back({.first_sector = stretch.first_sector,
                                   .sector_count = stretch.sector_count,
                                   .lsn = {},
                                   .bad_sectors = {},
                                   .first_ordinal = survey->next_ordinal,
                                   .end_ordinal = {}});
  const std::uint32_t end = stretch.first_sector + stretch.sector_count;
  for (std::uint32_t first = stretch.first_sector; first < end; first += kWindowStep) {
    WalkedBlock window = stretch;
    window.first_sector = first;
    window.sector_count = std::min(kBlockSectorsMax, end - first);
    window.bytes = co_await reader->Sectors(first, window.sector_count);
    if (IsZero(window.bytes)) continue;
    const bool is_last = first + window.sector_count == end;
    const std::uint32_t end_sector = is_last ? end : first + kWindowStep;
    ForEachRecord(window, survey->geometry, survey->target.segment, survey->target.generation,
                  [&](const WalkedRecord& record) { HandOut(survey, window, record, end_sector); });
    if (is_last) break;
  }
}

}  // namespace

SurveyedRecord SurveyRecord(const Geometry& geometry, const WalkedBlock& block, const WalkedRecord& walked) {
  const std::size_t at = walked.location.offset - block.first_sector * kSectorBytes + RecordHeader::kEncodedSize;
  const base::ByteSpan payload = block.bytes.subspan(at, walked.header.size() - RecordHeader::kEncodedSize);
  SurveyedRecord record{.header = walked.header,
                        .location = walked.location,
                        .lsn = walked.lsn,
                        .head = walked.head,
                        .body = {},
                        .body_is_readable = walked.body_is_readable};
  if (record.body_is_readable) {
    record.body_is_readable = base::Crc32c(payload, VolumeSeed(geometry.uuid)) == walked.header.payload_checksum;
  }
  if (record.body_is_readable) record.body = base::AsText(payload.subspan(walked.header.head_bytes));
  return record;
}

async::Task<SegmentSurvey> SurveySegment(BlockDevice* device, Geometry geometry, SurveyTarget target,
                                         SurveyCalls calls) {
  Survey survey{.geometry = geometry, .target = target, .calls = std::move(calls), .result = {}};
  survey.result.segment = target.segment;
  survey.result.generation = target.generation;
  SegmentReader reader(device, geometry, target.segment, kSurveyDeadline);
  BlockWalker walker(&reader, {.generation = target.generation, .end_sector = target.end_sector, .end_is_known = true});
  std::uint32_t done = 1;
  for (;;) {
    const auto walked = co_await walker.Next();
    if (!walked.has_value()) break;
    if (walked->header.has_value()) {
      SurveyBlock(&survey, *walked);
    } else {
      co_await SurveyStretch(&survey, &reader, *walked);
    }
    if (survey.calls.progress) survey.calls.progress((walker.end_sector() - done) * kSectorBytes);
    done = walker.end_sector();
  }
  co_return std::move(survey.result);
}

async::Task<std::uint32_t> FindGeneration(BlockDevice* device, Geometry geometry, std::uint32_t segment) {
  SegmentReader reader(device, geometry, segment, kSurveyDeadline);
  const base::ByteSpan start = co_await reader.Sectors(0, 2);
  SegmentStart found{.header = DecodeSegmentHeader(start.first(kSectorBytes), geometry.uuid, segment),
                     .first_block = DecodeBlockHeader(start.subspan(kSectorBytes), geometry.uuid, segment, 1)};
  std::uint32_t generation = found.generation();
  if (generation != 0) co_return generation;
  for (std::uint32_t sector = 2; sector < geometry.footer_sector(); ++sector) {
    const base::ByteSpan bytes = co_await reader.Sectors(sector, 1);
    const auto block = DecodeBlockHeader(bytes, geometry.uuid, segment, sector);
    if (block.has_value()) generation = std::max(generation, block->generation);
  }
  co_return generation;
}

}  // namespace mffs
