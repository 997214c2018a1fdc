#include "app/mffs_tools.h"

#include <chrono>
#include <memory>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "app/commands_text.h"
#include "app/mffs_findings.h"
#include "app/mffs_image.h"
#include "app/progress_bar.h"
#include "app/scratch_folder.h"
#include "base/clock.h"
#include "salvage/check.h"
#include "salvage/rescue.h"

namespace app {

namespace json = boost::json;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

ProgressUnit UnitOf(std::string_view step) {
  return step == "blocks" || step == "segments" ? ProgressUnit::kBytes : ProgressUnit::kThings;
}

// ---- check ----

int ExitCodeOf(const mffs::Findings& findings) {
  if (findings.count(mffs::Severity::kDamage) > 0) return kExitDamage;
  return findings.count(mffs::Severity::kWarning) > 0 ? kExitWarnings : kExitOk;
}

std::string_view ResultWord(int exit_code) {
  if (exit_code == kExitOk) return "clean";
  return exit_code == kExitDamage ? "damaged" : "warnings";
}

json::object ToJson(const salvage::MailCheck& check, const mffs::Findings& findings) {
  json::object out{{"result", ResultWord(ExitCodeOf(findings))}};
  out["segments"] = check.volume.segments_checked;
  out["blocks"] = check.volume.blocks;
  out["records"] = check.volume.records;
  out["live_records"] = check.volume.live_records;
  out["live_bytes"] = check.volume.live_bytes;
  out["lost_records"] = check.volume.lost_records;
  out["bytes"] = check.volume.bytes;
  out["log_entries"] = check.log_entries;
  out["mails_in_mailboxes"] = check.mails_in_mailboxes;
  out["mails_in_queue"] = check.mails_in_queue;
  out["mails_damaged"] = check.mails_damaged;
  out["findings"] = FindingsToJson(findings);
  return out;
}

std::string Verdict(const salvage::MailCheck& check, const mffs::Findings& findings) {
  switch (ExitCodeOf(findings)) {
    case kExitOk:
      return "clean: every mail is whole";
    case kExitWarnings:
      return "every mail is whole, but something needs attention: see the warnings";
    default:
      return fmt::format("DAMAGED: {} of the {} mails that are still known are harmed; see the sentences above",
                         check.mails_damaged, check.mails_in_mailboxes + check.mails_in_queue);
  }
}

void PrintCheck(const Invocation& invocation, const salvage::MailCheck& check, const mffs::Findings& findings,
                std::chrono::milliseconds took) {
  const double seconds = std::max(static_cast<double>(took.count()) / 1000, 0.001);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(check.volume.bytes) / seconds);
  invocation.out() << fmt::format(
      "volume  {} in {} blocks of {} segments read and verified, {}/s\n"
      "live    {} in {} records\n"
      "mails   {} in mailboxes, {} in the queue; {} log entries replayed\n"
      "result  {}\n",
      ReadableBytes(check.volume.bytes), check.volume.blocks, check.volume.segments_checked, ReadableBytes(rate),
      ReadableBytes(check.volume.live_bytes), check.volume.live_records, check.mails_in_mailboxes, check.mails_in_queue,
      check.log_entries, Verdict(check, findings));
}

// ---- rescue ----

json::object ToJson(const salvage::RescueReport& report, const mffs::Findings& findings) {
  json::object out{{"all_whole", report.AllWhole(findings)}};
  out["from_mailboxes"] = report.from_mailboxes;
  out["from_queue"] = report.from_queue;
  out["unplaced"] = report.unplaced;
  out["damaged"] = report.damaged;
  out["deleted"] = report.deleted;
  out["deleted_left_out"] = report.deleted_left_out;
  out["already_there"] = report.already_there;
  out["bytes"] = report.bytes;
  out["segments_used"] = report.scan.segments_used;
  out["segments_missing"] = report.scan.segments_missing;
  json::array notes;
  for (const std::string& note : report.notes) notes.emplace_back(admin::JsonText(note));
  out["notes"] = std::move(notes);
  out["findings"] = FindingsToJson(findings);
  return out;
}

void PrintRescue(const Invocation& invocation, const salvage::RescueReport& report, const mffs::Findings& findings,
                 const std::string& directory) {
  for (const std::string& note : report.notes) invocation.out() << "note: " << Printable(note) << '\n';
  PrintFindings(invocation, findings, true);
  invocation.out() << fmt::format(
      "mails   {} from mailboxes, {} from the queue, {} whose place is not known\n"
      "damaged {} (.partial.eml; the .json beside it says what is missing)\n"
      "deleted {} written, {} left out\n"
      "result  {} in {}{}\n",
      report.from_mailboxes, report.from_queue, report.unplaced, report.damaged, report.deleted,
      report.deleted_left_out, ReadableBytes(report.bytes), directory,
      report.AllWhole(findings) ? "; every mail is whole" : "; SOME MAIL IS DAMAGED OR MISSING");
}

}  // namespace

