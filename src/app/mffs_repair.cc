#include "app/mffs_repair.h"

#include <ctime>
#include <fstream>
#include <memory>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "app/commands_text.h"
#include "app/mffs_findings.h"
#include "app/mffs_image.h"
#include "app/progress_bar.h"
#include "app/scratch_folder.h"
#include "base/clock.h"
#include "mffs/open_device.h"
#include "mffs/segment_survey.h"
#include "mffs/undo_file.h"
#include "salvage/repair.h"

namespace app {

namespace json = boost::json;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

// What a run knows at its end.
struct Outcome {
  salvage::RepairReport report;
  std::size_t sectors = 0;
  bool is_written = false;
};

struct Job {
  const MffsRepairOptions* options;
  std::string keep;
  salvage::RepairOptions with;
  mffs::Findings changed;
  mffs::Findings left;
};

// Nothing reaches the device before all is known, and what is there is in the undo file.
Task<Result<Outcome>> Run(mffs::BlockDevice* device, Job* job) {
  mffs::OverlayDevice overlay(co_await asio::this_coro::executor, device);
  Outcome outcome;
  ASSIGN_OR_CO_RETURN(outcome.report, co_await salvage::Repair(&overlay, job->with, &job->changed, &job->left));
  outcome.sectors = overlay.sectors().size();
  if (!job->options->write || !outcome.report.will_start || overlay.writes().empty()) co_return outcome;
  const mffs::Undo undo = co_await mffs::TakeUndo(&overlay, device, mffs::kSurveyDeadline);
  CO_RETURN_IF_ERROR(mffs::StoreUndo(undo, job->keep));
  CO_RETURN_IF_ERROR(co_await mffs::ApplyWrites(&overlay, device, mffs::kSurveyDeadline));
  outcome.is_written = true;
  co_return outcome;
}

Task<Result<std::size_t>> PutBack(mffs::BlockDevice* device, const mffs::Undo* undo) {
  CO_RETURN_IF_ERROR(co_await mffs::ApplyUndo(undo, device, mffs::kSurveyDeadline));
  co_return undo->sectors.size();
}

// Like WithImage, for writing.
template <class T, class F>
Result<T> WithVolume(const std::string& path, F make) {
  const QuietLog quiet;
  async::Shard shard("mffs");
  auto device = mffs::OpenDevice(shard.executor(), path, {});
  if (!device.has_value()) return ExplainBusy(std::move(device).error(), path);
  return async::RunToEnd<T>(&shard, make(device->get()));
}

int ExitCodeOf(const Job& job, const Outcome& outcome) {
  if (!outcome.report.will_start) return kExitNotRepairable;
  const bool is_lost = job.left.count(mffs::Severity::kDamage) > 0 || job.changed.count(mffs::Severity::kDamage) > 0;
  if (is_lost) return kExitMailIsLost;
  return outcome.report.has_changed && !outcome.is_written ? kExitWouldRepair : kExitOk;
}

json::object ToJson(const Job& job, const Outcome& outcome) {
  json::object out;
  out["path"] = admin::JsonText(job.options->path);
  out["changed"] = outcome.report.has_changed;
  out["written"] = outcome.is_written;
  out["will_start"] = outcome.report.will_start;
  out["sectors"] = outcome.sectors;
  if (outcome.is_written) out["undo_file"] = admin::JsonText(job.keep);
  out["superblocks"] = outcome.report.superblocks;
  out["dropped_records"] = outcome.report.dropped_records;
  out["released_records"] = outcome.report.released_records;
  out["replaced_entries"] = outcome.report.replaced_entries;
  out["mails_in_mailboxes"] = outcome.report.check.mails_in_mailboxes;
  out["mails_in_queue"] = outcome.report.check.mails_in_queue;
  out["mails_damaged"] = outcome.report.check.mails_damaged;
  out["repairs"] = FindingsToJson(job.changed);
  out["left"] = FindingsToJson(job.left);
  return out;
}

// What to do is what docs/cli.md says of exit code 4.
std::string NotRepairable(const Job& job) {
  std::string text = "NOT REPAIRABLE: a node would not start even then, so nothing was written. ";
  if (job.with.index_folder.empty()) {
    text +=
        "If the index folder of the node is there (`index` in its data_folder), try `--index FOLDER` first: it has "
        "what the snapshots of mailboxes have lost. Else s";
  } else {
    text += "The index folder is no help. S";
  }
  text += fmt::format(
      "ave the mail with `posthorn mffs rescue {} DIRECTORY`, format a new volume, make the accounts again and put the "
      "mails back from DIRECTORY",
      job.options->path);
  return text;
}

std::string Verdict(const Job& job, const Outcome& outcome, int exit_code) {
  if (exit_code == kExitNotRepairable) {
    return NotRepairable(job);
  }
  if (!outcome.report.has_changed) {
    return exit_code == kExitOk ? "there is nothing to repair"
                                : "a node starts on it as it is, but MAIL IS HARMED: see above";
  }
  std::string text = outcome.is_written
                         ? fmt::format("repaired: {} sectors written; `posthorn mffs repair {} --undo {}` undoes it",
                                       outcome.sectors, job.options->path, job.keep)
                         : fmt::format("nothing was written; with --write {} sectors would be", outcome.sectors);
  if (exit_code == kExitMailIsLost) {
    text += "; SOME MAIL IS LOST: before a node is started, save what is left of it with `posthorn mffs rescue`";
  }
  return text;
}

void Print(const Invocation& invocation, const Job& job, const Outcome& outcome, int exit_code) {
  PrintFindings(invocation, job.changed, true);
  PrintFindings(invocation, job.left, false);
  const salvage::RepairReport& report = outcome.report;
  invocation.out() << fmt::format(
      "volume  {} superblock copies anew, {} records without a trace no longer counted\n"
      "log     {} damaged entries taken out, {} lost ones replaced by empty ones\n"
      "mails   {} in mailboxes, {} in the queue, {} of them harmed\n"
      "result  {}\n",
      report.superblocks, report.dropped_records, report.released_records, report.replaced_entries,
      report.check.mails_in_mailboxes, report.check.mails_in_queue, report.check.mails_damaged,
      Verdict(job, outcome, exit_code));
}

// Beside the undo file; that it cannot be written harms nobody.
void StoreReport(const Invocation& invocation, const Job& job, const Outcome& outcome) {
  const std::string path = job.keep + ".json";
  std::ofstream file(path, std::ios::trunc);
  file << json::serialize(ToJson(job, outcome)) << '\n';
  file.close();
  if (!file) invocation.Fail(Error(Errc::kIo, "the report " + path + " could not be written"));
}

int Undo(const Invocation& invocation, const MffsRepairOptions& options) {
  const auto undo = mffs::LoadUndo(options.undo);
  if (!undo.has_value()) {
    invocation.Fail(undo.error());
    return kExitUsage;
  }
  const auto put_back =
      WithVolume<std::size_t>(options.path, [&](mffs::BlockDevice* device) { return PutBack(device, &*undo); });
  if (!put_back.has_value()) return invocation.Fail(put_back.error());
  if (invocation.is_json()) return invocation.PrintJson({{"sectors", *put_back}});
  invocation.out() << fmt::format("{} sectors are as they were before the repair\n", *put_back);
  return kExitOk;
}

}  // namespace

