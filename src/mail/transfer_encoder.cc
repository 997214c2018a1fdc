#include "mail/transfer_encoder.h"

#include "base/base64.h"
#include "mail/ascii.h"

namespace mail {
namespace {

constexpr std::size_t kColumnsMax = 75;  // And the "=" of a soft line break.
// RFC 5321 §4.5.3.1.6: 998 bytes without CRLF; an escape and the "=" fit behind it.
constexpr std::size_t kMendedColumnsMax = 990;

void AppendEscape(char c, std::string& out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '=';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace

void QuotedPrintableEncoder::Append(std::string_view text, std::string_view line_end, std::string& out) {
  for (const char c : text) {
    FlushBlank(false, out);
    if (IsBlank(c)) {
      blank_ = c;
    } else {
      AppendByte(c, c == '=' || c < '!' || c > '~', out);
    }
  }
  if (line_end.empty()) return;
  FlushBlank(true, out);
  out += line_end;
  column_ = 0;
  continues_ = false;
}

void QuotedPrintableEncoder::AppendByte(char c, bool escaped, std::string& out) {
  if (column_ + (escaped ? 3 : 1) > kColumnsMax) {
    out += "=\r\n";
    column_ = 0;
    continues_ = true;
  }
  // A line that was none before must not become a delimiter of a multipart.
  escaped = escaped || (column_ == 0 && continues_ && c == '-');
  if (escaped) {
    AppendEscape(c, out);
  } else {
    out += c;
  }
  column_ += escaped ? 3 : 1;
}

void QuotedPrintableEncoder::FlushBlank(bool at_line_end, std::string& out) {
  if (blank_ == '\0') return;
  AppendByte(blank_, at_line_end, out);
  blank_ = '\0';
}

void QuotedPrintableMender::Append(std::string_view text, std::string_view line_end, std::string& out) {
  for (const char c : text) {
    if (!IsHighByte(c)) {
      out += c;
      ++column_;
      continue;
    }
    if (column_ > kMendedColumnsMax) {
      out += "=\r\n";
      column_ = 0;
    }
    AppendEscape(c, out);
    column_ += 3;
  }
  if (line_end.empty()) return;
  out += line_end;
  column_ = 0;
}

void Base64Encoder::Append(std::string_view bytes, std::string& out) {
  while (held_.size() + bytes.size() >= kLineBytes) {
    const std::string_view part = bytes.substr(0, kLineBytes - held_.size());
    bytes.remove_prefix(part.size());
    held_ += part;
    out += base::EncodeBase64(held_);
    out += "\r\n";
    held_.clear();
  }
  held_ += bytes;
}

void Base64Encoder::Finish(std::string& out) {
  if (held_.empty()) return;
  out += base::EncodeBase64(held_);
  out += "\r\n";
  held_.clear();
}

}  // namespace mail
