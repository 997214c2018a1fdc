#include "app/commands_user.h"

#include <string_view>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>

#include "app/commands_pages.h"
#include "app/commands_password.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;
using base::Result;

UserSubcommands::UserSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const group = root->add_subcommand("user", "Accounts: add, passwd, remove, list");
  group->require_subcommand(1);
  group->footer("Example:\n  posthorn user add alice@example.test");
  CLI::App* const add = AddCommand(group, "add", "Make an account; asks for its password",
                                   "Examples:\n  posthorn user add alice@example.test\n"
                                   "  posthorn user add alice@example.test --password-stdin < password-file");
  CLI::App* const passwd = AddCommand(group, "passwd", "Set an account's password; asks for it",
                                      "Examples:\n  posthorn user passwd alice@example.test\n"
                                      "  posthorn user passwd alice@example.test --password-stdin < password-file");
  CLI::App* const remove = AddCommand(group, "remove", "Remove an account and all its mail, for ever",
                                      "Examples:\n  posthorn user remove alice@example.test\n"
                                      "  posthorn user remove alice@example.test --yes");
  for (CLI::App* const command : {add, passwd}) {
    command->add_flag("--password-stdin", password_stdin_, "Read the password from the first line of standard input");
  }
  remove->add_flag("--yes", yes_, "Do not ask for a confirmation");
  CLI::App* const list = group->add_subcommand("list", "List all accounts by address");
  list->footer("Examples:\n  posthorn user list\n  posthorn user list --json");
  invocation->SetAction(add, [this] { return Add(); });
  invocation->SetAction(passwd, [this] { return SetPassword(); });
  invocation->SetAction(remove, [this] { return Remove(); });
  invocation->SetAction(list, [this] { return List(); });
}

CLI::App* UserSubcommands::AddCommand(CLI::App* group, const char* name, const char* description, const char* footer) {
  CLI::App* const command = group->add_subcommand(name, description);
  command->add_option("ADDRESS", address_, "The account: name@domain")->required()->type_name("");
  command->footer(footer);
  return command;
}

int UserSubcommands::Add() {
  const auto account = CallWithPassword("user.add");
  if (!account) return invocation_->Fail(account.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*account);
  invocation_->out() << "added " << TextOf(*account, "address") << '\n';
  return kExitOk;
}

int UserSubcommands::SetPassword() {
  const auto account = CallWithPassword("user.passwd");
  if (!account) return invocation_->Fail(account.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*account);
  invocation_->out() << "the password of " << TextOf(*account, "address") << " is set\n";
  return kExitOk;
}

int UserSubcommands::Remove() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  if (!yes_) {
    const auto confirmed = AskToConfirm("Remove " + Printable(address_) + " and all its mail?");
    if (!confirmed) return invocation_->Fail(confirmed.error());
  }
  const auto removed = node->Call("user.remove", {{"address", address_}});
  if (!removed) return invocation_->Fail(removed.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*removed);
  invocation_->out() << "removed " << TextOf(*removed, "address") << '\n';
  return kExitOk;
}

int UserSubcommands::List() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  TextTable table({{"ADDRESS"}, {"MAILS", TextTable::Align::kRight}, {"SIZE", TextTable::Align::kRight}, {"SCRAM"}});
  const auto listed = ForEachRow(
      &*node, {.command = "user.list", .rows = "accounts", .page_size = 1000}, [&](const json::object& account) {
        if (invocation_->is_json()) {
          invocation_->PrintJson(account);
          return;
        }
        table.AddRow({TextOf(account, "address"), std::to_string(NumberOf(account, "mails")),
                      ReadableBytes(NumberOf(account, "bytes")), FlagOf(account, "scram") ? "yes" : "no"});
      });
  if (!listed) return invocation_->Fail(listed.error());
  if (invocation_->is_json()) return kExitOk;
  invocation_->out() << (table.size() == 0 ? "there is no account yet; `posthorn user add` makes one\n"
                                           : table.ToString());
  return kExitOk;
}

Result<std::string> UserSubcommands::Password() const {
  if (password_stdin_) return ReadPasswordLine(invocation_->terminal().in);
  return AskForPassword(Printable(address_));
}

// Connects first, so that nobody types a password for a node that is not there.
Result<json::object> UserSubcommands::CallWithPassword(const char* command) const {
  ASSIGN_OR_RETURN(auto node, invocation_->ConnectToNode());
  ASSIGN_OR_RETURN(const std::string password, Password());
  return node.Call(command, {{"address", address_}, {"password", password}});
}

}  // namespace app