int MffsCheck(const Invocation& invocation, const MffsCheckOptions& options) {
  const base::SystemClock clock;
  const base::SteadyTime began = clock.SteadyNow();
  const ScratchFolder scratch(options.scratch);
  mffs::Findings findings;
  ProgressBar bar(invocation.terminal().err, StyleFor(invocation.terminal().err, options.is_quiet), &clock);
  auto check = WithImage<salvage::MailCheck>(options.path, [&](mffs::BlockDevice* device) {
    salvage::MailCheckOptions with{.scratch_folder = scratch.path(), .records_max = options.records_max};
    with.progress = [&bar](std::string_view step, std::uint64_t done, std::uint64_t total) {
      bar.Update(step, UnitOf(step), done, total);
    };
    return salvage::CheckMail(device, std::move(with), &findings);
  });
  bar.Finish();
  if (!check.has_value()) {
    invocation.Fail(std::move(check).error().In("cannot check"));
    return kExitNotChecked;
  }
  findings.Sort();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.SteadyNow() - began);
  if (invocation.is_json()) {
    json::object out = ToJson(*check, findings);
    out["path"] = admin::JsonText(options.path);
    out["took_milliseconds"] = took.count();
    invocation.PrintJson(out);
  } else {
    PrintFindings(invocation, findings, !options.is_quiet);
    if (!options.is_quiet) PrintCheck(invocation, *check, findings, took);
  }
  return ExitCodeOf(findings);
}

int MffsRescue(const Invocation& invocation, const MffsRescueOptions& options) {
  const base::SystemClock clock;
  mffs::Findings findings;
  bool has_begun = false;
  ProgressBar bar(invocation.terminal().err, StyleFor(invocation.terminal().err, false), &clock);
  auto report = WithImage<salvage::RescueReport>(options.path, [&](mffs::BlockDevice* device) {
    salvage::RescueOptions with{.directory = options.directory,
                                .go_on = options.go_on,
                                .with_deleted = options.with_deleted,
                                .records_max = options.records_max};
    with.progress = [&bar](std::string_view step, std::uint64_t done, std::uint64_t total) {
      bar.Update(step, UnitOf(step), done, total);
    };
    return salvage::Rescue(device, std::move(with), &findings, &has_begun);
  });
  bar.Finish();
  if (!report.has_value()) {
    invocation.Fail(std::move(report).error().In(has_begun ? "the rescue is not complete" : "cannot rescue"));
    return has_begun ? kExitFailed : kExitNotRescued;
  }
  if (invocation.is_json()) {
    json::object out = ToJson(*report, findings);
    out["path"] = admin::JsonText(options.path);
    out["directory"] = admin::JsonText(options.directory);
    invocation.PrintJson(out);
  } else {
    PrintRescue(invocation, *report, findings, options.directory);
  }
  return report->AllWhole(findings) ? kExitOk : kExitFailed;
}

MffsToolSubcommands::MffsToolSubcommands(CLI::App* group, Invocation* invocation) {
  AddCheck(group, invocation);
  AddRescue(group, invocation);
}

void MffsToolSubcommands::AddCheck(CLI::App* group, Invocation* invocation) {
  CLI::App* const check =
      group->add_subcommand("check", "Read and verify every sector, log entry and mail of a volume; writes nothing");
  check->add_option("PATH", check_.path, "File or block device")->required()->type_name("");
  check->add_flag("--quiet", check_.is_quiet, "No progress and no summary: only damage and warnings");
  check->add_option("--scratch", check_.scratch, "Folder for a temporary index (default $TMPDIR or /tmp)")
      ->type_name("FOLDER");
  check->add_option("--records-max", check_.records_max, "Log records to hold in memory, 88 bytes each")
      ->type_name("COUNT")
      ->capture_default_str();
  check->footer(
      "Exit codes: 0 clean, 1 mail is damaged, 2 could not be checked, 3 warnings only (no mail is affected).\n"
      "Examples:\n  posthorn mffs check /var/lib/posthorn/volume.mffs\n"
      "  posthorn mffs check /dev/sdb --json --quiet");
  invocation->SetAction(check, [this, invocation] { return MffsCheck(*invocation, check_); });
}

void MffsToolSubcommands::AddRescue(CLI::App* group, Invocation* invocation) {
  CLI::App* const rescue = group->add_subcommand(
      "rescue", "Write every mail that can be read as a file, from any image however damaged; never writes to it");
  rescue->add_option("PATH", rescue_.path, "File or block device, or a copy of one")->required()->type_name("");
  rescue->add_option("DIRECTORY", rescue_.directory, "Folder for the mails, made when it is missing; must be empty")
      ->required()
      ->type_name("");
  rescue->add_flag("--continue", rescue_.go_on, "Go on with a rescue into DIRECTORY that was cut short");
  rescue->add_flag("--deleted", rescue_.with_deleted,
                   "Also write deleted and delivered mail that is still on the disk");
  rescue->add_option("--records-max", rescue_.records_max, "Log records to hold in memory, 88 bytes each")
      ->type_name("COUNT")
      ->capture_default_str();
  rescue->footer(
      "Exit codes: 0 every mail is whole, 1 some mail is damaged or not all was written, 2 could not begin.\n"
      "Examples:\n  posthorn mffs rescue /var/lib/posthorn/volume.mffs /mnt/rescued\n"
      "  posthorn mffs rescue /dev/sdb /mnt/rescued --continue");
  invocation->SetAction(rescue, [this, invocation] { return MffsRescue(*invocation, rescue_); });
}

}  // namespace app
