#include "salvage/dump.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "mffs/block_walker.h"
#include "mffs/image_device.h"
#include "mffs/image_scan.h"
#include "mffs/recovery.h"
#include "mffs/segment_scan.h"
#include "salvage/record_meaning.h"

namespace salvage {
namespace {

constexpr std::size_t kBodyStartBytes = 256;

// One dump; in the frame of DumpVolume. Thread: one shard.
struct Job {
  mffs::BlockDevice* device;
  DumpOptions options;
  Dump dump{};
  std::optional<mffs::SegmentTable> table{};
  std::vector<mffs::SegmentStart> starts{};

  const mffs::Geometry& geometry() const { return dump.geometry.geometry; }
  bool HasRoom() {
    if (dump.blocks.size() + dump.records.size() < options.items_max) return true;
    ++dump.left_out;
    return false;
  }
};

DumpedRecord Dumped(const Job& job, const mffs::SurveyedRecord& record) {
  DumpedRecord dumped{.key = record.header.key,
                      .location = record.location,
                      .lsn = record.lsn,
                      .is_copy = (record.header.flags & mffs::RecordHeader::kCopy) != 0,
                      .is_readable = record.body_is_readable,
                      .head = std::string(record.head),
                      .body_bytes = record.header.body_bytes,
                      .body_start = std::string(record.body.substr(0, kBodyStartBytes)),
                      .meaning = MeaningOf(record.header.key, record.head, record.body)};
  dumped.stream = job.starts[record.location.segment].stream();
  if (job.table.has_value()) dumped.is_live = job.table->IsLive(record.location);
  return dumped;
}

// The segment table as a start would find it. Without it the dump goes on.
async::Task<void> LoadTable(Job* job) {
  auto recovered = co_await mffs::Recover(job->device, mffs::kSurveyDeadline, mffs::RecoveryBase::kSuperblock);
  if (!recovered.has_value()) {
    job->dump.notes.push_back(
        fmt::format("it cannot be told what is live: {}", std::move(recovered).error().message()));
    co_return;
  }
  for (const std::string& corruption : recovered->report.corruptions) {
    if (job->dump.notes.size() >= job->options.items_max) break;
    job->dump.notes.push_back(corruption);
  }
  job->table = std::move(recovered->table);
}

// ---- A place ----

// Records of a block or of a damaged stretch, each with its body if that can be read.
void AddRecords(Job* job, const mffs::WalkedBlock& block, std::uint32_t segment, std::uint32_t generation,
                std::optional<mffs::Lsn> wanted) {
  mffs::ForEachRecord(block, job->geometry(), segment, generation, [&](const mffs::WalkedRecord& walked) {
    if ((wanted.has_value() && walked.lsn != *wanted) || !job->HasRoom()) return;
    job->dump.records.push_back(Dumped(*job, mffs::SurveyRecord(job->geometry(), block, walked)));
  });
}

// All blocks of a segment, or those that can hold the LSN.
async::Task<void> AddBlocks(Job* job, std::uint32_t segment, std::optional<mffs::Lsn> wanted) {
  const std::uint32_t generation = job->starts[segment].generation();
  mffs::SegmentReader reader(job->device, job->geometry(), segment, mffs::kSurveyDeadline);
  mffs::BlockWalker walker(&reader, {.generation = generation, .end_sector = job->geometry().footer_sector()});
  for (;;) {
    const auto walked = co_await walker.Next();
    if (!walked.has_value()) co_return;
    const bool is_block = walked->header.has_value();
    if (wanted.has_value()) {
      const mffs::Lsn first = is_block ? walked->header->lsn : walked->after_lsn;
      if (is_block ? first != *wanted : first >= *wanted) {
        if (first > *wanted) co_return;  // LSNs only rise within a segment.
        continue;
      }
    }
    if (job->HasRoom()) {
      job->dump.blocks.push_back(
          {.segment = segment,
           .first_sector = walked->first_sector,
           .sector_count = walked->sector_count,
           .header = walked->header,
           .bad_sectors = static_cast<std::uint64_t>(std::ranges::count(walked->bad_sectors, true))});
    }
    AddRecords(job, *walked, segment, generation, wanted);
  }
}

async::Task<base::Result<>> DumpLsn(Job* job, mffs::Lsn lsn) {
  for (std::uint32_t i = 0; i < job->geometry().segment_count; ++i) {
    const mffs::SegmentStart& start = job->starts[i];
    if (job->options.progress) job->options.progress(i, job->geometry().segment_count);
    if (start.generation() == 0) continue;
    const mffs::Lsn first = start.header.has_value() ? start.header->first_lsn : start.first_block->lsn;
    if (first <= lsn) co_await AddBlocks(job, i, lsn);
  }
  if (!job->dump.blocks.empty()) co_return base::Result<>();
  co_return base::Error(base::Errc::kNotFound,
                        fmt::format("no block of LSN {} is on the volume; its segment was used again, or it was never "
                                    "written",
                                    lsn.value()));
}

async::Task<base::Result<>> DumpSegment(Job* job, std::uint32_t number) {
  const mffs::Geometry& geometry = job->geometry();
  if (number >= geometry.segment_count) {
    co_return base::Error(base::Errc::kInvalid,
                          fmt::format("the volume has segments 0 to {}", geometry.segment_count - 1));
  }
  const mffs::SegmentStart& start = job->starts[number];
  DumpedSegment segment{.number = number,
                        .offset = geometry.SegmentOffset(number),
                        .generation = start.generation(),
                        .header = start.header};
  if (job->table.has_value()) segment.in_table = (*job->table)[number];
  if (segment.generation != 0) {
    mffs::SegmentReader reader(job->device, geometry, number, mffs::kSurveyDeadline);
    const auto sector = co_await reader.Sectors(geometry.footer_sector(), 1);
    segment.footer = mffs::DecodeFooter(sector, geometry, number, segment.generation);
    co_await AddBlocks(job, number, std::nullopt);
  }
  job->dump.segment = std::move(segment);
  co_return base::Result<>();
}

// ---- A mail ----

async::Task<void> Scan(Job* job, std::uint32_t pass, std::function<void(const mffs::SurveyedRecord&)> visit) {
  mffs::ImageScanOptions options{.visit = std::move(visit)};
  options.progress = [job, pass](std::uint64_t done, std::uint64_t total) {
    if (job->options.progress) job->options.progress(pass * total + done, 2 * total);
  };
  co_await mffs::ScanImage(job->device, job->geometry(), std::move(options));
}

async::Task<base::Result<>> DumpMail(Job* job, std::string text) {
  const auto id = MailId::Parse(text);
  if (!id.has_value()) {
    co_return base::Error(base::Errc::kInvalid,
                          "--mail takes an id as `queue list` prints it (80000000-7), or the 16 hexadecimal digits of "
                          "the mail's Received field or of its body");
  }
  MailNames names;
  co_await Scan(job, 0, [&names, &id](const mffs::SurveyedRecord& record) { AddNames(record, *id, &names); });
  if (names.size() == 0) {
    co_return base::Error(base::Errc::kNotFound,
                          fmt::format("no record of mail {} is on the volume; it was deleted and its space used again, "
                                      "or it never was here",
                                      text));
  }
  co_await Scan(job, 1, [job, &names](const mffs::SurveyedRecord& record) {
    const bool is_its_own = IsOfMail(record, names);
    const auto naming = is_its_own ? std::nullopt : NamingOf(record, names);
    if ((!is_its_own && !naming.has_value()) || !job->HasRoom()) return;
    DumpedRecord dumped = Dumped(*job, record);
    if (naming.has_value()) dumped.meaning += ": " + *naming;
    job->dump.records.push_back(std::move(dumped));
  });
  co_return base::Result<>();
}

async::Task<base::Result<>> DumpTargetOf(Job* job, DumpTarget target) {
  if (std::holds_alternative<DumpSuperblocks>(target)) co_return base::Result<>();
  co_await LoadTable(job);
  job->starts = co_await mffs::ReadSegmentStarts(job->device, job->geometry(), mffs::kSurveyDeadline);
  if (const auto* lsn = std::get_if<DumpOfLsn>(&target)) co_return co_await DumpLsn(job, lsn->lsn);
  if (const auto* segment = std::get_if<DumpOfSegment>(&target)) co_return co_await DumpSegment(job, segment->segment);
  co_return co_await DumpMail(job, std::get<DumpOfMail>(target).id);
}

}  // namespace

async::Task<base::Result<Dump>> DumpVolume(mffs::BlockDevice* device, DumpTarget target, DumpOptions options) {
  mffs::ImageDevice image(co_await asio::this_coro::executor, device);
  Job job{.device = &image, .options = std::move(options)};
  ASSIGN_OR_CO_RETURN(job.dump.geometry, co_await mffs::FindGeometry(&image, mffs::kSurveyDeadline));
  job.dump.superblocks = co_await mffs::ReadSuperblockCopies(&image, job.geometry().end, mffs::kSurveyDeadline);
  job.dump.notes = job.dump.geometry.notes;
  CO_RETURN_IF_ERROR(co_await DumpTargetOf(&job, std::move(target)));
  std::ranges::sort(job.dump.records, {}, [](const DumpedRecord& r) { return std::pair(r.lsn, r.location); });
  co_return std::move(job.dump);
}

}  // namespace salvage
