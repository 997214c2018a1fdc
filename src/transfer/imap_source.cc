#include "transfer/imap_source.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/base64.h"
#include "imap/proto/mailbox_name.h"
#include "mail/digest.h"

namespace transfer {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::size_t kFoldersMax = 100'000;

std::string Upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

std::optional<std::uint32_t> Number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

std::string PercentDecoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    unsigned value = 0;
    const std::string digits(text.substr(1, 2));
    const char* const end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value, 16);
    const bool is_escape = text[0] == '%' && digits.size() == 2 && parsed.ec == std::errc() && parsed.ptr == end;
    out.push_back(is_escape ? static_cast<char>(value) : text[0]);
    text.remove_prefix(is_escape ? 3 : 1);
  }
  return out;
}

// The number behind a word of a STATUS response or a response code: "UIDVALIDITY 5]".
std::uint32_t NumberBehind(const ImapResponse& response, std::string_view word) {
  for (std::size_t at = 0; at + 1 < response.tokens.size(); ++at) {
    std::string text = Upper(response.tokens[at].text);
    if (text.starts_with('[')) text.erase(0, 1);
    if (text == word) return Number(response.tokens[at + 1].text).value_or(0);
  }
  return 0;
}

bool IsAmong(const std::vector<std::string>& attributes, std::string_view attribute) {
  return std::ranges::find(attributes, attribute) != attributes.end();
}

// The name here of a name there. Errors: kInvalid.
Result<std::string> MailboxOf(const ImapListed& listed) {
  auto name = imap::DecodeMailboxName(listed.name);
  if (!name.has_value()) name = listed.name;  // Servers with UTF-8 names.
  if (listed.separator != '/' && listed.separator != '\0') {
    if (name->contains('/')) return Error(Errc::kInvalid, "a level of its name has a '/' in it");
    std::ranges::replace(*name, listed.separator, '/');
  }
  // Courier and Cyrus keep all mailboxes of a user below INBOX.
  if (Upper(*name).starts_with("INBOX/")) name->erase(0, 6);
  if (Upper(*name) == "INBOX") name = "INBOX";
  RETURN_IF_ERROR(imap::CheckMailboxName(*name));
  return name;
}

}  // namespace

Result<ImapUrl> ParseImapUrl(std::string_view text) {
  ImapUrl url;
  const auto wrong = [] {
    return Error(Errc::kInvalid, "write the server as imap://user@host or imaps://user@host, with :port if needed");
  };
  if (text.starts_with("imaps://")) {
    url.is_tls = true;
  } else if (!text.starts_with("imap://")) {
    return wrong();
  }
  text.remove_prefix(url.is_tls ? 8 : 7);
  if (text.ends_with('/')) text.remove_suffix(1);
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return wrong();
  url.user = PercentDecoded(text.substr(0, at));
  std::string_view host = text.substr(at + 1);
  url.port = url.is_tls ? 993 : 143;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const auto port = Number(host.substr(colon + 1));
    if (!port.has_value() || *port == 0 || *port > 65535) return wrong();
    url.port = static_cast<std::uint16_t>(*port);
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.contains('/') || url.user.contains('\n') || url.user.contains('\r')) return wrong();
  url.host = host;
  return url;
}

// ---- The dialogue ----

Result<ImapSource> ImapSource::Open(ImapSourceOptions options) {
  ASSIGN_OR_RETURN(net::ClientSocket socket, net::ClientSocket::Connect({.host = options.url.host,
                                                                         .port = options.url.port,
                                                                         .verifies_tls = options.verifies_tls,
                                                                         .ca_file = options.ca_file}));
  ImapSource source(std::move(options), std::move(socket));
  RETURN_IF_ERROR(source.Begin());
  RETURN_IF_ERROR(source.LogIn());
  return source;
}

Result<> ImapSource::Begin() {
  if (options_.url.is_tls) RETURN_IF_ERROR(socket_.StartTls());
  ASSIGN_OR_RETURN(const ImapResponse greeting, Receive());
  if (greeting.tag != "*" || !greeting.IsAtom(0, "OK")) {
    return Error(Errc::kDenied, fmt::format("{} does not let us in: {}", options_.url.host, greeting.line));
  }
  RETURN_IF_ERROR(ReadCapabilities());
  if (socket_.is_tls()) return {};
  if (Can("STARTTLS")) {
    RETURN_IF_ERROR(Do("STARTTLS"));
    RETURN_IF_ERROR(socket_.StartTls());
    // What came before is not to be trusted (RFC 3501 §6.2.1).
    reader_ = ImapReader(options_.reader);
    return ReadCapabilities();
  }
  if (socket_.is_loopback() || options_.allows_plaintext) return {};
  return Error(Errc::kDenied, fmt::format("{} offers no TLS: the password would cross the network in the clear; give "
                                          "--allow-plaintext if that is meant",
                                          options_.url.host));
}

