#include "admin/mailbox_json.h"

#include <charconv>
#include <utility>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::pair<std::uint8_t, std::string_view> kSystemNames[] = {{store::Flags::kSeen, "\\Seen"},
                                                                      {store::Flags::kAnswered, "\\Answered"},
                                                                      {store::Flags::kFlagged, "\\Flagged"},
                                                                      {store::Flags::kDeleted, "\\Deleted"},
                                                                      {store::Flags::kDraft, "\\Draft"}};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

json::array ToJson(const store::Flags& flags) {
  json::array names;
  for (const auto& [bit, name] : kSystemNames) {
    if ((flags.system & bit) != 0) names.push_back(json::string(name));
  }
  for (const std::string& keyword : flags.keywords) names.push_back(JsonText(keyword));
  return names;
}

Result<store::Flags> ParseFlags(const json::value* value) {
  store::Flags flags;
  if (value == nullptr) return flags;
  const json::array* const names = value->if_array();
  if (names == nullptr) return Error(Errc::kInvalid, "the flags of a mail must be a list of texts");
  for (const json::value& name : *names) {
    const json::string* const text = name.if_string();
    if (text == nullptr) return Error(Errc::kInvalid, "the flags of a mail must be a list of texts");
    std::uint8_t system = 0;
    for (const auto& [bit, system_name] : kSystemNames) system |= *text == system_name ? bit : 0;
    flags.system |= system;
    if (system == 0) flags.keywords.emplace_back(text->begin(), text->end());
  }
  return flags;
}

json::object ToJson(const store::Mailbox& mailbox) {
  json::object out;
  out["name"] = JsonText(mailbox.name);
  out["exists"] = mailbox.exists;
  out["subscribed"] = mailbox.subscribed;
  if (!mailbox.exists) return out;
  out["id"] = std::to_string(mailbox.id.value());
  out["uid_validity"] = mailbox.uid_validity;
  out["uid_next"] = mailbox.uid_next;
  out["mails"] = mailbox.messages;
  return out;
}

json::object ToJson(const store::Message& message) {
  json::object out;
  out["uid"] = message.uid;
  out["flags"] = ToJson(message.flags);
  out["date"] = message.internal_date.time_since_epoch().count();
  out["size"] = message.size_bytes;
  if (!message.uidl.empty()) out["uidl"] = JsonText(message.uidl);
  return out;
}

Result<store::Origin> ParseOrigin(std::string_view text) {
  store::Origin origin{};
  if (text.size() != 2 * origin.size()) return Error(Errc::kInvalid, "an origin has 32 hexadecimal digits");
  for (std::size_t i = 0; i < origin.size(); ++i) {
    const int high = HexDigit(text[2 * i]);
    const int low = HexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return Error(Errc::kInvalid, "an origin has 32 hexadecimal digits");
    origin[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return origin;
}

Result<store::MailboxId> MailboxIdOf(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::string text, arguments.Text("id", 20));
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size() || number == 0) {
    return Error(Errc::kInvalid, "the argument \"id\" must be what mailbox.list gave");
  }
  return store::MailboxId(number);
}

Result<std::uint64_t> NumberIn(const json::object& members, std::string_view name, std::uint64_t max) {
  const json::value* const value = members.if_contains(name);
  if (value == nullptr) return std::uint64_t{0};
  // Whole numbers that fit are parsed as int64, whatever their sign.
  const std::int64_t* const number = value->if_int64();
  if (number == nullptr || *number < 0 || static_cast<std::uint64_t>(*number) > max) {
    return Error(Errc::kInvalid, fmt::format("\"{}\" must be a whole number from 0 to {}", name, max));
  }
  return static_cast<std::uint64_t>(*number);
}

}  // namespace admin