int MffsRepair(const Invocation& invocation, const MffsRepairOptions& options) {
  if (!options.undo.empty()) return Undo(invocation, options);
  const base::SystemClock clock;
  const ScratchFolder scratch(options.scratch);
  ProgressBar bar(invocation.terminal().err, StyleFor(invocation.terminal().err, false), &clock);
  Job job{.options = &options, .keep = options.keep, .with = {}, .changed = mffs::Findings(), .left = mffs::Findings()};
  if (job.keep.empty()) job.keep = fmt::format("{}.undo-{}", options.path, std::time(nullptr));
  job.with = {
      .scratch_folder = scratch.path(), .index_folder = options.index_folder, .records_max = options.records_max};
  job.with.progress = [&bar](std::string_view step, std::uint64_t done, std::uint64_t total) {
    const bool is_bytes = step == "survey" || step == "blocks";
    bar.Update(step, is_bytes ? ProgressUnit::kBytes : ProgressUnit::kThings, done, total);
  };
  const auto run = [&job](mffs::BlockDevice* device) { return Run(device, &job); };
  auto outcome = options.write ? WithVolume<Outcome>(options.path, run) : WithImage<Outcome>(options.path, run);
  bar.Finish();
  if (!outcome.has_value()) {
    invocation.Fail(std::move(outcome).error().In("cannot repair"));
    return kExitUsage;
  }
  job.changed.Sort();
  job.left.Sort();
  const int exit_code = ExitCodeOf(job, *outcome);
  if (outcome->is_written) StoreReport(invocation, job, *outcome);
  if (invocation.is_json()) {
    invocation.PrintJson(ToJson(job, *outcome));
  } else {
    Print(invocation, job, *outcome, exit_code);
  }
  return exit_code;
}

void AddMffsRepair(CLI::App* group, Invocation* invocation, MffsRepairOptions* options) {
  CLI::App* const repair = group->add_subcommand(
      "repair", "Make a node start on a damaged volume; says what it would do, and does it with --write");
  repair->add_option("PATH", options->path, "File or block device; work on a copy if you can")
      ->required()
      ->type_name("");
  CLI::Option* const write = repair->add_flag("--write", options->write, "Do it");
  CLI::Option* const keep =
      repair->add_option("--keep", options->keep, "Where to keep what is changed (default PATH.undo-TIME)")
          ->type_name("FILE");
  repair->add_option("--undo", options->undo, "Put back what a repair has kept")
      ->type_name("FILE")
      ->excludes(write)
      ->excludes(keep);
  repair
      ->add_option("--index", options->index_folder,
                   "The node's index folder: what snapshots of mailboxes have lost is taken from it (only read)")
      ->type_name("FOLDER");
  repair->add_option("--scratch", options->scratch, "Folder for a temporary index (default $TMPDIR or /tmp)")
      ->type_name("FOLDER");
  repair->add_option("--records-max", options->records_max, "Log records to hold in memory, 88 bytes each")
      ->type_name("COUNT")
      ->capture_default_str();
  repair->footer(
      "Exit codes: 0 nothing to do, or done, 1 the same, but mail is lost (listed), 2 could not begin or go on,\n"
      "3 without --write: something is to be done, no mail is lost, 4 a node would not start even then.\n"
      "Examples:\n  posthorn mffs repair /var/lib/posthorn/volume.mffs\n"
      "  posthorn mffs repair /var/lib/posthorn/volume.mffs --write --keep /mnt/usb/undo\n"
      "  posthorn mffs repair /var/lib/posthorn/volume.mffs --index /var/lib/posthorn/index\n"
      "  posthorn mffs repair /var/lib/posthorn/volume.mffs --undo /mnt/usb/undo");
  invocation->SetAction(repair, [invocation, options] { return MffsRepair(*invocation, *options); });
}

}  // namespace app
