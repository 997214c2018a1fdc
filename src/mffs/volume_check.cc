#include "mffs/volume_check.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "async/task_group.h"
#include "mffs/image_geometry.h"
#include "mffs/recovery.h"
#include "mffs/segment_check.h"

namespace mffs {
namespace {

// One check; in the frame of CheckVolume. Thread: one shard.
struct Job {
  BlockDevice* device;
  VolumeCheckOptions options;
  Findings* findings;
  Recovered recovered;
  VolumeCheck result;
  std::vector<std::uint32_t> segments;  // To be checked, in order.
  std::size_t next = 0;
  std::uint64_t bytes_total = 0;
  const Geometry& geometry() const { return recovered.superblock.geometry; }
};

// An older copy is what a power cut between the two pairs leaves behind; anything else is damage that the next update
// mends.
async::Task<void> CheckSuperblocks(Job* job) {
  const std::vector<SuperblockCopy> copies =
      co_await ReadSuperblockCopies(job->device, job->geometry().end, kSurveyDeadline);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const SuperblockCopy& copy = copies[i];
    if (copy.superblock == job->recovered.superblock) continue;
    Finding finding{.kind = "superblock", .sentence = {}, .offset = copy.offset};
    if (copy.superblock.has_value()) {
      finding.severity = Severity::kNote;
      finding.sentence = fmt::format(
          "superblock copy {} at {} is of another update (sequence {} instead of {}), as a power cut leaves "
          "it; the next checkpoint of a node brings it up to date",
          i, copy.offset, copy.superblock->sequence, job->recovered.superblock.sequence);
    } else {
      finding.severity = Severity::kWarning;
      finding.sentence = fmt::format(
          "superblock copy {} at {} is damaged ({}); start the node once: its next "
          "checkpoint writes it anew",
          i, copy.offset, copy.problem);
    }
    job->findings->Add(std::move(finding));
  }
}

async::Task<void> CheckCheckpoints(Job* job) {
  const CheckpointRef& previous = job->recovered.superblock.previous;
  if (previous.root.IsNowhere() || previous.root == job->recovered.base.ref.root) co_return;
  const RecordReader reader(job->device, job->geometry(), kSurveyDeadline);
  const auto checkpoint = co_await LoadCheckpoint(&reader, job->geometry(), previous.root);
  if (checkpoint.has_value()) co_return;
  job->findings->Add(
      {.severity = Severity::kWarning,
       .kind = "checkpoint",
       .sentence = fmt::format("the checkpoint before the newest one cannot be read ({}); the newest one "
                               "is good, and the next one replaces both",
                               checkpoint.error().message()),
       .segment = previous.root.segment,
       .offset = job->geometry().SegmentOffset(previous.root.segment) + previous.root.offset});
}

void AddRecoveryFindings(Job* job) {
  const RecoveryReport& report = job->recovered.report;
  for (const std::string& corruption : report.corruptions) {
    job->findings->Add({.severity = Severity::kDamage, .kind = "recovery", .sentence = corruption});
  }
  if (report.ambiguous_tail) {
    job->findings->Add({.severity = Severity::kNote,
                        .kind = "ambiguous_tail",
                        .sentence =
                            "the last block is damaged, and nothing proves that it was acknowledged: most likely "
                            "the power was cut while it was written; there is nothing to do"});
  } else if (report.torn_tail) {
    job->findings->Add({.severity = Severity::kNote,
                        .kind = "torn_tail",
                        .sentence =
                            "the last write was incomplete and not acknowledged, as after a power cut; there is "
                            "nothing to do"});
  }
}

void AddUp(Job* job, const SegmentCheck& check) {
  VolumeCheck& result = job->result;
  ++result.segments_checked;
  result.blocks += check.blocks;
  result.records += check.records;
  result.live_records += check.live_records;
  result.live_bytes += check.live_bytes;
  result.lost_records += check.lost_records;
}

async::Task<void> CheckSegments(Job* job) {
  while (job->next < job->segments.size()) {
    const std::uint32_t number = job->segments[job->next++];
    SegmentCheckCalls calls{.visit = job->options.visit, .progress = [job](std::uint64_t bytes) {
                              job->result.bytes += bytes;
                              if (!job->options.progress) return;
                              job->options.progress(std::min(job->result.bytes, job->bytes_total), job->bytes_total);
                            }};
    const SegmentCheck check = co_await CheckSegment(job->device, job->geometry(), {number, &job->recovered.table},
                                                     std::move(calls), job->findings);
    AddUp(job, check);
  }
}

}  // namespace

async::Task<base::Result<VolumeCheck>> CheckVolume(BlockDevice* device, VolumeCheckOptions options,
                                                   Findings* findings) {
  Job job{.device = device, .options = std::move(options), .findings = findings, .recovered = {}, .result = {}};
  ASSIGN_OR_CO_RETURN(job.recovered, co_await Recover(device, kSurveyDeadline, RecoveryBase::kSuperblock));
  co_await CheckSuperblocks(&job);
  co_await CheckCheckpoints(&job);
  AddRecoveryFindings(&job);
  const SegmentTable& table = job.recovered.table;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    if (table[i].state == SegmentState::kFree) continue;
    job.segments.push_back(i);
    job.bytes_total += (table[i].end_sector - 1) * kSectorBytes;
  }
  async::TaskGroup readers(co_await asio::this_coro::executor, "volume check");
  for (std::uint32_t i = 0; i < std::max(job.options.segments_at_once, 1u); ++i) readers.Spawn(CheckSegments(&job));
  co_await readers.Join();
  job.result.geometry = job.geometry();
  job.result.recovery = job.recovered.report;
  job.result.owner_state = job.recovered.base.owner_state;
  co_return std::move(job.result);
}

}  // namespace mffs
