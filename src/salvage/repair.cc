#include "salvage/repair.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mffs/volume_repair.h"
#include "salvage/log_mending.h"

namespace salvage {
namespace {

mffs::Finding DamagedMove(const mffs::CheckedRecord& record) {
  mffs::Finding finding{.severity = mffs::Severity::kDamage,
                        .kind = "log",
                        .sentence = fmt::format("{}: a note of records that cleaning has moved is damaged, and repair "
                                                "cannot make it anew: save the mail with `posthorn mffs rescue`",
                                                NameOf(replog::PartitionId(record.key.partition))),
                        .segment = record.location.segment};
  finding.partition = record.key.partition;
  return finding;
}

std::uint64_t CountOf(const mffs::Findings& findings, std::string_view kind) {
  return static_cast<std::uint64_t>(std::ranges::count(findings.kept(), kind, &mffs::Finding::kind));
}

// One repair; in the frame of Repair.
struct Job {
  mffs::BlockDevice* device;
  RepairOptions options;
  mffs::Findings* changed;
  mffs::Findings* left;
  LogRecords records;
  RepairReport report;
};

async::Task<base::Result<>> MendVolume(Job* job) {
  CO_RETURN_IF_ERROR(co_await mffs::RepairSuperblocks(job->device, job->changed));
  job->report.superblocks = CountOf(*job->changed, "superblock");
  mffs::VolumeCheckOptions survey;
  survey.visit = [job](const mffs::CheckedRecord& record) {
    job->records.Add(record);
    const bool is_move = record.key.type == static_cast<std::uint8_t>(replog::RecordType::kMove);
    if (is_move && record.is_live && !record.is_readable) job->left->Add(DamagedMove(record));
  };
  survey.progress = [job](std::uint64_t done, std::uint64_t total) {
    if (job->options.progress) job->options.progress("survey", done, total);
  };
  ASSIGN_OR_CO_RETURN(mffs::SurveyedVolume volume,
                      co_await mffs::SurveyVolume(job->device, std::move(survey), job->changed));
  CO_RETURN_IF_ERROR(job->records.Finish());
  replog::OwnerState state;
  if (!volume.recovered.base.owner_state.empty()) {
    ASSIGN_OR_CO_RETURN(state, replog::OwnerState::Decode(volume.recovered.base.owner_state));
  }
  LogMending mending = MendLogs(job->records, state, job->changed);
  job->report.dropped_records = volume.dropped_records;
  job->report.released_records = mending.volume.to_release.size();
  job->report.replaced_entries = mending.volume.records.size();
  job->report.has_changed = job->report.superblocks > 0 || volume.has_changed || mending.has_changed();
  if (!volume.has_changed && !mending.has_changed()) co_return base::Result<>();
  co_return co_await mffs::WriteRepair(job->device, std::move(volume), std::move(mending.volume));
}

}  // namespace

async::Task<base::Result<RepairReport>> Repair(mffs::BlockDevice* device, RepairOptions options,
                                               mffs::Findings* changed, mffs::Findings* left) {
  const std::uint64_t records_max = options.records_max;
  Job job{.device = device,
          .options = std::move(options),
          .changed = changed,
          .left = left,
          .records = LogRecords({.records_max = records_max, .findings = nullptr}),
          .report = {}};
  CO_RETURN_IF_ERROR(co_await MendVolume(&job));
  job.records = LogRecords({});  // The check reads its own.
  MailCheckOptions check{
      .scratch_folder = job.options.scratch_folder, .records_max = records_max, .progress = job.options.progress};
  ASSIGN_OR_CO_RETURN(job.report.check, co_await CheckMail(device, std::move(check), left));
  job.report.will_start = CountOf(*left, "log") == 0;
  co_return std::move(job.report);
}

}  // namespace salvage
