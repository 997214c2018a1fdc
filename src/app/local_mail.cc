#include "app/local_mail.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/base64.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/ascii.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/line_ends.h"

namespace app {
namespace {

using base::Errc;
using base::Error;
using base::Result;

// What the header has, and what of it is sent on.
struct ReadHeader {
  std::string kept;
  bool has_from = false;
  bool has_date = false;
  bool has_message_id = false;
  bool is_resent = false;
  std::vector<std::string> recipients;         // Bodies of To, Cc, Bcc.
  std::vector<std::string> resent_recipients;  // Bodies of Resent-To, ...
  std::string_view body;                       // After the empty line.
};

bool Is(std::string_view name, std::string_view wanted) {
  return mail::EqualsIgnoreCase(name, wanted);
}

bool IsAny(std::string_view name, std::initializer_list<std::string_view> wanted) {
  return std::ranges::any_of(wanted, [&](std::string_view one) { return Is(name, one); });
}

// The mail ends before a line that is a dot and nothing else.
std::string_view UntilDot(std::string_view text) {
  if (text.starts_with(".\r\n")) return {};
  const std::size_t dot = text.find("\r\n.\r\n");
  return dot == std::string_view::npos ? text : text.substr(0, dot + 2);
}

// The first line that is no field ends the header, as if an empty line stood before it: `echo hello | sendmail you`.
ReadHeader ReadFields(std::string_view text) {
  ReadHeader read;
  // The line of mbox files: "From you Mon Nov 23 ...".
  if (text.starts_with("From ") || text.starts_with(">From ")) text.remove_prefix(text.find("\r\n") + 2);
  mail::HeaderReader reader(text);
  std::size_t end = 0;
  while (const auto field = reader.Next()) {
    if (field->name.empty()) break;
    end = static_cast<std::size_t>(field->offset) + field->raw.size();
    if (Is(field->name, "From")) read.has_from = true;
    if (Is(field->name, "Date")) read.has_date = true;
    if (Is(field->name, "Message-ID")) read.has_message_id = true;
    if (IsAny(field->name, {"To", "Cc", "Bcc"})) read.recipients.push_back(mail::Unfold(field->body));
    if (IsAny(field->name, {"Resent-To", "Resent-Cc", "Resent-Bcc"})) {
      read.is_resent = true;
      read.resent_recipients.push_back(mail::Unfold(field->body));
    }
    if (!IsAny(field->name, {"Bcc", "Resent-Bcc"})) read.kept += field->raw;
  }
  read.body = text.substr(end);
  if (read.body.starts_with("\r\n")) read.body.remove_prefix(2);
  return read;
}

// "alice", "Alice <alice@example.test>, bob": the addresses, completed.
Result<> AddAddresses(std::string_view list, const LocalWriter& writer, std::vector<std::string>* addresses) {
  for (const mail::ListedAddress& listed : mail::ParseAddressList(list)) {
    if (!listed.host) continue;  // The begin or the end of a group.
    const bool is_local = *listed.host == mail::kMissingHost;
    const mail::Address written{.local = listed.mailbox.value_or(""),
                                .domain = is_local ? writer.domain : *listed.host};
    auto address = mail::Address::Parse(written.ToString(), {.utf8 = true});
    if (!address) return std::move(address).error().In(fmt::format("the recipient \"{}\"", written.ToString()));
    std::string text = address->ToString();
    if (std::ranges::find(*addresses, text) == addresses->end()) addresses->push_back(std::move(text));
  }
  return {};
}

Result<std::string> SenderOf(const SendmailOptions& options, const LocalWriter& writer) {
  if (options.sender && options.sender->empty()) return std::string();
  std::vector<std::string> senders;
  auto added = AddAddresses(options.sender.value_or(writer.login), writer, &senders);
  if (!added || senders.size() != 1) {
    return Error(Errc::kInvalid,
                 fmt::format("\"{}\" is no address to send from", options.sender.value_or(writer.login)));
  }
  return std::move(senders.front());
}

// A display name: as it is, quoted, or encoded (RFC 2047); nothing when it would be too long for a line.
std::string DisplayName(std::string_view name) {
  const auto is_word = [](char c) { return c == ' ' || c == '-' || mail::IsAsciiAlnum(c); };
  if (name.empty() || name.size() > 45) return "";
  if (std::ranges::all_of(name, is_word)) return std::string(name) + " ";
  if (!std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f; }))
    return "=?UTF-8?B?" + base::EncodeBase64(name) + "?= ";
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\" ";
}

std::string MissingFields(const ReadHeader& header, const SendmailOptions& options, const LocalWriter& writer,
                          const std::string& sender) {
  std::string added;
  if (!header.has_from) {
    const std::string name = DisplayName(options.full_name.empty() ? writer.full_name : options.full_name);
    const std::string address = sender.empty() ? writer.login + "@" + writer.domain : sender;
    added += fmt::format("From: {}<{}>\r\n", name, address);
  }
  if (!header.has_date) added += "Date: " + mail::FormatDate(writer.now, writer.zone) + "\r\n";
  if (!header.has_message_id) added += fmt::format("Message-ID: <{}@{}>\r\n", writer.unique, writer.hostname);
  return added;
}

}  // namespace

Result<LocalMail> MakeLocalMail(std::string_view text, const SendmailOptions& options, const LocalWriter& writer) {
  std::string normal;
  mail::LineEndNormalizer normalizer;
  normalizer.Append(text, normal);
  normalizer.Finish(normal);
  const ReadHeader header = ReadFields(options.dot_is_text ? std::string_view(normal) : UntilDot(normal));
  LocalMail mail;
  ASSIGN_OR_RETURN(mail.sender, SenderOf(options, writer));
  for (const std::string& argument : options.recipients) {
    RETURN_IF_ERROR(AddAddresses(argument, writer, &mail.recipients));
  }
  if (options.recipients_in_header) {
    for (const std::string& body : header.is_resent ? header.resent_recipients : header.recipients) {
      RETURN_IF_ERROR(AddAddresses(body, writer, &mail.recipients));
    }
  }
  if (mail.recipients.empty()) {
    return Error(Errc::kNotFound,
                 options.recipients_in_header
                     ? "the mail names no recipient in To, Cc or Bcc"
                     : "nobody is to get the mail: name recipients, or give -t to take those of the mail");
  }
  mail.message = fmt::format("Received: by {} (Posthorn sendmail, from userid {});\r\n\t{}\r\n", writer.hostname,
                             writer.user_id, mail::FormatDate(writer.now, writer.zone));
  mail.message += MissingFields(header, options, writer, mail.sender);
  mail.message += header.kept;
  mail.message += "\r\n";
  mail.message += header.body;
  return mail;
}

}  // namespace app
