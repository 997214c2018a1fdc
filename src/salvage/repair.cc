#include "salvage/repair.h"

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mffs/segment_survey.h"
#include "mffs/volume_repair.h"
#include "salvage/log_mending.h"
#include "salvage/place_mending.h"
#include "salvage/snapshot_mending.h"
#include "store/saved_index.h"

namespace salvage {
namespace {

// A snapshot that was made anew may tell of mails whose places are looked at in the next round.
constexpr int kRoundsMax = 3;

mffs::Finding MovesMended(replog::PartitionId partition, std::size_t damaged_notes) {
  mffs::Finding finding{
      .severity = mffs::Severity::kWarning,
      .kind = "move",
      .sentence =
          fmt::format("{}: cleaning has moved records, and {}: their places are noted anew, as "
                      "their names tell",
                      NameOf(partition), damaged_notes > 0 ? "a note of that is damaged" : "a note of that is lost")};
  finding.partition = partition.value();
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
  RepairReport report;
  std::unique_ptr<store::SavedIndex> index{};  // Null: none was given.
};

// One look at the volume, and what it takes to mend it.
struct Round {
  LogRecords records;
  replog::MovedPlaces moved;  // By the notes that can be read.
  std::vector<std::pair<replog::PartitionId, mffs::Location>> damaged_notes;
  mffs::SurveyedVolume volume;
  replog::OwnerState state;
  mffs::OwnerRepair repair;
};

void Visit(Round* round, const mffs::CheckedRecord& record) {
  round->records.Add(record);
  if (record.key.type != static_cast<std::uint8_t>(replog::RecordType::kMove) || !record.is_live) return;
  const auto moves = replog::DecodeMoves(record.head, record.body);
  if (!record.is_readable || !moves.has_value()) {
    round->damaged_notes.emplace_back(record.key.partition, record.location);
    return;
  }
  for (const replog::MovedRecord& move : *moves) {
    if (move.from != move.to) round->moved.Add(move.from, move.to);
  }
}

async::Task<base::Result<>> Survey(Job* job, Round* round) {
  mffs::VolumeCheckOptions survey;
  survey.visit = [round](const mffs::CheckedRecord& record) { Visit(round, record); };
  survey.progress = [job](std::uint64_t done, std::uint64_t total) {
    if (job->options.progress) job->options.progress("survey", done, total);
  };
  ASSIGN_OR_CO_RETURN(round->volume, co_await mffs::SurveyVolume(job->device, std::move(survey), job->changed));
  CO_RETURN_IF_ERROR(round->records.Finish());
  if (!round->volume.recovered.base.owner_state.empty()) {
    ASSIGN_OR_CO_RETURN(round->state, replog::OwnerState::Decode(round->volume.recovered.base.owner_state));
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> MendPlacesOf(Job* job, Round* round, const mffs::RecordReader* reader) {
  mffs::Findings ignored(0);  // The check of the repaired volume says it once.
  MailStateOptions options{.index_folder = job->options.scratch_folder,
                           .owner_state = round->state,
                           .segment_end_sector = round->volume.recovered.superblock.geometry.footer_sector()};
  ASSIGN_OR_CO_RETURN(const std::unique_ptr<MailState> state,
                      co_await MailState::Load(reader, &round->records, std::move(options), &ignored));
  ASSIGN_OR_CO_RETURN(std::vector<mffs::OwnedRecord> notes, MendPlaces(round->records, round->moved, state.get()));
  std::set<replog::PartitionId> mended;
  for (const mffs::OwnedRecord& note : notes) mended.insert(replog::PartitionId(note.key.partition));
  for (const auto& [partition, place] : round->damaged_notes) {
    mended.insert(partition);
    round->repair.to_release.push_back(place);
  }
  for (const replog::PartitionId partition : mended)
    job->changed->Add(MovesMended(partition, round->damaged_notes.size()));
  std::ranges::move(notes, std::back_inserter(round->repair.records));
  // What was lost may have been a note, without which a start would take the copies that it named for leftovers.
  if (!mended.empty() || round->volume.dropped_records > 0) {
    round->state.settled_lsn = std::max(round->state.settled_lsn, round->volume.recovered.lsns.cut);
    round->repair.owner_state = round->state.Encode();
  }
  co_return base::Result<>();
}

// True: something was mended.
async::Task<bool> MendSnapshots(Job* job, Round* round, const mffs::RecordReader* reader) {
  // Owners: the callbacks that name its records.
  const auto snapshots =
      std::make_shared<SnapshotMender>(SnapshotMender::Sources{.reader = reader,
                                                               .records = &round->records,
                                                               .index = job->index.get(),
                                                               .lost_records = round->volume.dropped_records},
                                       job->changed);
  for (const auto& saved : round->state.partitions) co_await snapshots->Mend(saved);
  if (!snapshots->has_changed()) co_return false;
  mffs::OwnerRepair& repair = round->repair;
  const std::size_t before = repair.records.size();
  std::ranges::move(snapshots->TakeRecords(), std::back_inserter(repair.records));
  std::ranges::copy(snapshots->to_release(), std::back_inserter(repair.to_release));
  repair.naming.emplace_back([snapshots, before](const std::vector<mffs::Location>& places) {
    return snapshots->Ends(std::span(places).subspan(before));
  });
  repair.naming.emplace_back([snapshots, before](const std::vector<mffs::Location>& places) {
    return snapshots->Notes(std::span(places).subspan(before));
  });
  for (auto& saved : round->state.partitions) {
    const auto committed = snapshots->committed().find(saved.partition);
    if (committed == snapshots->committed().end()) continue;
    saved.committed = std::max(saved.committed, committed->second);
  }
  if (!snapshots->committed().empty()) repair.owner_state = round->state.Encode();
  co_return true;
}

bool HasDamage(const Round& round) {
  return !round.volume.recovered.report.corruptions.empty() || round.volume.dropped_records > 0;
}

// True: another round may find more.
async::Task<base::Result<bool>> RunRound(Job* job) {
  Round round{.records = LogRecords({.records_max = job->options.records_max, .findings = nullptr})};
  CO_RETURN_IF_ERROR(co_await Survey(job, &round));
  LogMending mending = MendLogs(round.records, round.state, HasDamage(round), job->changed);
  job->report.dropped_records += round.volume.dropped_records;
  job->report.released_records += mending.volume.to_release.size() - mending.mended_entries;
  job->report.replaced_entries += mending.volume.records.size() - mending.mended_entries;
  round.repair = std::move(mending.volume);
  const mffs::RecordReader reader(job->device, round.volume.recovered.superblock.geometry, mffs::kSurveyDeadline);
  CO_RETURN_IF_ERROR(co_await MendPlacesOf(job, &round, &reader));
  const bool has_mended_snapshots = co_await MendSnapshots(job, &round, &reader);
  const bool has_changed = round.volume.has_changed || !round.repair.records.empty() ||
                           !round.repair.to_release.empty() || has_mended_snapshots;
  if (!has_changed) co_return false;
  job->report.has_changed = true;
  CO_RETURN_IF_ERROR(co_await mffs::WriteRepair(job->device, std::move(round.volume), std::move(round.repair)));
  co_return has_mended_snapshots;
}

async::Task<base::Result<>> MendVolume(Job* job) {
  CO_RETURN_IF_ERROR(co_await mffs::RepairSuperblocks(job->device, job->changed));
  job->report.superblocks = CountOf(*job->changed, "superblock");
  job->report.has_changed = job->report.superblocks > 0;
  bool again = true;
  for (int round = 0; again && round < kRoundsMax; ++round) {
    ASSIGN_OR_CO_RETURN(again, co_await RunRound(job));
  }
  co_return base::Result<>();
}

}  // namespace

async::Task<base::Result<RepairReport>> Repair(mffs::BlockDevice* device, RepairOptions options,
                                               mffs::Findings* changed, mffs::Findings* left) {
  const std::uint64_t records_max = options.records_max;
  Job job{.device = device, .options = std::move(options), .changed = changed, .left = left, .report = {}};
  if (!job.options.index_folder.empty()) {
    ASSIGN_OR_CO_RETURN(job.index, store::SavedIndex::Open(job.options.index_folder));
  }
  CO_RETURN_IF_ERROR(co_await MendVolume(&job));
  MailCheckOptions check{
      .scratch_folder = job.options.scratch_folder, .records_max = records_max, .progress = job.options.progress};
  ASSIGN_OR_CO_RETURN(job.report.check, co_await CheckMail(device, std::move(check), left));
  job.report.will_start = CountOf(*left, "log") == 0;
  co_return std::move(job.report);
}

}  // namespace salvage
