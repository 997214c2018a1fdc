#include "admin/mailbox_commands.h"

#include <functional>
#include <utility>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "admin/mailbox_json.h"
#include "base/base64.h"
#include "mail/address.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kAddressBytesMax = 1024;
constexpr std::size_t kNameBytesMax = 4096;  // The store has the real limit.
constexpr std::uint32_t kPageDefault = 500;
constexpr std::uint32_t kPageMax = 1000;
constexpr std::uint32_t kReadBytesMax = 256u << 10;
constexpr std::size_t kOriginsMax = 2000;

}  // namespace

void MailboxCommands::AddTo(CommandTable* table) {
  table->Add("mailbox.list", {.effect = Effect::kReads,
                              .arguments = {"address", "after", "limit"},
                              .handler = std::bind_front(&MailboxCommands::List, this)});
  table->Add("mailbox.prepare", {.effect = Effect::kChanges,
                                 .arguments = {"address", "mailbox", "uid_validity", "uid_next", "subscribed"},
                                 .handler = std::bind_front(&MailboxCommands::Prepare, this)});
  table->Add("mailbox.mails", {.effect = Effect::kReads,
                               .arguments = {"id", "after", "limit"},
                               .handler = std::bind_front(&MailboxCommands::Mails, this)});
  table->Add("mailbox.read", {.effect = Effect::kReads,
                              .arguments = {"id", "uid", "offset"},
                              .handler = std::bind_front(&MailboxCommands::Read, this)});
  table->Add("mailbox.known", {.effect = Effect::kReads,
                               .arguments = {"id", "origins"},
                               .handler = std::bind_front(&MailboxCommands::Known, this)});
  table->Add("mailbox.flags", {.effect = Effect::kChanges,
                               .arguments = {"id", "mails"},
                               .handler = std::bind_front(&MailboxCommands::ImportFlags, this)});
  table->Add("mailbox.import", {.effect = Effect::kChanges,
                                .arguments = {"id", "mails", kBodyBytesArgument},
                                .body_handler = std::bind_front(&MailboxCommands::Import, this)});
}

async::Task<Result<store::AccountId>> MailboxCommands::FindAccount(std::string address) {
  ASSIGN_OR_CO_RETURN(const mail::Address parsed, mail::Address::Parse(address, {.utf8 = true}));
  const std::string key = parsed.CanonicalKey();
  if (const auto known = parts_.store->FindCachedAccount(key); known.has_value()) co_return *known;
  const auto account = co_await parts_.store->FindAccount(key);
  if (!account && account.error().code() == Errc::kNotFound) {
    co_return Error(Errc::kNotFound,
                    fmt::format("there is no account {}; `posthorn user add {}` makes it", address, address));
  }
  CO_RETURN_IF_ERROR(account);
  co_return account->id;
}

MailboxCommands::Answer MailboxCommands::List(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(std::string address, arguments.Text("address", kAddressBytesMax));
  ASSIGN_OR_CO_RETURN(const std::string after, arguments.OptionalText("after", kNameBytesMax));
  ASSIGN_OR_CO_RETURN(const std::uint32_t limit, arguments.Count("limit", kPageDefault, kPageMax));
  ASSIGN_OR_CO_RETURN(const store::AccountId account, co_await FindAccount(std::move(address)));
  ASSIGN_OR_CO_RETURN(const auto mailboxes, co_await parts_.store->ListMailboxes(account));
  json::array rows;
  for (const store::Mailbox& mailbox : mailboxes) {
    if (rows.size() == limit) break;
    if (mailbox.name > after) rows.push_back(ToJson(mailbox));
  }
  json::object answer;
  if (rows.size() == limit) answer["next"] = rows.back().at("name");
  answer["mailboxes"] = std::move(rows);
  answer["uidl_format"] = JsonText(parts_.uidl_format.text());
  co_return answer;
}

