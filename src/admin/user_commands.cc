#include "admin/user_commands.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "admin/json_values.h"
#include "mail/address.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kAddressBytesMax = 1024;  // mail::Address has the real limits; this one is for error sentences.
constexpr std::size_t kPasswordBytesMax = 4096;
constexpr std::uint32_t kPageDefault = 100;
constexpr std::uint32_t kPageMax = 1000;

Error NoAccount(const std::string& address) {
  return Error(Errc::kNotFound, fmt::format("there is no account {}; `posthorn user list` shows all", address));
}

json::object ToJson(const store::Account& account) {
  json::object out;
  out["address"] = JsonText(account.address);
  out["mails"] = account.mails;
  out["bytes"] = account.bytes;
  out["scram"] = account.has_scram_keys;
  return out;
}

}  // namespace

void UserCommands::AddTo(CommandTable* table) {
  table->Add("user.add", {.effect = Effect::kChanges,
                          .arguments = {"address", "password"},
                          .handler = std::bind_front(&UserCommands::Add, this)});
  table->Add("user.passwd", {.effect = Effect::kChanges,
                             .arguments = {"address", "password"},
                             .handler = std::bind_front(&UserCommands::SetPassword, this)});
  table->Add(
      "user.remove",
      {.effect = Effect::kChanges, .arguments = {"address"}, .handler = std::bind_front(&UserCommands::Remove, this)});
  table->Add("user.list", {.effect = Effect::kReads,
                           .arguments = {"after", "limit"},
                           .handler = std::bind_front(&UserCommands::List, this)});
}

UserCommands::Answer UserCommands::Add(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string text, arguments.Text("address", kAddressBytesMax));
  ASSIGN_OR_CO_RETURN(const std::string password, arguments.Text("password", kPasswordBytesMax));
  ASSIGN_OR_CO_RETURN(const std::string address, AccountAddress(text, *parts_.domains, parts_.recipient_delimiter));
  ASSIGN_OR_CO_RETURN(store::Credentials made, co_await MakeCredentials(password));
  const auto account = co_await parts_.store->CreateAccount(address, std::move(made));
  if (!account && account.error().code() == Errc::kExists) {
    co_return Error(Errc::kExists,
                    fmt::format("the account {} exists; `posthorn user passwd` sets its password", address));
  }
  CO_RETURN_IF_ERROR(account);
  parts_.authenticator->Forget(address);
  co_return ToJson(*account);
}

UserCommands::Answer UserCommands::SetPassword(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string text, arguments.Text("address", kAddressBytesMax));
  ASSIGN_OR_CO_RETURN(const std::string password, arguments.Text("password", kPasswordBytesMax));
  ASSIGN_OR_CO_RETURN(const std::string address, AccountAddress(text, *parts_.domains, parts_.recipient_delimiter));
  ASSIGN_OR_CO_RETURN(store::Credentials made, co_await MakeCredentials(password));
  auto set = co_await parts_.store->SetCredentials(address, std::move(made));
  if (!set && set.error().code() == Errc::kNotFound) co_return NoAccount(address);
  CO_RETURN_IF_ERROR(set);
  parts_.authenticator->Forget(address);
  json::object answer;
  answer["address"] = JsonText(address);
  co_return answer;
}

UserCommands::Answer UserCommands::Remove(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string text, arguments.Text("address", kAddressBytesMax));
  // The domain may have been taken out of the configuration since: its accounts can still be removed.
  ASSIGN_OR_CO_RETURN(const mail::Address parsed, mail::Address::Parse(text, {.utf8 = true}));
  const std::string address = parsed.CanonicalKey();
  auto removed = co_await parts_.store->RemoveAccount(address);
  if (!removed && removed.error().code() == Errc::kNotFound) co_return NoAccount(address);
  CO_RETURN_IF_ERROR(removed);
  parts_.authenticator->Forget(address);
  json::object answer;
  answer["address"] = JsonText(address);
  co_return answer;
}

UserCommands::Answer UserCommands::List(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(std::string after, arguments.OptionalText("after", kAddressBytesMax));
  ASSIGN_OR_CO_RETURN(const std::uint32_t limit, arguments.Count("limit", kPageDefault, kPageMax));
  ASSIGN_OR_CO_RETURN(const auto accounts, co_await parts_.store->ListAccounts(std::move(after), limit));
  json::array rows;
  for (const store::Account& account : accounts) rows.push_back(ToJson(account));
  json::object answer;
  answer["accounts"] = std::move(rows);
  if (accounts.size() == limit) answer["next"] = JsonText(accounts.back().address);
  co_return answer;
}

async::Task<Result<store::Credentials>> UserCommands::MakeCredentials(std::string password) {
  ASSIGN_OR_CO_RETURN(auto made, co_await parts_.hashing->Run([password, authenticator = parts_.authenticator] {
    return authenticator->MakeCredentials(password);
  }));
  if (!made) co_return std::move(made).error().In("set the password");
  co_return store::Credentials{.password_hash = std::move(made->password_hash),
                               .scram_keys = std::move(made->scram_keys)};
}

Result<std::string> AccountAddress(std::string_view text, const std::vector<std::string>& domains,
                                   char recipient_delimiter) {
  auto parsed = mail::Address::Parse(text, {.utf8 = true});
  if (!parsed) {
    return Error(Errc::kInvalid,
                 fmt::format("\"{}\" is no address ({}); write it as name@domain", text, parsed.error().message()));
  }
  if (std::ranges::find(domains, parsed->domain) == domains.end()) {
    const std::string ours = domains.empty() ? "it has none yet" : fmt::format("it has {}", fmt::join(domains, ", "));
    return Error(Errc::kInvalid, fmt::format("{} is not a domain of this node ({}); add it to mail.domains in the "
                                             "configuration and reload, or use another",
                                             parsed->domain, ours));
  }
  if (!parsed->Detail(recipient_delimiter).empty() || *parsed != parsed->WithoutDetail(recipient_delimiter)) {
    return Error(
        Errc::kInvalid,
        fmt::format("\"{}\" in {} starts a sub-address, which has no account of its own; use {}", recipient_delimiter,
                    parsed->ToString(), parsed->WithoutDetail(recipient_delimiter).ToString()));
  }
  return parsed->CanonicalKey();
}

}  // namespace admin
