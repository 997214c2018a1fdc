#include "smtp/proto/parameters.h"

#include <algorithm>
#include <charconv>

#include "mail/ascii.h"

namespace smtp {
namespace {

struct Parameter {
  std::string_view name;
  std::string_view value;
  bool has_value = false;
};

// Takes the next parameter off `text`; nothing at the end.
std::optional<Parameter> TakeParameter(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return Parameter{word, {}, false};
  return Parameter{word.substr(0, equals), word.substr(equals + 1), true};
}

// RFC 3461 §4 "xtext": printable ASCII; '+' and '=' only as "+hex".
bool IsXtext(std::string_view text, std::size_t size_max) {
  if (text.empty() || text.size() > size_max) return false;
  for (const char c : text) {
    if (c < '!' || c > '~' || c == '=') return false;
  }
  return true;
}

bool ReadSize(std::string_view text, std::uint64_t& size) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  return error == std::errc() && end == text.data() + text.size() && text.size() <= 20;
}

std::optional<std::uint8_t> ReadNotify(std::string_view text) {
  if (mail::EqualsIgnoreCase(text, "NEVER")) return mail::kNotifyNever;
  std::uint8_t bits = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (mail::EqualsIgnoreCase(word, "SUCCESS")) {
      bits |= mail::kNotifySuccess;
    } else if (mail::EqualsIgnoreCase(word, "FAILURE")) {
      bits |= mail::kNotifyFailure;
    } else if (mail::EqualsIgnoreCase(word, "DELAY")) {
      bits |= mail::kNotifyDelay;
    } else {
      return std::nullopt;
    }
  }
  if (bits == 0) return std::nullopt;
  return bits;
}

BadCommand BadValue(std::string_view name) {
  return {501, "5.5.4 Bad value of " + std::string(name)};
}
BadCommand Unknown(std::string_view name) {
  return {555, "5.5.4 Parameter " + std::string(name.substr(0, 40)) + " is not supported"};
}

bool SetBody(std::string_view value, mail::BodyType& body) {
  if (mail::EqualsIgnoreCase(value, "7BIT")) {
    body = mail::BodyType::k7Bit;
  } else if (mail::EqualsIgnoreCase(value, "8BITMIME")) {
    body = mail::BodyType::k8BitMime;
  } else {
    return false;
  }
  return true;
}

bool SetReturn(std::string_view value, mail::DsnReturn& dsn_return) {
  if (mail::EqualsIgnoreCase(value, "FULL")) {
    dsn_return = mail::DsnReturn::kFull;
  } else if (mail::EqualsIgnoreCase(value, "HDRS")) {
    dsn_return = mail::DsnReturn::kHeaders;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<BadCommand> ParseMailParameters(std::string_view text, MailFrom& mail_from) {
  while (const auto parameter = TakeParameter(text)) {
    const auto& [name, value, has_value] = *parameter;
    if (mail::EqualsIgnoreCase(name, "SIZE")) {
      if (!ReadSize(value, mail_from.size_bytes)) return BadValue("SIZE");
    } else if (mail::EqualsIgnoreCase(name, "BODY")) {
      if (!SetBody(value, mail_from.body)) return BadValue("BODY");
    } else if (mail::EqualsIgnoreCase(name, "SMTPUTF8")) {
      if (has_value) return BadValue("SMTPUTF8");
      mail_from.smtputf8 = true;
    } else if (mail::EqualsIgnoreCase(name, "RET")) {
      if (!SetReturn(value, mail_from.dsn_return)) return BadValue("RET");
    } else if (mail::EqualsIgnoreCase(name, "ENVID")) {
      if (!IsXtext(value, 100)) return BadValue("ENVID");
      mail_from.envelope_id = value;
    } else if (mail::EqualsIgnoreCase(name, "AUTH")) {
      // RFC 4954 §5: accepted from everybody, and believed from nobody: the same as AUTH=<>.
      if (!has_value) return BadValue("AUTH");
    } else {
      return Unknown(name);
    }
  }
  return std::nullopt;
}

std::optional<BadCommand> ParseRcptParameters(std::string_view text, RcptTo& rcpt) {
  while (const auto parameter = TakeParameter(text)) {
    const auto& [name, value, has_value] = *parameter;
    if (mail::EqualsIgnoreCase(name, "NOTIFY")) {
      const auto notify = ReadNotify(value);
      if (!notify) return BadValue("NOTIFY");
      rcpt.notify = *notify;
    } else if (mail::EqualsIgnoreCase(name, "ORCPT")) {
      if (value.find(';') == std::string_view::npos || !IsXtext(value, 500)) return BadValue("ORCPT");
      rcpt.original = value;
    } else {
      return Unknown(name);
    }
  }
  return std::nullopt;
}

}  // namespace smtp
