#include "mffs/image_scan.h"

#include <algorithm>
#include <utility>

#include "async/task_group.h"

namespace mffs {
namespace {

// One scan; in the frame of ScanImage. Thread: one shard.
struct Job {
  BlockDevice* device;
  Geometry geometry;
  ImageScanOptions options;
  ImageScan result;
  std::uint32_t next = 0;
  std::uint64_t done = 0;
};

void Progress(Job* job, std::uint64_t bytes) {
  job->done += bytes;
  const std::uint64_t total = std::uint64_t{job->geometry.segment_count} * job->geometry.segment_bytes;
  if (job->options.progress) job->options.progress(std::min(job->done, total), total);
}

async::Task<void> ScanOne(Job* job, std::uint32_t segment) {
  const std::uint64_t offset = job->geometry.SegmentOffset(segment);
  if (offset + job->geometry.segment_bytes > job->device->size_bytes()) ++job->result.segments_missing;
  if (offset + 2 * kSectorBytes > job->device->size_bytes()) co_return;
  const std::uint32_t generation = co_await FindGeneration(job->device, job->geometry, segment);
  if (generation == 0) co_return;
  ++job->result.segments_used;
  SurveyCalls calls;
  calls.record = [job](const SurveyedRecord& record) {
    if (record.header.key.type >= kOwnTypesFirst) return;
    ++(record.body_is_readable ? job->result.records : job->result.records_damaged);
    job->options.visit(record);
  };
  co_await SurveySegment(job->device, job->geometry,
                         {.segment = segment, .generation = generation, .end_sector = job->geometry.footer_sector()},
                         std::move(calls));
}

async::Task<void> ScanSegments(Job* job) {
  while (job->next < job->geometry.segment_count) {
    const std::uint32_t segment = job->next++;
    co_await ScanOne(job, segment);
    Progress(job, job->geometry.segment_bytes);
  }
}

}  // namespace

async::Task<ImageScan> ScanImage(BlockDevice* device, Geometry geometry, ImageScanOptions options) {
  Job job{.device = device, .geometry = geometry, .options = std::move(options), .result = {}};
  async::TaskGroup readers(co_await asio::this_coro::executor, "image scan");
  for (std::uint32_t i = 0; i < std::max(job.options.segments_at_once, 1u); ++i) readers.Spawn(ScanSegments(&job));
  co_await readers.Join();
  co_return job.result;
}

}  // namespace mffs
