#include "app/commands_queue.h"

#include <chrono>
#include <string_view>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_password.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;

namespace {

// "3 waiting, 1 held": the states that some recipient is in.
std::string StatesOf(const json::object& mail) {
  std::string out;
  for (const std::string_view state : {"waiting", "claimed", "held", "delivered"}) {
    const std::uint64_t count = NumberOf(mail, state);
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, state);
  }
  return out;
}

std::string AgeOf(const json::object& mail) {
  return ReadableDuration(std::chrono::seconds(static_cast<std::int64_t>(NumberOf(mail, "age_seconds"))));
}

std::string SenderOf(const json::object& mail) {
  return "<" + TextOf(mail, "sender") + ">";
}

TextTable RecipientTable(const json::object& mail) {
  TextTable table(
      {{"RECIPIENT"}, {"STATE"}, {"ATTEMPTS", TextTable::Align::kRight}, {"NEXT ATTEMPT"}, {"LAST ANSWER"}});
  const json::value* const recipients = mail.if_contains("recipients");
  if (recipients == nullptr || !recipients->is_array()) return table;
  for (const json::value& row : recipients->get_array()) {
    if (!row.is_object()) continue;
    const json::object& recipient = row.get_object();
    table.AddRow({TextOf(recipient, "address"), TextOf(recipient, "state"),
                  std::to_string(NumberOf(recipient, "attempts")), TextOf(recipient, "next_attempt"),
                  TextOf(recipient, "last_answer")});
  }
  return table;
}

}  // namespace

QueueSubcommands::QueueSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  static constexpr Control kHold{"hold", "queue.hold", "Stop delivering a mail until it is released", "held"};
  static constexpr Control kRelease{"release", "queue.release", "Deliver the held recipients of a mail now",
                                    "released"};
  static constexpr Control kRequeue{"requeue", "queue.requeue", "Try the waiting recipients of a mail now", "requeued"};
  static constexpr Control kRemove{"remove", "queue.remove", "Remove a mail, undelivered, for ever", "removed"};
  CLI::App* const group =
      root->add_subcommand("queue", "Mail that is not yet delivered: list, show, hold, release, ...");
  group->require_subcommand(1);
  group->footer("Examples:\n  posthorn queue list\n  posthorn queue show 80000001-2a");
  CLI::App* const list = group->add_subcommand("list", "List the mails in the queue");
  list->footer("Examples:\n  posthorn queue list\n  posthorn queue list --json");
  invocation->SetAction(list, [this] { return List(); });
  CLI::App* const show = AddCommand(group, "show", "Show one mail of the queue with all its recipients");
  invocation->SetAction(show, [this] { return Show(); });
  for (const Control* const control : {&kHold, &kRelease, &kRequeue}) AddControl(group, *control);
  AddControl(group, kRemove)->add_flag("--yes", yes_, "Do not ask for a confirmation");
}

CLI::App* QueueSubcommands::AddCommand(CLI::App* group, const char* name, const char* description) {
  CLI::App* const command = group->add_subcommand(name, description);
  command->add_option("ID", id_, "The mail's id: the first column of `posthorn queue list`")->required()->type_name("");
  command->footer(fmt::format("Example:\n  posthorn queue {} 80000001-2a", name));
  return command;
}

CLI::App* QueueSubcommands::AddControl(CLI::App* group, const Control& control) {
  CLI::App* const command = AddCommand(group, control.name, control.description);
  invocation_->SetAction(command, [this, control] { return Change(control); });
  return command;
}

int QueueSubcommands::List() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  TextTable table({{"ID"},
                   {"CLASS"},
                   {"AGE", TextTable::Align::kRight},
                   {"SIZE", TextTable::Align::kRight},
                   {"SENDER"},
                   {"RECIPIENTS"},
                   {"LAST ANSWER"}});
  const auto listed =
      ForEachRow(&*node, {.command = "queue.list", .rows = "mails", .page_size = 200}, [&](const json::object& mail) {
        if (invocation_->is_json()) {
          invocation_->PrintJson(mail);
          return;
        }
        table.AddRow({TextOf(mail, "id"), TextOf(mail, "class"), AgeOf(mail), ReadableBytes(NumberOf(mail, "bytes")),
                      SenderOf(mail), StatesOf(mail), TextOf(mail, "last_answer")});
      });
  if (!listed) return invocation_->Fail(listed.error());
  if (invocation_->is_json()) return kExitOk;
  invocation_->out() << (table.size() == 0 ? "the queue is empty\n" : table.ToString());
  return kExitOk;
}

int QueueSubcommands::Show() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  const auto mail = node->Call("queue.show", {{"id", id_}});
  if (!mail) return invocation_->Fail(mail.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*mail);
  const std::pair<const char*, std::string> lines[] = {
      {"id", TextOf(*mail, "id")},
      {"mail id", TextOf(*mail, "mail_id")},
      {"class", TextOf(*mail, "class")},
      {"sender", SenderOf(*mail)},
      {"queued", TextOf(*mail, "queued_at") + " (" + AgeOf(*mail) + " ago)"},
      {"size", ReadableBytes(NumberOf(*mail, "bytes"))},
      {"received", fmt::format("{} from {} ({}) with {}", TextOf(*mail, "received_at"), TextOf(*mail, "client_ip"),
                               TextOf(*mail, "helo"), TextOf(*mail, "protocol"))},
      {"account", TextOf(*mail, "account")},
  };
  for (const auto& [name, value] : lines) {
    if (!value.empty()) invocation_->out() << fmt::format("{:<10}{}\n", name, Printable(value));
  }
  invocation_->out() << '\n' << RecipientTable(*mail).ToString();
  return kExitOk;
}

int QueueSubcommands::Change(const Control& control) {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  if (control.command == std::string_view("queue.remove") && !yes_) {
    const auto confirmed = AskToConfirm("Remove the mail " + Printable(id_) + " without delivering it?");
    if (!confirmed) return invocation_->Fail(confirmed.error());
  }
  const auto changed = node->Call(control.command, {{"id", id_}});
  if (!changed) return invocation_->Fail(changed.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*changed);
  invocation_->out() << control.done << ' ' << Printable(TextOf(*changed, "id")) << '\n';
  return kExitOk;
}

}  // namespace app
