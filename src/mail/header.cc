#include "mail/header.h"

#include <algorithm>

#include "mail/ascii.h"

namespace mail {
namespace {

// The line at `at` with its line break.
std::string_view LineAt(std::string_view text, std::size_t at);
bool IsEmptyLine(std::string_view line);
std::string_view WithoutLineBreak(std::string_view text);
// RFC 5322 §2.2: printable ASCII without the colon. 8-bit names occur nowhere but in garbage.
bool IsFieldName(std::string_view name);

}  // namespace

std::optional<HeaderField> HeaderReader::Next() {
  std::string_view line = LineAt(text_, position_);
  if (line.empty() || IsEmptyLine(line)) return std::nullopt;
  std::size_t end = position_ + line.size();
  for (;;) {
    line = LineAt(text_, end);
    if (line.empty() || !IsBlank(line.front())) break;
    end += line.size();
  }
  HeaderField field;
  field.offset = position_;
  field.raw = text_.substr(position_, end - position_);
  field.body = WithoutLineBreak(field.raw);
  position_ = end;

  const std::size_t colon = field.raw.find(':');
  if (colon == std::string_view::npos) return field;
  std::string_view name = field.raw.substr(0, colon);
  while (!name.empty() && IsBlank(name.back())) name.remove_suffix(1);
  if (IsFieldName(name)) {
    field.name = name;
    field.body.remove_prefix(colon + 1);
  }
  return field;
}

std::size_t HeaderSize(std::string_view message) {
  std::size_t at = 0;
  for (;;) {
    const std::string_view line = LineAt(message, at);
    if (line.empty()) return message.size();
    at += line.size();
    if (IsEmptyLine(line)) return at;
  }
}

std::optional<std::string_view> FindHeader(std::string_view header, std::string_view name) {
  HeaderReader reader(header);
  while (const auto field = reader.Next()) {
    if (!field->name.empty() && EqualsIgnoreCase(field->name, name)) return field->body;
  }
  return std::nullopt;
}

std::vector<std::string_view> FindHeaders(std::string_view header, std::string_view name) {
  std::vector<std::string_view> bodies;
  HeaderReader reader(header);
  while (const auto field = reader.Next()) {
    if (!field->name.empty() && EqualsIgnoreCase(field->name, name)) bodies.push_back(field->body);
  }
  return bodies;
}

std::string Unfold(std::string_view body) {
  std::string text;
  text.reserve(body.size());
  std::size_t at = 0;
  while (at < body.size()) {
    if (!IsSpace(body[at])) {
      if (body[at] != '\0') text.push_back(body[at]);
      ++at;
      continue;
    }
    std::size_t end = at;
    bool has_break = false;
    bool has_blank = false;
    for (; end < body.size() && IsSpace(body[end]); ++end) (IsBlank(body[end]) ? has_blank : has_break) = true;
    if (!has_break) {
      text.append(body.substr(at, end - at));
    } else if (has_blank) {
      text.push_back(' ');
    }
    at = end;
  }
  return std::string(Trim(text));
}

namespace {

std::string_view LineAt(std::string_view text, std::size_t at) {
  const std::size_t newline = text.find('\n', at);
  return text.substr(at, newline == std::string_view::npos ? newline : newline + 1 - at);
}

bool IsEmptyLine(std::string_view line) {
  return line == "\r\n" || line == "\n";
}

std::string_view WithoutLineBreak(std::string_view text) {
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
  }
  return text;
}

bool IsFieldName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

}  // namespace
}  // namespace mail
