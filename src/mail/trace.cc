#include "mail/trace.h"

#include "mail/ascii.h"
#include "mail/charset.h"
#include "mail/date.h"

namespace mail {
namespace {

constexpr std::size_t kColumnsMax = 78;     // RFC 5322 §2.1.1.
constexpr std::size_t kWordBytesMax = 255;  // The longest domain; also keeps a line below 998.
constexpr std::size_t kPathBytesMax = 400;
constexpr std::string_view kWordMarks = ".-_:[]+/=";

// A header field that breaks its line before a word that would pass the last column.
class FoldedField {
 public:
  explicit FoldedField(std::string_view name) : text_(name) {
    text_.push_back(':');
    column_ = text_.size();
  }
  // Words that should stand on one line together.
  void Add(std::string_view words) {
    if (column_ + 1 + words.size() > kColumnsMax && column_ > 1) {
      text_.append("\r\n\t");
      column_ = 1;
    } else {
      text_.push_back(' ');
      ++column_;
    }
    text_.append(words);
    column_ += words.size();
  }
  void Add(std::string_view keyword, std::string_view word) { Add(std::string(keyword) + " " + std::string(word)); }
  std::string Finish() && {
    text_.append("\r\n");
    return std::move(text_);
  }

 private:
  std::string text_;
  std::size_t column_ = 0;
};

// A domain, address literal, id or protocol word from a stranger, as ASCII: a U-label has no place in HELO.
std::string SafeWord(std::string_view word);
// A mailbox from a stranger: everything printable, and UTF-8.
std::string SafePath(std::string_view path);
std::string TcpInfo(const Trace& trace);

}  // namespace

std::string MakeReceived(const Trace& trace) {
  FoldedField field("Received");
  if (!trace.helo.empty() || !trace.client_ip.empty()) {
    field.Add("from", trace.helo.empty() ? "unknown" : SafeWord(trace.helo));
    if (!trace.client_ip.empty()) field.Add(TcpInfo(trace));
  }
  field.Add("by", SafeWord(trace.by));
  if (!trace.protocol.empty()) field.Add("with", SafeWord(trace.protocol));
  if (!trace.id.empty()) field.Add("id", SafeWord(trace.id));
  if (!trace.recipient.empty()) field.Add("for", "<" + SafePath(trace.recipient) + ">");
  if (!trace.tls_cipher.empty()) field.Add("tls", SafeWord(trace.tls_cipher));
  if (!trace.tls_version.empty()) field.Add("(" + SafeWord(trace.tls_version) + ")");
  std::string text = std::move(field).Finish();
  text.replace(text.size() - 2, 2, ";\r\n\t");
  text.append(FormatDate(trace.time));
  text.append("\r\n");
  return text;
}

std::string DeliveryPrefix(std::string_view sender, std::string_view recipient) {
  std::string text;
  text.reserve(sender.size() + recipient.size() + 36);
  text.append("Return-Path: <").append(SafePath(sender)).append(">\r\n");
  text.append("Delivered-To: ").append(SafePath(recipient)).append("\r\n");
  return text;
}

namespace {

std::string SafeWord(std::string_view word) {
  std::string safe(word.substr(0, kWordBytesMax));
  for (char& c : safe) {
    if (!IsAsciiAlnum(c) && !kWordMarks.contains(c)) c = '?';
  }
  return safe;
}

std::string SafePath(std::string_view path) {
  std::string safe(path.substr(0, kPathBytesMax));
  const bool is_utf8 = IsValidUtf8(safe);
  for (char& c : safe) {
    const bool is_allowed = IsHighByte(c) ? is_utf8 : c >= ' ' && c != 0x7f;
    if (!is_allowed) c = '?';
  }
  return safe;
}

// RFC 5321 §4.4 TCP-info: the name by DNS and the address literal.
std::string TcpInfo(const Trace& trace) {
  std::string text("(");
  if (!trace.client_name.empty()) text.append(SafeWord(trace.client_name)).append(" ");
  text.append(trace.client_ip.contains(':') ? "[IPv6:" : "[");
  text.append(SafeWord(trace.client_ip)).append("])");
  return text;
}

}  // namespace
}  // namespace mail
