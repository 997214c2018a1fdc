#include "mail/delivery_status.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "mail/ascii.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/line_ends.h"
#include "mail/text.h"

namespace mail {
namespace {

constexpr std::size_t kColumns = 76;
constexpr std::size_t kFieldBytesMax = 800;  // One word of that size still fits a line of RFC 5322.

// A part of the report, without its boundary.
struct Part {
  std::string_view type;
  std::string bytes;  // With CRLF at the end.
};

std::string_view NameOf(DsnAction action) {
  switch (action) {
    case DsnAction::kFailed:
      return "failed";
    case DsnAction::kDelayed:
      return "delayed";
    case DsnAction::kDelivered:
      return "delivered";
    case DsnAction::kRelayed:
      return "relayed";
    case DsnAction::kExpanded:
      return "expanded";
  }
  return "failed";
}

// One line: no control character, of bounded length, and in ASCII or valid UTF-8.
std::string OneLine(std::string_view text, bool utf8) {
  std::string line(text.substr(0, kFieldBytesMax));
  const bool keeps_utf8 = utf8 && IsValidUtf8(line);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    if (IsHighByte(c) && !keeps_utf8) c = '?';
  }
  return std::string(Trim(line));
}

// "Name: value", folded before its spaces, all of which are kept.
void AddField(std::string_view name, std::string_view value, bool utf8, std::string* out) {
  const std::string line = " " + OneLine(value, utf8);
  out->append(name).append(":");
  std::size_t column = name.size() + 1;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end =
        std::min(line.find(' ', std::min(line.find_first_not_of(' ', at), line.size())), line.size());
    if (at > 0 && column + end - at > kColumns) {
      out->append("\r\n");
      column = 0;
    }
    out->append(line, at, end - at);
    column += end - at;
    at = end;
  }
  out->append("\r\n");
}

// RFC 3461 §4 xtext, undone. What is no hexadecimal stays.
std::string FromXtext(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    const bool is_code =
        text[i] == '+' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2;
    plain.push_back(is_code ? static_cast<char>(value) : text[i]);
    if (is_code) i += 2;
  }
  return plain;
}

bool NeedsUtf8(const DeliveryStatus& status) {
  return !IsAscii(status.to) || std::ranges::any_of(status.recipients, [](const DsnRecipient& recipient) {
    return !IsAscii(recipient.address) || !IsAscii(FromXtext(recipient.original));
  });
}

void AddRecipient(const DeliveryStatus& status, const DsnRecipient& recipient, bool utf8, std::string* out) {
  out->append("\r\n");
  if (!recipient.original.empty()) AddField("Original-Recipient", FromXtext(recipient.original), utf8, out);
  const std::string_view address_type = IsAscii(recipient.address) ? "rfc822; " : "utf-8; ";
  AddField("Final-Recipient", std::string(address_type) + recipient.address, utf8, out);
  AddField("Action", NameOf(recipient.action), utf8, out);
  AddField("Status", StatusCodeOf(recipient), utf8, out);
  if (!recipient.remote_mta.empty()) AddField("Remote-MTA", "dns; " + recipient.remote_mta, utf8, out);
  if (!recipient.answer.empty()) {
    const std::string_view words_of = recipient.remote_mta.empty() ? "x-posthorn; " : "smtp; ";
    AddField("Diagnostic-Code", std::string(words_of) + recipient.answer, utf8, out);
  }
  AddField("Last-Attempt-Date", FormatDate(status.now), utf8, out);
  if (recipient.action == DsnAction::kDelayed) {
    AddField("Will-Retry-Until", FormatDate(status.retry_until), utf8, out);
  }
}

// RFC 3464 §2.1.
Part PartForPrograms(const DeliveryStatus& status) {
  const bool utf8 = NeedsUtf8(status);
  std::string fields;
  if (!status.envelope_id.empty()) AddField("Original-Envelope-Id", FromXtext(status.envelope_id), utf8, &fields);
  AddField("Reporting-MTA", "dns; " + status.hostname, utf8, &fields);
  AddField("Arrival-Date", FormatDate(status.arrival), utf8, &fields);
  AddField("X-Posthorn-ID", status.mail_id, utf8, &fields);
  for (const DsnRecipient& recipient : status.recipients) AddRecipient(status, recipient, utf8, &fields);
  return {utf8 ? "message/global-delivery-status" : "message/delivery-status", std::move(fields)};
}

// RFC 6522 §3: the mail, or its header.
Part PartOfOriginal(const DeliveryStatus& status) {
  const bool is_whole = status.is_whole && !status.original.contains('\0');
  const std::size_t size = is_whole ? status.original.size() : HeaderSize(status.original);
  std::string bytes;
  LineEndNormalizer line_ends;
  line_ends.Append(status.original.substr(0, size), bytes);
  line_ends.Finish(bytes);
  std::erase(bytes, '\0');
  // UTF-8 in a header is a matter of RFC 6532, other bytes are what old programs send.
  const bool global = !IsAscii(status.original.substr(0, HeaderSize(status.original))) && NeedsUtf8(status);
  if (is_whole) return {global ? "message/global" : "message/rfc822", std::move(bytes)};
  return {global ? "message/global-headers" : "text/rfc822-headers", std::move(bytes)};
}