// Makes the mailbox if it is missing, and says in "uids_kept" whether it has the UIDVALIDITY that was asked for.
MailboxCommands::Answer MailboxCommands::Prepare(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(std::string address, arguments.Text("address", kAddressBytesMax));
  ASSIGN_OR_CO_RETURN(const std::string name, arguments.Text("mailbox", kNameBytesMax));
  ASSIGN_OR_CO_RETURN(const std::uint64_t uid_validity, NumberIn(arguments.members(), "uid_validity", UINT32_MAX));
  ASSIGN_OR_CO_RETURN(const std::uint64_t uid_next, NumberIn(arguments.members(), "uid_next", UINT32_MAX));
  ASSIGN_OR_CO_RETURN(const store::AccountId account, co_await FindAccount(std::move(address)));
  const json::value* const subscribed = arguments.members().if_contains("subscribed");
  if (subscribed != nullptr && !subscribed->is_bool()) {
    co_return Error(Errc::kInvalid, "the argument \"subscribed\" must be true or false");
  }
  auto mailbox = co_await parts_.store->FindMailbox(account, name);
  if (!mailbox && mailbox.error().code() == Errc::kNotFound) {
    const auto made = co_await parts_.store->CreateMailbox(account, name);
    if (!made && made.error().code() != Errc::kExists) co_return Error(made.error());
    mailbox = co_await parts_.store->FindMailbox(account, name);
  }
  CO_RETURN_IF_ERROR(mailbox);
  Result<> set;
  if (uid_validity != 0 || uid_next != 0) {
    set = co_await parts_.store->SetUids(mailbox->id, static_cast<std::uint32_t>(uid_validity),
                                         static_cast<std::uint32_t>(uid_next));
    const bool is_refused = !set && (set.error().code() == Errc::kExists || set.error().code() == Errc::kInvalid);
    if (!set && !is_refused) co_return Error(set.error());
  }
  if (subscribed != nullptr && subscribed->get_bool() != mailbox->subscribed) {
    CO_RETURN_IF_ERROR(co_await parts_.store->Subscribe(account, name, subscribed->get_bool()));
  }
  ASSIGN_OR_CO_RETURN(const store::Mailbox state, co_await parts_.store->MailboxState(mailbox->id));
  json::object answer = ToJson(state);
  answer["message_bytes_max"] = parts_.message_bytes_max;
  answer["uids_kept"] = set.has_value();
  if (!set) answer["why"] = JsonText(set.error().message());
  co_return answer;
}

MailboxCommands::Answer MailboxCommands::Mails(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const store::MailboxId mailbox, MailboxIdOf(arguments));
  ASSIGN_OR_CO_RETURN(const std::uint64_t after, NumberIn(arguments.members(), "after", UINT32_MAX - 1));
  ASSIGN_OR_CO_RETURN(const std::uint32_t limit, arguments.Count("limit", kPageDefault, kPageMax));
  ASSIGN_OR_CO_RETURN(const auto messages, co_await parts_.store->ListMessages(
                                               mailbox, static_cast<std::uint32_t>(after) + 1, UINT32_MAX, limit));
  json::array rows;
  for (const store::Message& message : messages) rows.push_back(ToJson(message));
  json::object answer;
  if (rows.size() == limit) answer["next"] = messages.back().uid;
  answer["mails"] = std::move(rows);
  co_return answer;
}

MailboxCommands::Answer MailboxCommands::Read(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const store::MailboxId mailbox, MailboxIdOf(arguments));
  ASSIGN_OR_CO_RETURN(const std::uint32_t uid, arguments.Count("uid", 0, UINT32_MAX));
  ASSIGN_OR_CO_RETURN(const std::uint64_t offset, NumberIn(arguments.members(), "offset", INT64_MAX));
  ASSIGN_OR_CO_RETURN(const std::string bytes, co_await parts_.store->ReadMessage(mailbox, uid, offset, kReadBytesMax));
  json::object answer;
  answer["base64"] = base::EncodeBase64(bytes);
  co_return answer;
}

MailboxCommands::Answer MailboxCommands::Known(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const store::MailboxId mailbox, MailboxIdOf(arguments));
  const json::value* const list = arguments.members().if_contains("origins");
  if (list == nullptr || !list->is_array() || list->get_array().size() > kOriginsMax) {
    co_return Error(Errc::kInvalid, fmt::format("\"origins\" must be a list of at most {} texts", kOriginsMax));
  }
  std::vector<store::Origin> origins;
  for (const json::value& value : list->get_array()) {
    const json::string* const text = value.if_string();
    ASSIGN_OR_CO_RETURN(const store::Origin origin, ParseOrigin(text != nullptr ? std::string_view(*text) : ""));
    origins.push_back(origin);
  }
  ASSIGN_OR_CO_RETURN(const std::vector<bool> known, co_await parts_.store->FindOrigins(mailbox, std::move(origins)));
  json::string digits;
  for (const bool is_known : known) digits.push_back(is_known ? '1' : '0');
  json::object answer;
  answer["known"] = std::move(digits);
  co_return answer;
}

}  // namespace admin
