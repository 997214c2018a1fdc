#include "app/commands_queue_change.h"

#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_password.h"
#include "app/commands_text.h"
#include "app/progress_bar.h"
#include "base/clock.h"

namespace app {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::string_view kFlush = "flush";
constexpr std::string_view kRemove = "remove";

std::string MailCount(std::uint64_t count) {
  return fmt::format("{} mail{}", count, count == 1 ? "" : "s");
}

}  // namespace

QueueChangeSubcommands::QueueChangeSubcommands(CLI::App* group, Invocation* invocation, QueueCriteria* criteria)
    : invocation_(invocation), criteria_(criteria) {
  static constexpr Control kControls[] = {
      {"hold", "queue.hold", "Stop delivering mails until they are released", "held", "--sender @bulk.test"},
      {"release", "queue.release", "Deliver the held recipients of mails now", "released", "--older-than 2h"},
      {"requeue", "queue.requeue", "Try the waiting recipients of mails now", "requeued", "--destination x.test"},
      {"flush", "queue.requeue", "Try all waiting mail now, or all that matches", "requeued", "--destination x.test"},
      {"remove", "queue.remove", "Remove mails, undelivered, for ever", "removed",
       "--recipient nobody@x.test --dry-run"},
  };
  for (const Control& control : kControls) Add(group, control);
}

void QueueChangeSubcommands::Add(CLI::App* group, const Control& control) {
  CLI::App* const command = group->add_subcommand(control.name, control.description);
  std::string examples = fmt::format("  posthorn queue {} {}", control.name, control.example);
  if (control.name == kFlush) {
    examples = "  posthorn queue flush\n" + examples;
  } else {
    command->add_option("ID", ids_, "The mails' ids: the first column of `posthorn queue list`")->type_name("");
    command->add_flag("--all", all_, "Every mail in the queue");
    examples = fmt::format("  posthorn queue {} 80000001-2a\n{}", control.name, examples);
  }
  criteria_->AddTo(command);
  command->add_flag("--dry-run", dry_run_, "Only tell how many mails it would change");
  command->add_flag("--quiet", quiet_, "Show no progress");
  if (control.name == kRemove) {
    command->add_flag("--whole-mail", whole_mail_,
                      "Remove also mails that other recipients, who do not match, wait for");
    command->add_flag("--yes", yes_, "Do not ask for a confirmation");
  }
  command->footer("Examples:\n" + examples);
  invocation_->SetAction(command, [this, control] { return Change(control); });
}

int QueueChangeSubcommands::Change(const Control& control) {
  const bool has_criteria = !criteria_->IsEmpty();
  const int ways = (ids_.empty() ? 0 : 1) + (has_criteria ? 1 : 0) + (all_ ? 1 : 0);
  if (control.name == kFlush && ways == 0) all_ = true;
  if (ways > 1 || (ways == 0 && !all_)) {
    *invocation_->terminal().err << "posthorn: say which mails: by ID, by options such as --destination, or with --all;"
                                    " one of these ways; --help tells more\n";
    return kExitUsage;
  }
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  return ids_.empty() ? ChangeMatching(control, &*node) : ChangeNamed(control, &*node);
}

int QueueChangeSubcommands::ChangeNamed(const Control& control, admin::ControlClient* node) {
  if (control.name == kRemove && !yes_ && !dry_run_) {
    const std::string what = ids_.size() == 1 ? "the mail " + Printable(ids_.front()) : MailCount(ids_.size());
    const auto confirmed = AskToConfirm("Remove " + what + " without delivering it?");
    if (!confirmed) return invocation_->Fail(confirmed.error());
  }
  int code = kExitOk;
  for (const std::string& id : ids_) {
    const auto changed = node->Call(dry_run_ ? "queue.show" : control.command, {{"id", id}});
    if (!changed) {
      code = invocation_->Fail(changed.error());
    } else if (invocation_->is_json()) {
      invocation_->PrintJson(*changed);
    } else {
      const std::string done = dry_run_ ? fmt::format("would {}", control.name) : control.done;
      invocation_->out() << done << ' ' << Printable(TextOf(*changed, "id")) << '\n';
    }
  }
  return code;
}