Result<> ImapSource::ReadCapabilities() {
  capabilities_.clear();
  return Do("CAPABILITY", [&](ImapResponse& response) {
    if (!response.IsAtom(0, "CAPABILITY")) return;
    for (const ImapToken& token : response.tokens) capabilities_.push_back(Upper(token.text));
  });
}

bool ImapSource::Can(std::string_view capability) const {
  return IsAmong(capabilities_, capability);
}

Result<> ImapSource::LogIn() {
  Result<> done;
  const auto user = QuoteImap(options_.url.user);
  const auto password = QuoteImap(options_.password);
  if (Can("AUTH=PLAIN") && Can("SASL-IR")) {
    const std::string plain = std::string(1, '\0') + options_.url.user + std::string(1, '\0') + options_.password;
    done = Do("AUTHENTICATE PLAIN " + base::EncodeBase64(plain));
  } else if (user.has_value() && password.has_value()) {
    done = Do(fmt::format("LOGIN {} {}", *user, *password));
  } else {
    return Error(Errc::kUnsupported, "the server takes only user names and passwords of ASCII characters");
  }
  if (!done && done.error().code() == Errc::kDenied) {
    return Error(Errc::kDenied,
                 fmt::format("{} does not take the user and password: {}", options_.url.host, done.error().message()));
  }
  return done;
}

Result<ImapResponse> ImapSource::Receive() {
  std::string piece(kReadBytes, '\0');
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<ImapResponse> response, reader_.Next());
    if (response.has_value()) return *std::move(response);
    ASSIGN_OR_RETURN(const std::size_t size, socket_.Read(piece));
    reader_.Add(std::string_view(piece).substr(0, size));
  }
}

template <class Visit>
Result<> ImapSource::Do(const std::string& command, Visit visit) {
  const std::string tag = fmt::format("p{}", ++commands_);
  RETURN_IF_ERROR(socket_.Write(fmt::format("{} {}\r\n", tag, command)));
  for (;;) {
    ASSIGN_OR_RETURN(ImapResponse response, Receive());
    if (response.tag == "*" && response.IsAtom(0, "BYE")) {
      return Error(Errc::kClosed, fmt::format("{} said goodbye: {}", options_.url.host, response.line));
    }
    if (response.tag == "+") return Error(Errc::kInvalid, options_.url.host + " asks for what was not announced");
    if (response.tag != tag) {
      visit(response);
      continue;
    }
    if (response.IsAtom(0, "OK")) return {};
    const std::string_view words =
        std::string_view(response.line).substr(std::min(response.line.size(), tag.size() + 1));
    return Error(response.IsAtom(0, "NO") ? Errc::kDenied : Errc::kInvalid, std::string(words));
  }
}

Result<> ImapSource::Do(const std::string& command) {
  return Do(command, [](ImapResponse&) {});
}

// ---- Folders ----

Result<std::vector<ImapListed>> ImapSource::List(std::string_view command) {
  std::vector<ImapListed> all;
  RETURN_IF_ERROR(Do(fmt::format("{} \"\" \"*\"", command), [&](ImapResponse& response) {
    auto listed = ParseList(response, command);
    if (listed.has_value() && all.size() < kFoldersMax) all.push_back(*std::move(listed));
  }));
  return all;
}

Result<std::vector<SourceFolder>> ImapSource::Folders() {
  ASSIGN_OR_RETURN(const std::vector<ImapListed> all, List("LIST"));
  ASSIGN_OR_RETURN(const std::vector<ImapListed> subscribed, List("LSUB"));
  std::vector<SourceFolder> folders;
  for (const ImapListed& listed : all) RETURN_IF_ERROR(AddFolder(listed, subscribed, &folders));
  return folders;
}