// The first message id of a field; nothing when what stands there could not stand in ours.
std::optional<std::string> MessageIdIn(std::string_view header) {
  const auto field = FindHeader(header, "Message-ID");
  if (!field.has_value()) return std::nullopt;
  const std::size_t begin = field->find('<');
  const std::size_t end = field->find('>', begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) return std::nullopt;
  const std::string_view id = field->substr(begin, end + 1 - begin);
  const bool is_plain = std::ranges::all_of(id, [](char c) { return c > ' ' && c <= '~'; });
  if (!is_plain || id.size() > kFieldBytesMax) return std::nullopt;
  return std::string(id);
}

std::string_view SubjectOf(const DeliveryStatus& status) {
  if (status.to_postmaster) return "Mail that nobody can be told of could not be delivered";
  const auto has = [&status](DsnAction action) {
    return std::ranges::any_of(status.recipients, [action](const auto& one) { return one.action == action; });
  };
  if (has(DsnAction::kFailed)) return "Your mail could not be delivered";
  if (has(DsnAction::kDelayed)) return "Your mail is delayed";
  return has(DsnAction::kDelivered) ? "Your mail was delivered" : "Your mail was handed on";
}

std::string Header(const DeliveryStatus& status, std::string_view boundary) {
  std::string header;
  AddField("From", "Mail Delivery System <MAILER-DAEMON@" + status.hostname + ">", false, &header);
  AddField("To", "<" + status.to + ">", true, &header);
  AddField("Subject", SubjectOf(status), false, &header);
  AddField("Date", FormatDate(status.now), false, &header);
  AddField("Message-ID", "<" + status.id + "@" + status.hostname + ">", false, &header);
  if (const auto replied_to = MessageIdIn(status.original)) {
    AddField("In-Reply-To", *replied_to, false, &header);
    AddField("References", *replied_to, false, &header);
  }
  // RFC 3834 §5: nobody's program shall answer.
  AddField("Auto-Submitted", "auto-replied", false, &header);
  AddField("MIME-Version", "1.0", false, &header);
  header +=
      fmt::format("Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{}\"\r\n\r\n", boundary);
  return header;
}

// One that occurs in no part.
std::string BoundaryFor(const std::vector<Part>& parts, std::string_view id) {
  for (std::uint64_t number = 1;; ++number) {
    std::string boundary = fmt::format("=_report-{}-{}", id, number);
    const bool occurs = std::ranges::any_of(parts, [&](const Part& part) { return part.bytes.contains(boundary); });
    if (!occurs) return boundary;
  }
}

// RFC 3463 §2: class, subject, detail.
bool IsStatusCode(std::string_view text) {
  if (text.size() < 5 || text[1] != '.' || !std::string_view("245").contains(text[0])) return false;
  const std::size_t dot = text.find('.', 2);
  if (dot == std::string_view::npos) return false;
  const auto is_number = [](std::string_view digits) {
    return !digits.empty() && digits.size() <= 3 && std::ranges::all_of(digits, IsAsciiDigit);
  };
  return is_number(text.substr(2, dot - 2)) && is_number(text.substr(dot + 1));
}

// "550 5.1.1 no such user", "5.1.1 no such user".
std::string_view StatusCodeIn(std::string_view answer) {
  const bool has_reply_code = answer.size() > 4 && std::ranges::all_of(answer.substr(0, 3), IsAsciiDigit);
  if (has_reply_code) answer.remove_prefix(4);
  return answer.substr(0, answer.find_first_of(" \t\r\n"));
}

}  // namespace

std::string StatusCodeOf(const DsnRecipient& recipient) {
  const bool failed = recipient.action == DsnAction::kFailed;
  const char wanted = failed ? '5' : recipient.action == DsnAction::kDelayed ? '4' : '2';
  for (const std::string_view code : {std::string_view(recipient.status), StatusCodeIn(recipient.answer)}) {
    if (!IsStatusCode(code)) continue;
    // Given up after failures that might have passed: RFC 3464 §2.3.4 lets that stand.
    if (code[0] == wanted || (failed && code[0] == '4')) return std::string(code);
  }
  return fmt::format("{}.0.0", wanted);
}

DeliveryNotice ComposeNotice(const DeliveryStatus& status) {
  const auto subject = FindHeader(status.original, "Subject");
  std::vector<Part> parts;
  parts.push_back({"text/plain; charset=utf-8",
                   TextForPeople(status, subject.has_value() ? DecodeHeaderText(*subject) : std::string())});
  parts.push_back(PartForPrograms(status));
  if (!status.original.empty()) parts.push_back(PartOfOriginal(status));

  const std::string boundary = BoundaryFor(parts, OneLine(status.id, false));
  DeliveryNotice notice{.text = Header(status, boundary), .smtputf8 = !IsAscii(status.to)};
  notice.text += "This is a report in MIME format (RFC 6522).\r\n";
  for (const Part& part : parts) {
    notice.text += fmt::format("\r\n--{}\r\nContent-Type: {}\r\n", boundary, part.type);
    if (!IsAscii(part.bytes)) {
      notice.body = BodyType::k8BitMime;
      notice.text += "Content-Transfer-Encoding: 8bit\r\n";
    }
    notice.text += "\r\n" + part.bytes;
  }
  notice.text += fmt::format("\r\n--{}--\r\n", boundary);
  return notice;
}

}  // namespace mail
