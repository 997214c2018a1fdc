#include "app/commands_queue.h"

#include <memory>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_queue_text.h"
#include "app/commands_text.h"
#include "base/base64.h"

namespace app {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kLimitMax = 10'000;

// `bytes` up to the empty line that ends a header, that line left out; nothing: it is not in there.
std::optional<std::string_view> HeaderIn(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return bytes.substr(0, end + 2);
}

}  // namespace

QueueSubcommands::QueueSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const group =
      root->add_subcommand("queue", "Mail that is not yet delivered: list, show, hold, release, ...");
  group->require_subcommand(1);
  group->footer(
      "Examples:\n"
      "  posthorn queue list --by destination\n"
      "  posthorn queue list --destination x.test\n"
      "  posthorn queue show 80000001-2a\n"
      "  posthorn queue flush");
  AddList(group);
  AddShow(group);
  AddCat(group);
  changes_ = std::make_unique<QueueChangeSubcommands>(group, invocation, &criteria_);
}

void QueueSubcommands::AddList(CLI::App* group) {
  CLI::App* const list =
      group->add_subcommand("list", "List the mails in the queue, or count them to see why they wait");
  list->add_option("--by", by_, "Count them by destination, sender or class, and by age, instead of listing them")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"destination", "sender", "class"}));
  list->add_option("--limit", limit_, "At most so many mails (default: all), or rows of --by (default: 100)")
      ->type_name("COUNT")
      ->check(CLI::Range(std::uint32_t{1}, kLimitMax));
  criteria_.AddTo(list);
  list->footer(
      "Examples:\n"
      "  posthorn queue list\n"
      "  posthorn queue list --by destination\n"
      "  posthorn queue list --recipient @x.test --state held --json");
  invocation_->SetAction(list, [this] { return List(); });
}

void QueueSubcommands::AddShow(CLI::App* group) {
  CLI::App* const show = group->add_subcommand("show", "Show one mail of the queue with all its recipients");
  show->add_option("ID", id_, "The mail's id: the first column of `posthorn queue list`")->required()->type_name("");
  show->footer("Example:\n  posthorn queue show 80000001-2a");
  invocation_->SetAction(show, [this] { return Show(); });
}

void QueueSubcommands::AddCat(CLI::App* group) {
  CLI::App* const cat = group->add_subcommand("cat", "Write a mail of the queue to standard output as it is");
  cat->add_option("ID", id_, "The mail's id: the first column of `posthorn queue list`")->required()->type_name("");
  cat->add_flag("--header", header_only_, "Only its header");
  cat->footer("Examples:\n  posthorn queue cat 80000001-2a --header\n  posthorn queue cat 80000001-2a > mail.eml");
  invocation_->SetAction(cat, [this] { return Cat(); });
}

int QueueSubcommands::List() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  return by_.empty() ? ListMails(&*node) : Tally(&*node);
}

int QueueSubcommands::ListMails(admin::ControlClient* node) {
  const std::size_t columns = TerminalColumns(invocation_->out());
  std::uint64_t mails = 0;
  std::uint64_t bytes = 0;
  // Printed as they come: there may be a million.
  const auto print = [&](const json::object& mail) {
    mails += 1;
    bytes += NumberOf(mail, "bytes");
    if (invocation_->is_json()) {
      invocation_->PrintJson(mail);
      return;
    }
    if (mails == 1) invocation_->out() << QueueListHead();
    invocation_->out() << CutLines(QueueListLines(mail), columns);
  };
  const auto listed = ForEachRow(node,
                                 {.command = "queue.list",
                                  .rows = "mails",
                                  .page_size = limit_ > 0 ? std::min(limit_, 200u) : 200,
                                  .arguments = criteria_.ToArguments(),
                                  .rows_max = limit_},
                                 print);
  if (!listed) return invocation_->Fail(listed.error());
  if (invocation_->is_json()) return kExitOk;
  if (mails == 0) {
    invocation_->out() << (criteria_.IsEmpty() ? "the queue is empty\n" : "no mail of the queue matches\n");
  } else {
    invocation_->out() << fmt::format("{} mail{}, {}\n", mails, mails == 1 ? "" : "s", ReadableBytes(bytes));
  }
  return kExitOk;
}

int QueueSubcommands::Tally(admin::ControlClient* node) {
  json::object arguments = criteria_.ToArguments();
  arguments["by"] = by_;
  if (limit_ > 0) arguments["limit"] = limit_;
  const auto tally = node->Call("queue.tally", std::move(arguments));
  if (!tally) return invocation_->Fail(tally.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*tally);
  if (NumberOf(ObjectOf(*tally, "total"), "mails") == 0) {
    invocation_->out() << (criteria_.IsEmpty() ? "the queue is empty\n" : "no mail of the queue matches\n");
    return kExitOk;
  }
  invocation_->out() << CutLines(QueueTallyText(*tally), TerminalColumns(invocation_->out()));
  return kExitOk;
}

int QueueSubcommands::Show() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  const auto mail = node->Call("queue.show", {{"id", id_}});
  if (!mail) return invocation_->Fail(mail.error());
  if (invocation_->is_json()) return invocation_->PrintJson(*mail);
  invocation_->out() << QueuedMailText(*mail);
  return kExitOk;
}

int QueueSubcommands::Cat() {
  auto node = invocation_->ConnectToNode();
  if (!node) return invocation_->Fail(node.error());
  std::string header;
  for (std::uint64_t offset = 0;;) {
    const auto answer = node->Call("queue.cat", {{"id", id_}, {"offset", offset}});
    if (!answer) return invocation_->Fail(answer.error());
    const auto piece = base::DecodeBase64(TextOf(*answer, "base64"));
    if (!piece) return invocation_->Fail(piece.error());
    offset += piece->size();
    if (!header_only_) {
      invocation_->out() << *piece;
    } else {
      header += *piece;
      const auto found = HeaderIn(header);
      if (found.has_value() || piece->empty()) {
        invocation_->out() << found.value_or(header);
        return kExitOk;
      }
    }
    if (piece->empty()) return kExitOk;
  }
}

}  // namespace app