Result<> ImapSource::AddFolder(const ImapListed& listed, const std::vector<ImapListed>& subscribed,
                               std::vector<SourceFolder>* folders) {
  if (IsAmong(listed.attributes, "\\noselect") || IsAmong(listed.attributes, "\\nonexistent")) return {};
  auto name = MailboxOf(listed);
  const auto quoted = QuoteImap(listed.name);
  if (!name.has_value() || !quoted.has_value()) {
    AddFault(fmt::format("{}: {}; its mail is left out", listed.name,
                         name.has_value() ? "its name has bytes that are none of IMAP's" : name.error().message()));
    return {};
  }
  SourceFolder folder{
      .mailbox = *std::move(name), .place = listed.name, .uid_validity = 0, .uid_next = 0, .subscribed = false};
  const auto is_same = [&](const ImapListed& other) { return other.name == listed.name; };
  folder.subscribed = std::ranges::any_of(subscribed, is_same);
  const auto status = Do(fmt::format("STATUS {} (UIDVALIDITY UIDNEXT)", *quoted), [&](ImapResponse& response) {
    if (!response.IsAtom(0, "STATUS")) return;
    folder.uid_validity = NumberBehind(response, "UIDVALIDITY");
    folder.uid_next = NumberBehind(response, "UIDNEXT");
  });
  if (!status && status.error().code() != Errc::kDenied) return status;
  if (!status) {
    AddFault(fmt::format("{}: {}; its mail is left out", listed.name, status.error().message()));
    return {};
  }
  folders->push_back(std::move(folder));
  return {};
}

// ---- Mails ----

Result<> ImapSource::Select(const SourceFolder& folder) {
  if (selected_ == folder.place) return {};
  selected_.clear();
  fetched_.clear();
  std::uint32_t validity = 0;
  RETURN_IF_ERROR(Do(fmt::format("EXAMINE {}", QuoteImap(folder.place).value_or("\"\"")), [&](ImapResponse& response) {
    if (response.IsAtom(1, "EXISTS")) exists_ = Number(response.tokens[0].text).value_or(0);
    const std::uint32_t found = NumberBehind(response, "UIDVALIDITY");
    if (found != 0) validity = found;
  }));
  if (validity != folder.uid_validity) {
    return Error(Errc::kInvalid, "its UIDVALIDITY has changed meanwhile; run the same command again");
  }
  selected_ = folder.place;
  return {};
}

Result<std::vector<SourceMail>> ImapSource::Mails(const SourceFolder& folder) {
  RETURN_IF_ERROR(Select(folder));
  std::vector<SourceMail> mails;
  if (exists_ == 0) return mails;
  const auto add = [&](ImapResponse& response) {
    auto fetched = ParseFetch(response);
    if (!fetched.has_value() || mails.size() >= options_.mails_max) return;
    SourceMail mail;
    mail.uid = fetched->uid;
    mail.offset = fetched->uid;  // Stays when the mail gets another UID here.
    mail.flags = std::move(fetched->flags);
    mail.date_us = fetched->date_us.value_or(0);
    mail.size_bytes = fetched->size_bytes;
    mail.place = fmt::format("{}, UID {}", folder.place, mail.uid);
    if (folder.mailbox == "INBOX") mail.uidl = options_.uidl_format.Format(folder.uid_validity, mail.uid);
    mail::Digest digest;
    digest.Update(fmt::format("imap {} {} {} {} {}", options_.url.host, options_.url.user, folder.place,
                              folder.uid_validity, mail.uid));
    mail.origin = digest.Finish();
    mails.push_back(std::move(mail));
  };
  RETURN_IF_ERROR(Do("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", add));
  std::ranges::sort(mails, {}, &SourceMail::uid);
  const auto repeated = std::ranges::unique(mails, {}, &SourceMail::uid);
  mails.erase(repeated.begin(), repeated.end());
  return mails;
}

Result<> ImapSource::Announce(const SourceFolder& folder, const std::vector<const SourceMail*>& mails) {
  RETURN_IF_ERROR(Select(folder));
  fetched_.clear();
  if (mails.empty()) return {};
  std::vector<std::uint32_t> wanted;
  for (const SourceMail* const mail : mails) wanted.push_back(static_cast<std::uint32_t>(mail->offset));
  std::ranges::sort(wanted);
  return Do(fmt::format("UID FETCH {} (UID BODY.PEEK[])", fmt::join(wanted, ",")), [&](ImapResponse& response) {
    auto fetched = ParseFetch(response);
    if (!fetched.has_value() || !fetched->body.has_value()) return;
    // Nothing but what was asked for is kept: a server must not fill our memory.
    if (std::ranges::binary_search(wanted, fetched->uid)) fetched_[fetched->uid] = *std::move(fetched->body);
  });
}

Result<std::string> ImapSource::Read(const SourceFolder& folder, const SourceMail& mail) {
  const auto uid = static_cast<std::uint32_t>(mail.offset);
  if (!fetched_.contains(uid)) RETURN_IF_ERROR(Announce(folder, {&mail}));
  const auto found = fetched_.find(uid);
  if (found == fetched_.end()) return Error(Errc::kNotFound, "the mail has gone from the server meanwhile");
  std::string bytes = std::move(found->second);
  fetched_.erase(found);
  return bytes;
}

}  // namespace transfer