int QueueChangeSubcommands::ChangeMatching(const Control& control, admin::ControlClient* node) {
  if (control.name == kRemove && !yes_ && !dry_run_) {
    const auto confirmed = Confirm(control, node);
    if (!confirmed) return invocation_->Fail(confirmed.error());
  }
  const auto changed = ChangeInSteps(control, node, dry_run_);
  if (!changed) return invocation_->Fail(changed.error());
  if (invocation_->is_json()) {
    return invocation_->PrintJson({{"changed", changed->mails},
                                   {"left", changed->left},
                                   {"with_others", changed->with_others},
                                   {"pauses_ended", changed->pauses_ended},
                                   {"dry_run", dry_run_}});
  }
  Report(control, *changed);
  return kExitOk;
}

Result<QueueChangeSubcommands::Changed> QueueChangeSubcommands::ChangeInSteps(const Control& control,
                                                                              admin::ControlClient* node,
                                                                              bool dry_run) {
  const base::SystemClock clock;
  ProgressBar progress(invocation_->terminal().err, StyleFor(invocation_->terminal().err, quiet_), &clock);
  ASSIGN_OR_RETURN(const json::object status, node->Call("status", {}));
  const std::uint64_t total = NumberOf(ObjectOf(status, "queue"), "mails");
  json::object arguments = criteria_->ToArguments();
  if (arguments.empty()) arguments["all"] = true;
  if (dry_run) arguments["dry_run"] = true;
  if (whole_mail_) arguments["whole_mail"] = true;
  Changed changed;
  std::uint64_t examined = 0;
  for (;;) {
    auto step = node->Call(control.command, arguments);
    if (!step) {
      return Error(step.error().code(),
                   fmt::format("{} {}, then: {}", control.done, MailCount(changed.mails), step.error().message()));
    }
    changed.mails += NumberOf(*step, "changed");
    changed.left += NumberOf(*step, "left");
    changed.with_others += NumberOf(*step, "with_others");
    changed.pauses_ended += NumberOf(*step, "pauses_ended");
    examined += NumberOf(*step, "examined");
    progress.Update("mails examined", ProgressUnit::kThings, examined, total);
    const std::string next = TextOf(*step, "next");
    if (next.empty()) return changed;
    arguments["after"] = next;
  }
}

Result<> QueueChangeSubcommands::Confirm(const Control& control, admin::ControlClient* node) {
  ASSIGN_OR_RETURN(const Changed would, ChangeInSteps(control, node, true));
  if (would.mails == 0) return {};
  return AskToConfirm(
      fmt::format("Remove {} without delivering {}?", MailCount(would.mails), would.mails == 1 ? "it" : "them"));
}

void QueueChangeSubcommands::Report(const Control& control, const Changed& changed) {
  std::ostream& out = invocation_->out();
  if (dry_run_) {
    out << fmt::format("would {} {}\n", control.name, MailCount(changed.mails));
  } else {
    out << fmt::format("{} {}\n", control.done, MailCount(changed.mails));
  }
  if (changed.with_others > 0) {
    out << fmt::format("{} of these with recipients that do not match\n", changed.with_others);
  }
  if (changed.pauses_ended > 0) {
    out << fmt::format("{} the pause of {} destination{}\n", dry_run_ ? "would end" : "ended", changed.pauses_ended,
                       changed.pauses_ended == 1 ? "" : "s");
  }
  if (changed.left > 0) {
    out << fmt::format("left {}, which other recipients wait for too; --whole-mail takes {}\n", MailCount(changed.left),
                       changed.left == 1 ? "it" : "them");
  }
}

}  // namespace app
