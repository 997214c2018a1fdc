#include "smtp/proto/client_command.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "mail/ascii.h"

namespace smtp {
namespace {

bool IsUpperHex(char c) {
  return mail::IsAsciiDigit(c) || (c >= 'A' && c <= 'F');
}

void AppendNotify(std::string& out, std::uint8_t notify) {
  if (notify == 0) return;
  out += " NOTIFY=";
  if ((notify & mail::kNotifyNever) != 0) {
    out += "NEVER";  // RFC 3461 §4.1: it stands alone.
    return;
  }
  const char* separator = "";
  for (const auto& [bit, word] : {std::pair{mail::kNotifySuccess, "SUCCESS"},
                                  std::pair{mail::kNotifyFailure, "FAILURE"}, std::pair{mail::kNotifyDelay, "DELAY"}}) {
    if ((notify & bit) == 0) continue;
    out += separator;
    out += word;
    separator = ",";
  }
}

// RFC 3461 §4.2: addr-type ";" xtext, where the type is an atom.
void AppendOriginal(std::string& out, std::string_view original) {
  const std::size_t semicolon = original.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0) return;
  const std::string_view type = original.substr(0, semicolon);
  if (!std::ranges::all_of(type, [](char c) { return mail::IsAsciiAlnum(c) || c == '-'; })) return;
  fmt::format_to(std::back_inserter(out), " ORCPT={};{}", type, ToXtext(original.substr(semicolon + 1)));
}

}  // namespace

void AppendMail(std::string& out, const mail::Envelope& envelope, const MailParameters& parameters) {
  const auto into = std::back_inserter(out);
  fmt::format_to(into, "MAIL FROM:<{}>", envelope.sender);
  if (parameters.size) fmt::format_to(into, " SIZE={}", parameters.size_bytes);
  if (parameters.body_8bit) out += " BODY=8BITMIME";
  if (parameters.smtputf8) out += " SMTPUTF8";
  if (parameters.dsn) {
    if (envelope.dsn_return == mail::DsnReturn::kFull) out += " RET=FULL";
    if (envelope.dsn_return == mail::DsnReturn::kHeaders) out += " RET=HDRS";
    if (!envelope.envelope_id.empty()) fmt::format_to(into, " ENVID={}", ToXtext(envelope.envelope_id));
  }
  out += "\r\n";
}

void AppendRcpt(std::string& out, const mail::Recipient& recipient, const MailParameters& parameters) {
  fmt::format_to(std::back_inserter(out), "RCPT TO:<{}>", recipient.address);
  if (parameters.dsn) {
    AppendNotify(out, recipient.notify);
    AppendOriginal(out, recipient.original);
  }
  out += "\r\n";
}

bool IsFitForPath(std::string_view address) {
  bool quoted = false;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char c = address[i];
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return false;
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == ' ' || c == '<' || c == '>')) return false;
    if (quoted && c == '\\' && ++i == address.size()) return false;
    if (static_cast<unsigned char>(address[i]) < ' ' || address[i] == 0x7f) return false;
  }
  return !quoted;
}

std::string ToXtext(std::string_view text) {
  std::string xtext;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_escape = c == '+' && i + 2 < text.size() && IsUpperHex(text[i + 1]) && IsUpperHex(text[i + 2]);
    if (is_escape || (c >= '!' && c <= '~' && c != '+' && c != '=')) {
      xtext += c;
    } else {
      fmt::format_to(std::back_inserter(xtext), "+{:02X}", static_cast<unsigned char>(c));
    }
  }
  return xtext;
}

}  // namespace smtp
